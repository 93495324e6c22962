// Package ownfile opens plain files of the user in whose name a thread acts, on Windows; on other systems it is empty,
// since there open files are handed over. Both halves of a hand-over use it: the user's program, and the service while
// it acts as that user. It must never follow a link in place of the file, and decides nothing by a path that it could
// ask the open file.
package ownfile

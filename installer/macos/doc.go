// Package macos builds the packages for macOS, with the script beside it, on Linux. Its tests take them apart again:
// there is no macOS here that could install them.
package macos

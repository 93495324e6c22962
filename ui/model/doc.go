// Package model is what the window and the tray think: which downloads there are and in what order they are
// shown, what a pasted text asks for, how numbers read, what a map of 4096 pieces looks like in 600 cells.
// It is plain Go over the words of engine/api. It must never import a toolkit, do I/O, start a goroutine or
// hold a sentence that a person reads: words belong to ui/say, where they are translated.
package model

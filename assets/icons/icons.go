// Package icons holds the pictures of the window and the tray. The symbols are Material Symbols Rounded by Google
// under the Apache License 2.0 (see LICENSE), only those used; mark.svg and what is made of it are our own.
// It imports nothing.
package icons

//go:generate go run generate.go

import "embed"

// Symbols holds one NAME.svg for each symbol: one colour, which the theme replaces.
//
//go:embed *.svg
var Symbols embed.FS

// Mark is the program's icon, 256 pixels square, a PNG.
//
//go:embed mark.png
var Mark []byte

// Tray holds idle.png, active.png, sharing.png and problem.png, 64 pixels square, the icon by state.
//
//go:embed tray
var Tray embed.FS

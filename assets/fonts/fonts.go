// Package fonts holds the typeface of the window: Inter, under the SIL Open Font License (see LICENSE beside it).
// Other scripts than Latin, Greek and Cyrillic come from the fonts of the system; a machine without any for a
// script shows boxes there. It imports nothing.
package fonts

import _ "embed" // the files

// Regular is Inter at weight 400.
//
//go:embed Inter-Regular.ttf
var Regular []byte

// SemiBold is Inter at weight 600, the program's bold.
//
//go:embed Inter-SemiBold.ttf
var SemiBold []byte

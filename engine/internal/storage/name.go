package storage

import (
	"path"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/tributary-dl/tributary/control/protocol/filename"
)

// maxExtension is the longest ending that counts as an extension when a name is cut.
const maxExtension = 24

// SafeName makes a name that a server gave, or a URL's path, into one that every system takes and
// that cannot lead out of a folder: the last component, in NFC, without characters that a system
// reserves or does not show, without leading or trailing dots and spaces, no DOS device, at most 200
// bytes with the extension kept. What has nothing left becomes "download".
func SafeName(name string) string {
	name = strings.ToValidUTF8(name, "_")
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = norm.NFC.String(strings.Map(safeRune, name))
	name = strings.Trim(name, ". ")
	if filename.IsDevice(name) {
		name = "_" + name
	}
	name = cutName(name)
	if name == "" || name == "/" {
		return "download"
	}
	return name
}

// safeRune drops what cannot be seen (and could make an extension look like another one) and replaces
// what Windows does not take in names.
func safeRune(r rune) rune {
	switch {
	case strings.ContainsRune(`<>:"|?*`, r), r == utf8.RuneError:
		return '_'
	case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r):
		return -1
	case unicode.IsSpace(r):
		return ' '
	}
	return r
}

// cutName shortens a name to what may travel in a manifest, between characters, and keeps a short extension.
func cutName(name string) string {
	if len(name) <= filename.MaxBytes {
		return name
	}
	ext := filepath.Ext(name)
	if len(ext) > maxExtension {
		ext = ""
	}
	stem := name[:filename.MaxBytes-len(ext)]
	for !utf8.ValidString(stem) {
		stem = stem[:len(stem)-1]
	}
	// The cut may have uncovered a space or a dot, and split a base from its accent, which is harmless.
	return strings.TrimRight(strings.TrimRight(stem, ". ")+ext, ". ")
}

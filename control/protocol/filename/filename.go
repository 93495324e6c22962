// Package filename says which names may travel in a manifest and become files on any computer. It is
// one rule for publisher and downloader, the strictest of all systems, so that what one end publishes no
// other end must refuse. It only judges: it must never change a name to make it fit.
package filename

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// MaxBytes is the longest name; common file systems allow 255 bytes, and a part file's suffix must fit.
const MaxBytes = 200

// Check returns an error that says why name may not be one component of a path, or nil. The rules of
// Windows hold everywhere, because a name that is harmless here is a device or a stream there.
func Check(name string) error {
	switch {
	case name == "":
		return errors.New("it is empty")
	case len(name) > MaxBytes:
		return fmt.Errorf("it is longer than %d bytes", MaxBytes)
	case strings.Trim(name, ". ") != name: // also "." and "..": a system may strip them and reach another file
		return errors.New("it begins or ends with a dot or a space")
	case IsDevice(name):
		return errors.New("it is the name of a device")
	}
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return checkUnicode(name)
		}
		if forbiddenASCII[name[i]] {
			return errForbidden
		}
	}
	return nil
}

var errForbidden = errors.New("it has a forbidden character")

// forbiddenASCII has what Windows refuses, and what does not print.
var forbiddenASCII = func() (set [utf8.RuneSelf]bool) {
	for c := range set {
		set[c] = c < ' ' || c == 0x7f || strings.IndexByte(`<>:"/\|?*`, byte(c)) >= 0
	}
	return set
}()

func checkUnicode(name string) error {
	switch {
	case !utf8.ValidString(name):
		return errors.New("it is not UTF-8")
	case strings.IndexFunc(name, forbidden) >= 0:
		return errForbidden
	case !norm.NFC.IsNormalString(name):
		return errors.New("it is not in Unicode's normal form C")
	}
	return nil
}

// forbidden reports characters that Windows refuses, that end a line, or that turn the direction of
// writing, with which "gpj.exe" can be made to look like a picture.
func forbidden(r rune) bool {
	if r < utf8.RuneSelf {
		return forbiddenASCII[r]
	}
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}

// IsDevice reports DOS device names, which Windows finds in every folder and whatever follows the dot.
func IsDevice(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.TrimRight(stem, " ")
	if len(stem) > len("CONOUT$") {
		return false
	}
	stem = strings.ToUpper(stem)
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	port, isCOM := strings.CutPrefix(stem, "COM")
	port, isLPT := strings.CutPrefix(port, "LPT")
	return isCOM != isLPT && utf8.RuneCountInString(port) == 1 && strings.ContainsAny(port, "0123456789¹²³")
}

// Fold returns the form in which two names are equal if some file system takes them for one.
func Fold(name string) string {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return norm.NFC.String(cases.Fold().String(name))
		}
	}
	return strings.ToLower(name)
}

// Package linkfile reads files that name downloads: Metalink 4 (RFC 5854) and 3, torrents (BEP 3, 52) with web seeds
// (BEP 19), and our own signed manifests. What it returns are addresses, names and checksums as the file has them:
// whether an address may be asked and a name used is for the caller to judge. The package is pure: it must never touch a
// file, a socket or a clock.
package linkfile

import (
	"bytes"
	"fmt"
	"net/url"
	"strings"
)

// Limits of a file, above what sites offer and below what hurts a user.
const (
	MaxBytes    = 16 << 20 // of the file itself
	maxMetalink = 4 << 20  // XML takes many times its size in memory
	maxFiles    = 1000
	maxURLs     = 16 // of one file
	maxURL      = 8 << 10
	maxDepth    = 32 // components of a path
)

// File is one file that can be downloaded. It has one URL at least.
type File struct {
	Path      []string // components as written; may be anything, ".." too
	Size      int64    // bytes; -1 if it is not said
	URLs      []string // http and https, best first
	Checksum  string   // KIND:hex, the strongest that the file has; may be empty
	Publisher string   // may be empty
}

// Error says in a sentence for people why a file gives no download.
type Error struct{ Reason string }

func (e *Error) Error() string { return e.Reason }

func refuse(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Parse reads a file whose kind its content tells. Errors are of type *Error.
func Parse(data []byte) ([]File, error) {
	if len(data) > MaxBytes {
		return nil, refuse("The file is larger than %d MiB; no list of downloads is.", MaxBytes>>20)
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), " \t\r\n")
	switch {
	case bytes.HasPrefix(text, []byte("<")):
		return metalink(text)
	case bytes.HasPrefix(data, []byte("d")):
		return torrent(data)
	}
	return nil, refuse("The file is neither a Metalink nor a torrent.")
}

// isWeb tells whether an address is one of those that we download from.
func isWeb(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && len(raw) <= maxURL && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// components splits a path as either system writes it.
func components(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' })
}

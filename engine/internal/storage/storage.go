// Package storage keeps the bytes of downloads: it reserves a part file, takes pieces, brings them to
// the disk, gives the file its name, and checks what an earlier run left. It must never touch the
// network or the state database, never map a user's file into memory (a truncated one would end the
// process), never write over a file that it did not make, and never call a piece durable whose bytes
// a power cut could take.
//
// A piece goes through three states. Missing: anybody may write blocks of it. Verified: its hash has
// passed, in memory only; further writes are dropped. Durable: its file was flushed and then, in a
// synced transaction of the Marker, the piece was marked. The order of these two is the whole point.
package storage

import (
	"errors"
	"fmt"
	"strings"
)

// partSuffix is appended to the final name while a download is unfinished.
const partSuffix = ".tributary-part"

// Limits of a layout. They bound memory and what one mark makes the state database grow by; a
// manifest's own limits are tighter.
const (
	maxPieces      = 1 << 26
	maxPieceLength = 64 << 20
)

// Layout says how pieces lie in files.
type Layout struct {
	Length      int64      // bytes in all; -1 while unknown: a stream that grows
	PieceLength int64      // bytes of each piece but the last of each file
	Files       []FileSpan // nil: one file with the download's name; else a folder with that name
}

// FileSpan is one file of an object of several. As in BEP 52 each file starts with a piece of its own.
type FileSpan struct {
	Path       []string // components below the object's folder
	Length     int64
	FirstPiece int // number of its first piece; that of the next file if it is empty
}

// pieces returns how many pieces n bytes make.
func (l Layout) pieces(n int64) int64 { return (n + l.PieceLength - 1) / l.PieceLength }

func (l Layout) validate() error {
	if l.PieceLength <= 0 || l.PieceLength > maxPieceLength {
		return fmt.Errorf("piece length %d makes no sense", l.PieceLength)
	}
	if l.Length < -1 || l.Length > maxPieces*l.PieceLength {
		return fmt.Errorf("length %d makes no sense", l.Length)
	}
	if l.Files == nil {
		return nil
	}
	var length, first int64
	for _, f := range l.Files {
		if f.Length < 0 || f.Length > l.Length-length || int64(f.FirstPiece) != first {
			return fmt.Errorf("file %q does not follow the one before", f.Path)
		}
		if len(f.Path) == 0 {
			return errors.New("a file has no name")
		}
		for _, part := range f.Path {
			if err := checkComponent(part); err != nil {
				return err
			}
		}
		length += f.Length
		first += l.pieces(f.Length)
	}
	if length != l.Length || first > maxPieces {
		return fmt.Errorf("files of %d bytes and %d pieces do not make %d bytes", length, first, l.Length)
	}
	return nil
}

// checkComponent refuses what is not one plain name. The rules for pretty and portable names are
// SafeName's and the manifest's; these keep us inside the folder.
func checkComponent(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
		return fmt.Errorf("%q is no file name", name)
	}
	return nil
}

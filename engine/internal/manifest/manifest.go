// Package manifest parses, validates and verifies manifests: BitTorrent v2 metainfo (BEP 52) with the
// publisher's signed terms beside it. A manifest is the most hostile input that the service takes,
// because it chooses names and sizes of files on the user's disk; so a manifest is refused, never
// repaired. The package is pure: it must never touch a file, a socket or a clock.
package manifest

import (
	"sort"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/merkle"
)

// Limits of a manifest, far above what publishers need and below what hurts a downloader.
const (
	MaxBytes       = 16 << 20 // of the manifest itself
	MaxLength      = 8 << 40  // bytes of content
	MaxFiles       = 20_000
	MaxFolders     = 20_000
	MaxEmptyFiles  = 1_000
	MaxPieces      = 262_144
	MinPieceLength = 16 << 10
	MaxPieceLength = 16 << 20
	MaxDepth       = 32   // components of a path
	MaxPath        = 1024 // bytes of a path with Name before it; what the strictest system opens
	maxTerms       = 64 << 10
)

// Manifest is a valid manifest. It does not change; all methods may be called concurrently.
type Manifest struct {
	ID          protocol.ContentID
	Name        string // of the file, or of the folder that holds the files
	PieceLength int64  // bytes
	Length      int64  // bytes of all files, at least 1
	Files       []File // in the order of their pieces
	Single      bool   // one file, called Name; otherwise Name is a folder
	Terms       *protocol.Terms

	pieces int
	raw    []byte
	info   []byte   // aliases raw, as do the following
	roots  [][]byte // for each of Files; nil for an empty one
	hashes [][]byte // for each of Files, those of its pieces one after the other
}

// File is one file of an object. As BEP 52 says, every file begins with a piece of its own.
type File struct {
	Path       []string // components below Name; for a Single manifest just the name
	Length     int64    // bytes
	FirstPiece int      // number, in the whole object, of the piece that the file begins with
	Pieces     int      // 0 for an empty file
}

// Error says in a sentence for people why a manifest is refused.
type Error struct{ Reason string }

func (e *Error) Error() string { return e.Reason }

// Pieces returns the number of pieces.
func (m *Manifest) Pieces() int { return m.pieces }

// PieceSpan returns the file that piece i belongs to and the piece's offset in it, in bytes. It panics
// if there is no piece i.
func (m *Manifest) PieceSpan(i int) (file int, offset int64) {
	if i < 0 || i >= m.pieces {
		panic("manifest: no such piece")
	}
	file = sort.Search(len(m.Files), func(f int) bool { return m.Files[f].FirstPiece+m.Files[f].Pieces > i })
	return file, int64(i-m.Files[file].FirstPiece) * m.PieceLength
}

// PieceSize returns the size of piece i in bytes; the last piece of a file may be shorter than the
// rest. It panics if there is no piece i.
func (m *Manifest) PieceSize(i int) int64 {
	file, offset := m.PieceSpan(i)
	return min(m.PieceLength, m.Files[file].Length-offset)
}

// InfoBytes returns the bencoded info dictionary, of which ID is the hash. The caller must not change it.
func (m *Manifest) InfoBytes() []byte { return m.info }

// Raw returns the bytes that were parsed. The caller must not change them.
func (m *Manifest) Raw() []byte { return m.raw }

// PieceLayers returns BEP 52's "piece layers": for each file longer than a piece, its root and the
// hashes of its pieces one after the other. The map is made for the caller.
func (m *Manifest) PieceLayers() map[string]string {
	layers := map[string]string{}
	for f, file := range m.Files {
		if file.Pieces > 1 {
			layers[string(m.roots[f])] = string(m.hashes[f])
		}
	}
	return layers
}

// Expired reports whether the publisher's terms have ended. A manifest without terms, or whose terms
// have no end, never expires.
func (m *Manifest) Expired(now time.Time) bool {
	return m.Terms != nil && !m.Terms.NotAfter.IsZero() && now.After(m.Terms.NotAfter)
}

func (m *Manifest) leavesPerPiece() int { return int(m.PieceLength / merkle.BlockSize) }

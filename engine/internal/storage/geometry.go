package storage

import (
	"sort"
	"sync/atomic"
)

// geometry answers where a piece lies. All but the length of a stream is immutable.
type geometry struct {
	layout Layout
	spans  []span       // of the files that have bytes, in order
	length atomic.Int64 // -1 while unknown
}

type span struct {
	file   int // index in Layout.Files, 0 for a single file
	first  int // its first piece
	length int64
}

func newGeometry(l Layout) *geometry {
	g := &geometry{layout: l}
	g.length.Store(l.Length)
	for i, f := range l.Files {
		if f.Length > 0 {
			g.spans = append(g.spans, span{file: i, first: f.FirstPiece, length: f.Length})
		}
	}
	return g
}

// files returns how many files there are.
func (g *geometry) files() int {
	if g.layout.Files == nil {
		return 1
	}
	return len(g.layout.Files)
}

// fileLength returns the length of a file, -1 if it is not known yet.
func (g *geometry) fileLength(file int) int64 {
	if g.layout.Files == nil {
		return g.length.Load()
	}
	return g.layout.Files[file].Length
}

// pieces returns the number of pieces, as many as there may be while the length is unknown.
func (g *geometry) pieces() int {
	if g.layout.Files != nil {
		if len(g.spans) == 0 {
			return 0
		}
		last := g.spans[len(g.spans)-1]
		return last.first + int(g.layout.pieces(last.length))
	}
	if n := g.length.Load(); n >= 0 {
		return int(g.layout.pieces(n))
	}
	return maxPieces
}

// at returns the file of piece i, where in it the piece starts, and the piece's length. i must be
// below pieces().
func (g *geometry) at(i int) (file int, offset, length int64) {
	s := span{length: g.length.Load()}
	if g.layout.Files != nil {
		n := sort.Search(len(g.spans), func(n int) bool { return g.spans[n].first > i })
		s = g.spans[n-1]
	}
	offset = int64(i-s.first) * g.layout.PieceLength
	if s.length < 0 {
		return s.file, offset, g.layout.PieceLength
	}
	return s.file, offset, min(g.layout.PieceLength, s.length-offset)
}

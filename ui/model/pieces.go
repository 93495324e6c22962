package model

import "github.com/tributary-dl/tributary/engine/api"

// Piece is what a map shows of one piece, or of a few.
type Piece uint8

const (
	PieceMissing   Piece = iota
	PieceAsked           // some source was asked for it
	PieceHad             // on disk before this run
	PieceFromEdge        // verified
	PieceFromPeers       // verified
	pieceKinds
)

func pieceOf(letter byte) Piece {
	switch letter {
	case api.PieceClaimed, api.PiecePeers:
		return PieceAsked
	case api.PieceHad:
		return PieceHad
	case api.PieceFromEdge:
		return PieceFromEdge
	case api.PieceFromPeer:
		return PieceFromPeers
	}
	return PieceMissing
}

// Condense shrinks a map of one letter a piece to at most cells cells. A cell that stands for several pieces
// shows what most of them are, but is never called complete while one of them is missing.
func Condense(pieces string, cells int) []Piece {
	n := min(len(pieces), cells)
	if n <= 0 {
		return nil
	}
	out := make([]Piece, n)
	for i := range out {
		// Integer bounds that cover every piece once.
		out[i] = commonest(pieces[i*len(pieces)/n : (i+1)*len(pieces)/n])
	}
	return out
}

func commonest(pieces string) Piece {
	var count [pieceKinds]int
	for i := range len(pieces) {
		count[pieceOf(pieces[i])]++
	}
	switch {
	case count[PieceAsked] > 0:
		return PieceAsked
	case count[PieceMissing] > 0:
		return PieceMissing
	}
	best := PieceHad
	for kind := PieceHad; kind < pieceKinds; kind++ {
		if count[kind] > count[best] {
			best = kind
		}
	}
	return best
}

// PieceCount counts the letters of a map.
func PieceCount(pieces string) (count [5]int) {
	for i := range len(pieces) {
		count[pieceOf(pieces[i])]++
	}
	return count
}

// Package merkle computes the SHA-256 trees of BEP 52: leaves are 16 KiB blocks, a missing block or
// subtree counts as zeros. It is pure and must never allocate in proportion to the data it hashes.
package merkle

import (
	"crypto/sha256"
	"hash"
)

// BlockSize is the size of a leaf in bytes.
const BlockSize = 16 << 10

// Size of a hash in bytes.
const Size = sha256.Size

// Hash is a node of a tree.
type Hash = [Size]byte

// Hasher computes the root over a stream of bytes. The zero value is ready; it is not safe for
// concurrent use.
type Hasher struct {
	block  hash.Hash
	filled int // bytes in the current block
	leaves stack
}

// Write adds bytes. It never fails.
func (h *Hasher) Write(p []byte) (int, error) {
	n := len(p)
	if h.block == nil {
		h.block = sha256.New()
	}
	for len(p) > 0 {
		k := min(len(p), BlockSize-h.filled)
		h.block.Write(p[:k])
		p, h.filled = p[k:], h.filled+k
		if h.filled == BlockSize {
			h.leaf()
		}
	}
	return n, nil
}

func (h *Hasher) leaf() {
	var sum Hash
	h.block.Sum(sum[:0])
	h.block.Reset()
	h.filled = 0
	h.leaves.push(sum)
}

// Root returns the root of the tree over what was written, padded with zero leaves to at least
// minLeaves and to a power of two, and resets the hasher. For a piece of a file longer than the piece
// length, minLeaves is piece length / BlockSize; for a whole smaller file it is 1.
func (h *Hasher) Root(minLeaves int) Hash {
	if h.filled > 0 {
		h.leaf()
	}
	return h.leaves.fold(minLeaves, Hash{})
}

// stack holds the complete subtrees over the nodes pushed so far, so that a tree of any width needs
// memory only for its height.
type stack struct {
	count int    // nodes pushed
	roots []Hash // largest subtree first; bit k of count says whether one of 2^k nodes stands
}

func (s *stack) push(sum Hash) {
	s.count++
	for k := s.count; k&1 == 0; k >>= 1 {
		sum = join(s.pop(), sum)
	}
	s.roots = append(s.roots, sum)
}

func (s *stack) pop() Hash {
	top := s.roots[len(s.roots)-1]
	s.roots = s.roots[:len(s.roots)-1]
	return top
}

// fold returns the root over the nodes, padded with pad to at least minNodes and to a power of two, and
// empties the stack. It joins the subtrees from the smallest, with subtrees of padding between them.
func (s *stack) fold(minNodes int, pad Hash) Hash {
	width := 1
	for width < minNodes || width < s.count {
		width <<= 1
	}
	var sum Hash
	have := false
	for size := 1; size < width; size <<= 1 { // sum and pad are roots of this many nodes
		switch full := s.count&size != 0; {
		case full && have:
			sum = join(s.pop(), sum)
		case full:
			sum, have = join(s.pop(), pad), true
		case have:
			sum = join(sum, pad)
		}
		pad = join(pad, pad)
	}
	if s.count == width {
		sum, have = s.pop(), true
	}
	s.count = 0
	if !have {
		return pad
	}
	return sum
}

func zeroRoot(width int) Hash {
	var z Hash
	for ; width > 1; width >>= 1 {
		z = join(z, z)
	}
	return z
}

func join(a, b Hash) Hash {
	var both [2 * Size]byte
	copy(both[:], a[:])
	copy(both[Size:], b[:])
	return sha256.Sum256(both[:])
}

// Layer computes a root over a layer of piece hashes ("piece layers" of BEP 52), added one by one.
type Layer struct {
	hashes stack
	pad    Hash
}

// NewLayer returns a Layer for pieces that are each the root of leavesPerPiece leaves.
func NewLayer(leavesPerPiece int) *Layer { return &Layer{pad: zeroRoot(leavesPerPiece)} }

// Add adds the hash of the next piece.
func (l *Layer) Add(piece Hash) { l.hashes.push(piece) }

// Root returns the root over what was added, padded with roots of zero leaves to a power of two, and
// empties the layer. The root over nothing is zero.
func (l *Layer) Root() Hash {
	if l.hashes.count == 0 {
		return Hash{}
	}
	return l.hashes.fold(1, l.pad)
}

// LayerRoot returns the Root of a Layer with these piece hashes.
func LayerRoot(layer []Hash, leavesPerPiece int) Hash {
	l := NewLayer(leavesPerPiece)
	for _, piece := range layer {
		l.Add(piece)
	}
	return l.Root()
}

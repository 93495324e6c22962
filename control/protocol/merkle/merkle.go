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
	leaves int
	stack  []Hash // complete subtrees, largest first; bit k of leaves says whether one of 2^k leaves stands
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
	h.leaves++
	for k := h.leaves; k&1 == 0; k >>= 1 {
		top := len(h.stack) - 1
		sum = join(h.stack[top], sum)
		h.stack = h.stack[:top]
	}
	h.stack = append(h.stack, sum)
}

// Root returns the root of the tree over what was written, padded with zero leaves to at least
// minLeaves and to a power of two, and resets the hasher. For a piece of a file longer than the piece
// length, minLeaves is piece length / BlockSize; for a whole smaller file it is 1.
func (h *Hasher) Root(minLeaves int) Hash {
	if h.filled > 0 {
		h.leaf()
	}
	width := 1
	for width < minLeaves || width < h.leaves {
		width <<= 1
	}
	root := h.fold(width)
	h.leaves, h.stack = 0, h.stack[:0]
	return root
}

// fold joins the stack's subtrees, from the smallest, with subtrees of zero leaves between them.
func (h *Hasher) fold(width int) Hash {
	var sum, zero Hash // zero: root of `size` zero leaves
	size, have := 1, false
	for k := h.leaves; size < width || k > 0; size <<= 1 {
		if k&1 == 1 {
			top := len(h.stack) - 1
			left := h.stack[top]
			h.stack = h.stack[:top]
			switch {
			case have:
				sum = join(left, sum)
			case size >= width:
				return left
			default:
				sum, have = join(left, zero), true
			}
		} else if have {
			sum = join(sum, zero)
		}
		zero = join(zero, zero)
		k >>= 1
		if size >= width {
			break
		}
	}
	if !have {
		return zeroRoot(width)
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

// LayerRoot returns the root over a layer of piece hashes ("piece layers" of BEP 52), each the root of
// leavesPerPiece leaves, padded with roots of zero leaves to a power of two.
func LayerRoot(layer []Hash, leavesPerPiece int) Hash {
	pad := zeroRoot(leavesPerPiece)
	nodes := append([]Hash(nil), layer...)
	for len(nodes) > 1 {
		if len(nodes)%2 == 1 {
			nodes = append(nodes, pad)
		}
		for i := range len(nodes) / 2 {
			nodes[i] = join(nodes[2*i], nodes[2*i+1])
		}
		nodes = nodes[:len(nodes)/2]
		pad = join(pad, pad)
	}
	if len(nodes) == 0 {
		return Hash{}
	}
	return nodes[0]
}

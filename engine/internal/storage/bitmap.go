package storage

import "math/bits"

// Bitmap is a set of pieces in the order of BEP 3: piece 0 is the highest bit of the first byte.
// Pieces beyond its end are not in the set.
type Bitmap []byte

// Has reports whether piece i is in the set.
func (b Bitmap) Has(i int) bool {
	return i >= 0 && i/8 < len(b) && b[i/8]&(0x80>>(i%8)) != 0
}

// Count returns how many pieces are in the set.
func (b Bitmap) Count() int {
	n := 0
	for _, x := range b {
		n += bits.OnesCount8(x)
	}
	return n
}

// set puts piece i in and grows the set where needed.
func (b *Bitmap) set(i int) {
	if need := i/8 + 1 - len(*b); need > 0 {
		*b = append(*b, make([]byte, need)...)
	}
	(*b)[i/8] |= 0x80 >> (i % 8)
}

func (b Bitmap) clear(i int) {
	if i/8 < len(b) {
		b[i/8] &^= 0x80 >> (i % 8)
	}
}

// last returns the highest piece in the set, -1 if it is empty.
func (b Bitmap) last() int {
	for n := len(b) - 1; n >= 0; n-- {
		if b[n] != 0 {
			return n*8 + 7 - bits.TrailingZeros8(b[n])
		}
	}
	return -1
}

// all returns the pieces in the set, in order.
func (b Bitmap) all() []int {
	pieces := make([]int, 0, b.Count())
	for i := range len(b) * 8 {
		if b.Has(i) {
			pieces = append(pieces, i)
		}
	}
	return pieces
}

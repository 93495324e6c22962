package swarm

import "math/bits"

// bitset is a set of piece numbers. Its length is fixed when it is made.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (b bitset) has(i int) bool { return b[i>>6]&(1<<(i&63)) != 0 }
func (b bitset) add(i int)      { b[i>>6] |= 1 << (i & 63) }
func (b bitset) remove(i int)   { b[i>>6] &^= 1 << (i & 63) }

func (b bitset) count() (n int) {
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// common calls yield for pieces that are in both sets, from the given 64 pieces on and around, until
// yield returns false.
func (b bitset) common(other bitset, from int, yield func(i int) bool) {
	for k := range b {
		word := (from + k) % len(b)
		for w := b[word] & other[word]; w != 0; w &= w - 1 {
			if !yield(word<<6 + bits.TrailingZeros64(w)) {
				return
			}
		}
	}
}

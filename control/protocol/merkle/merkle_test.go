package merkle

import (
	"crypto/sha256"
	"math/rand/v2"
	"testing"
)

// naive is the definition, written out.
func naive(data []byte, minLeaves int) Hash {
	var nodes []Hash
	for i := 0; i < len(data); i += BlockSize {
		nodes = append(nodes, sha256.Sum256(data[i:min(len(data), i+BlockSize)]))
	}
	width := 1
	for width < minLeaves || width < len(nodes) {
		width <<= 1
	}
	nodes = append(nodes, make([]Hash, width-len(nodes))...)
	for len(nodes) > 1 {
		for i := range len(nodes) / 2 {
			nodes[i] = join(nodes[2*i], nodes[2*i+1])
		}
		nodes = nodes[:len(nodes)/2]
	}
	return nodes[0]
}

func TestRootEqualsTheDefinition(t *testing.T) {
	data := make([]byte, 40*BlockSize)
	rand.NewChaCha8([32]byte{1}).Read(data)
	for leaves := range 40 {
		for _, extra := range []int{0, 1, BlockSize - 1} {
			for _, min := range []int{1, 2, 8, 64} {
				in := data[:leaves*BlockSize+extra]
				var h Hasher
				for rest := in; len(rest) > 0; { // odd pieces, as they come from a network
					k := 1 + rand.IntN(len(rest))
					h.Write(rest[:k])
					rest = rest[k:]
				}
				if got, want := h.Root(min), naive(in, min); got != want {
					t.Fatalf("Root of %d bytes, at least %d leaves: %x; want %x", len(in), min, got, want)
				}
			}
		}
	}
}

func TestLayerRootJoinsPieces(t *testing.T) {
	data := make([]byte, 11*4*BlockSize-5)
	rand.NewChaCha8([32]byte{3}).Read(data)
	var layer []Hash
	for i := 0; i < len(data); i += 4 * BlockSize {
		var h Hasher
		h.Write(data[i:min(len(data), i+4*BlockSize)])
		layer = append(layer, h.Root(4))
	}
	if got, want := LayerRoot(layer, 4), naive(data, 1); got != want {
		t.Errorf("LayerRoot = %x; want %x", got, want)
	}
}

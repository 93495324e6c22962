package manifest

import (
	"bytes"
	"sync"

	"github.com/tributary-dl/tributary/control/protocol/bencode"
	"github.com/tributary-dl/tributary/control/protocol/merkle"
)

// checkLayers gives every file the hashes of its pieces and checks that they lead to the file's root, so
// that no piece can be verified against a hash that the content ID does not cover.
func (p *parser) checkLayers() error {
	m := p.m
	m.hashes = make([][]byte, len(m.Files))
	for f, file := range m.Files {
		root := m.roots[f]
		if file.Pieces <= 1 {
			m.hashes[f] = root // a file of at most a piece is its own piece
			continue
		}
		layer := p.layers[string(root)]
		if len(layer) != file.Pieces*merkle.Size {
			return refuse("the hashes of the pieces of %.80q are missing or of the wrong number", file.Path[len(file.Path)-1])
		}
		m.hashes[f] = layer
	}
	for root, layer := range p.layers { // once for each, however many files name the same root
		sum := layerRoot(layer, m.leavesPerPiece())
		if root != string(sum[:]) {
			return refuse("the hashes of a file's pieces do not lead to its root hash")
		}
	}
	return nil
}

// readLayers fills in p.layers from "piece layers", which may hold nothing else.
func (p *parser) readLayers(r *bencode.Reader) error {
	return r.Dict(func(root []byte) error {
		if _, wanted := p.layers[string(root)]; !wanted {
			return refuse("the manifest has hashes that belong to no file")
		}
		layer, err := r.Bytes()
		p.layers[string(root)] = layer
		return err
	})
}

// layerRoot returns the root over the hashes of a file's pieces, which stand one after the other.
func layerRoot(layer []byte, leavesPerPiece int) merkle.Hash {
	l := merkle.NewLayer(leavesPerPiece)
	for ; len(layer) >= merkle.Size; layer = layer[merkle.Size:] {
		l.Add(merkle.Hash(layer[:merkle.Size]))
	}
	return l.Root()
}

// hashers saves Verify a hasher's memory each time.
var hashers = sync.Pool{New: func() any { return new(merkle.Hasher) }}

// Verify reports whether data is piece i. Wrong data, data of the wrong length and a piece that does
// not exist are all just false.
func (m *Manifest) Verify(i int, data []byte) bool {
	if i < 0 || i >= m.pieces || int64(len(data)) != m.PieceSize(i) {
		return false
	}
	f, _ := m.PieceSpan(i)
	file := m.Files[f]
	leaves := 1 // the tree of a file of one piece is only as wide as its blocks need
	if file.Pieces > 1 {
		leaves = m.leavesPerPiece()
	}
	want := m.hashes[f][(i-file.FirstPiece)*merkle.Size:][:merkle.Size]
	hasher := hashers.Get().(*merkle.Hasher)
	hasher.Write(data)
	root := hasher.Root(leaves)
	hashers.Put(hasher)
	return bytes.Equal(root[:], want)
}

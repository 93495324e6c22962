package peering

import (
	"fmt"
	"sync"

	"github.com/tributary-dl/tributary/engine/internal/manifest"
	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// checkedPieces is an object's storage as the swarm sees it. A piece that was verified in an earlier run
// is hashed once more before it first leaves: the disk may have lied, or another program changed the file.
type checkedPieces struct {
	*storage.Object
	manifest *manifest.Manifest
	failed   func(error) // called when a piece is not what it was; must not wait

	mu      sync.Mutex
	checked map[int]bool // read back in this run, and right
}

func newCheckedPieces(o *storage.Object, m *manifest.Manifest, failed func(error)) *checkedPieces {
	return &checkedPieces{Object: o, manifest: m, failed: failed, checked: map[int]bool{}}
}

// ReadAt reads of piece i. Of a verified piece that was not checked in this run it reads all, and refuses
// to give any of it if the hash does not fit.
func (c *checkedPieces) ReadAt(b []byte, i int, off int64) (int, error) {
	c.mu.Lock()
	known := c.checked[i]
	c.mu.Unlock()
	if known || !c.Verified(i) {
		return c.Object.ReadAt(b, i, off)
	}
	piece := make([]byte, c.manifest.PieceSize(i))
	if _, err := c.Object.ReadAt(piece, i, 0); err != nil {
		return 0, err
	}
	if !c.manifest.Verify(i, piece) {
		err := fmt.Errorf("piece %d: %w", i, storage.ErrTouched)
		c.failed(err)
		return 0, err
	}
	c.mu.Lock()
	c.checked[i] = true
	c.mu.Unlock()
	if off < 0 || off+int64(len(b)) > int64(len(piece)) {
		return 0, fmt.Errorf("piece %d has no %d bytes at %d", i, len(b), off)
	}
	return copy(b, piece[off:]), nil
}

package download

import (
	"context"
	"io"

	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// geometry says where pieces lie in a single file.
type geometry struct {
	unit   int64 // piece length in bytes
	length int64 // of the file
}

func (a *actor) geometry() geometry {
	l := a.layout()
	return geometry{unit: l.PieceLength, length: l.Length}
}

func (g geometry) pieces() int {
	if g.length < 0 {
		return 0
	}
	return int((g.length + g.unit - 1) / g.unit)
}

func (g geometry) offset(i int) int64 { return int64(i) * g.unit }

func (g geometry) size(i int) int64 { return min(g.unit, g.length-g.offset(i)) }

// readAll gives a verified file's bytes to w, in order.
func readAll(ctx context.Context, file *storage.Object, unit int64, w io.Writer) error {
	p := file.Progress()
	g := geometry{unit, p.Length}
	buffer := make([]byte, unit)
	for i := range g.pieces() {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := buffer[:g.size(i)]
		if _, err := file.ReadAt(b, i, 0); err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

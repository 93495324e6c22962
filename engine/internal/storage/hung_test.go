package storage

import (
	"context"
	"errors"
	"testing"
	"time"
)

// Outside a bubble, because a goroutine that waits for a lock lets fake time stand still.
func TestCloseOfAHungDiskIsBounded(t *testing.T) {
	b := newBench(t)
	disk := &gate{name: "d"}
	b.Committer.open = func(path string) (f folder, err error) {
		disk.folder, err = openFolder(path)
		return disk, err
	}
	o := b.create("f", Layout{Length: 30, PieceLength: 10})
	disk.sync = make(chan struct{})
	must(t, o.WritePiece(0, make([]byte, 10)))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := o.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close = %v; want the deadline", err)
	}
	close(disk.sync)
}

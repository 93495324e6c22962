package storage

import (
	"context"
	"errors"
	"testing"
	"time"
)

// gated puts the bench's files behind a gate.
func (b *bench) gated() *gate {
	disk := &gate{name: "d"}
	b.Committer.open = func(path string) (f folder, err error) {
		disk.folder, err = openFolder(path)
		return disk, err
	}
	return disk
}

// Outside a bubble, because a goroutine that waits for a lock lets fake time stand still.
func TestCloseOfAHungDiskIsBounded(t *testing.T) {
	b := newBench(t)
	disk := b.gated()
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

// Closing, and deleting, lets go whoever waits for room that a hung disk does not give.
func TestCloseLetsGoWhoeverWaitsForRoom(t *testing.T) {
	for name, end := range map[string]func(*Object){
		"Close": func(o *Object) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			o.Close(ctx)
		},
		"Discard": func(o *Object) { o.Discard() },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			disk := b.gated()
			o := b.create("f", Layout{Length: 30, PieceLength: 10})
			o.lane.room = 10
			disk.sync = make(chan struct{})
			must(t, o.WritePiece(0, make([]byte, 10)))
			written := make(chan error)
			go func() { written <- o.WritePiece(1, make([]byte, 10)) }()
			waiting := func() bool {
				o.lane.mu.Lock()
				defer o.lane.mu.Unlock()
				return o.lane.freed != nil
			}
			for !waiting() {
				time.Sleep(time.Millisecond)
			}
			ended := make(chan struct{})
			go func() { end(o); close(ended) }()
			if err := <-written; !errors.Is(err, ErrClosed) {
				t.Errorf("WritePiece = %v; want ErrClosed", err)
			}
			close(disk.sync)
			<-ended
		})
	}
}

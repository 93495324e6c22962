package storage

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// gate is a disk of its own whose flushes and writes wait while it is closed.
type gate struct {
	folder
	name  string
	sync  chan struct{} // nil: flushes pass; else each waits for one value or the end
	write chan struct{}
}

func (g *gate) Volume() (volume, error) {
	v, err := g.folder.Volume()
	v.id = g.name
	return v, err
}

func (g *gate) Create(name string) (file, error)           { return g.file(g.folder.Create(name)) }
func (g *gate) Open(name string, write bool) (file, error) { return g.file(g.folder.Open(name, write)) }

func (g *gate) file(f file, err error) (file, error) { return &gateFile{f, g}, err }

type gateFile struct {
	file
	g *gate
}

func (f *gateFile) Sync() error {
	if f.g.sync != nil {
		<-f.g.sync
	}
	return f.file.Sync()
}

func (f *gateFile) WriteAt(b []byte, off int64) (int, error) {
	if f.g.write != nil {
		<-f.g.write
	}
	return f.file.WriteAt(b, off)
}

// bubble runs a test in fake time, on disks that are gates.
func bubble(t *testing.T, disks map[string]*gate, test func(t *testing.T, b *bench)) {
	root := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.dir = root
		b.Committer.open = func(path string) (folder, error) {
			f, err := openFolder(root)
			g := disks[filepath.Base(path)]
			if g == nil || err != nil {
				return f, err
			}
			g.folder, g.name = f, filepath.Base(path)
			return g, nil
		}
		test(t, b)
		if err := b.Committer.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestCommitWaitsForCompany(t *testing.T) {
	bubble(t, nil, func(t *testing.T, b *bench) {
		o := b.create("f", Layout{Length: 1000, PieceLength: 10})
		piece := make([]byte, 10)
		must(t, o.WritePiece(0, piece))
		time.Sleep(commitDelay - 1)
		synctest.Wait()
		if o.Durable(0) {
			t.Error("a single piece was committed before its time")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if !o.Durable(0) || !b.marks.of("f").Has(0) {
			t.Error("a single piece was not committed in time")
		}
		if timer := o.lane.timer.Stop(); timer {
			t.Error("the committer wakes up with nothing to do")
		}
		for i := range commitPieces {
			must(t, o.WritePiece(1+i, piece))
		}
		synctest.Wait()
		if got := o.Progress().Durable; got != 1+commitPieces {
			t.Errorf("%d pieces are durable; want %d at once", got, 1+commitPieces)
		}
		must(t, o.Close(t.Context()))
	})
}

func TestCommitOfBigPiecesIsNotDelayed(t *testing.T) {
	bubble(t, nil, func(t *testing.T, b *bench) {
		const size = 16 << 20
		o := b.create("f", Layout{Length: 5 * size, PieceLength: size})
		o.lane.room = mostRoom // or they would go in smaller portions
		piece := make([]byte, size)
		for i := range commitBytes / size {
			must(t, o.WritePiece(i, piece))
		}
		synctest.Wait()
		if got := o.Progress().DurableLength; got != commitBytes {
			t.Errorf("%d bytes are durable; want %d at once", got, commitBytes)
		}
		must(t, o.Close(t.Context()))
	})
}

func TestMarksAreTriedAgain(t *testing.T) {
	bubble(t, nil, func(t *testing.T, b *bench) {
		o := b.create("f", Layout{Length: 30, PieceLength: 10})
		broken := errors.New("no database")
		b.marks.fail(broken)
		must(t, o.WritePiece(0, make([]byte, 10)))
		if err := o.flush(t.Context()); !errors.Is(err, broken) {
			t.Errorf("flush = %v; want the marker's error", err)
		}
		must(t, o.WritePiece(1, make([]byte, 10)))
		b.marks.fail(nil)
		time.Sleep(markRetry)
		synctest.Wait()
		if got := draw(b.marks.of("f").Has, 3); got != "##." {
			t.Errorf("marked %s; want ##.", got)
		}
		must(t, o.Close(t.Context()))
	})
}

// A write that begins while a flush is under way is not covered by that flush.
func TestWriteDuringAFlush(t *testing.T) {
	disk := &gate{}
	bubble(t, map[string]*gate{"d": disk}, func(t *testing.T, b *bench) {
		b.dir = filepath.Join(b.dir, "d")
		o := b.create("f", Layout{Length: 30, PieceLength: 10})
		must(t, o.WritePiece(0, make([]byte, 10)), o.flush(t.Context()))

		disk.sync, disk.write = make(chan struct{}), make(chan struct{})
		written := make(chan error)
		go func() { written <- o.WritePiece(1, make([]byte, 10)) }()
		synctest.Wait() // it waits in WriteAt
		go func() { written <- o.files.list[0].flush(o.files.list[0].file) }()
		synctest.Wait() // it waits in Sync
		close(disk.write)
		must(t, <-written)
		disk.sync <- struct{}{}
		must(t, <-written)

		time.Sleep(commitDelay)
		synctest.Wait()
		if o.Durable(1) {
			t.Error("a piece is durable that was written during the last flush")
		}
		close(disk.sync)
		synctest.Wait()
		if !o.Durable(1) {
			t.Error("the piece was not flushed again")
		}
		must(t, o.Close(t.Context()))
	})
}

func TestHungFlushIsALostVolume(t *testing.T) {
	hung, fine := &gate{}, &gate{}
	bubble(t, map[string]*gate{"hung": hung, "fine": fine}, func(t *testing.T, b *bench) {
		root := b.dir
		b.dir = filepath.Join(root, "hung")
		h := b.create("h", Layout{Length: 30, PieceLength: 10})
		b.dir = filepath.Join(root, "fine")
		f := b.create("f", Layout{Length: 30, PieceLength: 10})

		hung.sync = make(chan struct{})
		must(t, h.WritePiece(0, make([]byte, 10)), f.WritePiece(0, make([]byte, 10)))
		time.Sleep(commitDelay)
		synctest.Wait()
		if !f.Durable(0) {
			t.Error("a disk that hangs stopped another one")
		}
		time.Sleep(hungAfter - 1)
		synctest.Wait()
		must(t, h.Err())
		time.Sleep(time.Millisecond) // for its ten bytes
		synctest.Wait()
		if err := h.Err(); !errors.Is(err, ErrVolumeLost) {
			t.Errorf("Err = %v; want ErrVolumeLost", err)
		}
		if err := <-b.failed; !errors.Is(err, ErrVolumeLost) {
			t.Errorf("Failed was told %v; want ErrVolumeLost", err)
		}
		close(hung.sync) // it answers after all
		synctest.Wait()
		if b.marks.of("h").Has(0) {
			t.Error("a piece was marked although its object had failed")
		}
		must(t, f.Close(t.Context()))
		h.Close(t.Context())
	})
}

func TestHungWritesDoNotPileUp(t *testing.T) {
	disk := &gate{}
	bubble(t, map[string]*gate{"d": disk}, func(t *testing.T, b *bench) {
		b.dir = filepath.Join(b.dir, "d")
		o := b.create("f", Layout{Length: 300, PieceLength: 10})
		_, err := o.ReadAt(make([]byte, 1), 0, 0) // opens the file, else two of the writers may want to
		must(t, err)
		disk.write = make(chan struct{})
		results := make(chan error, workers+1)
		for i := range workers {
			go func() { results <- o.WritePiece(i, make([]byte, 10)) }()
		}
		synctest.Wait()
		start := time.Now()
		if err := o.WritePiece(workers, make([]byte, 10)); !errors.Is(err, ErrVolumeLost) {
			t.Errorf("a further write = %v; want ErrVolumeLost", err)
		}
		if waited := time.Since(start); waited != hungAfter {
			t.Errorf("it waited %v; want %v", waited, hungAfter)
		}
		close(disk.write)
		for range workers {
			must(t, <-results)
		}
		must(t, o.Close(t.Context()))
	})
}

// BenchmarkWritePiece is the promise of 800 MB/s to the page cache, with no memory per piece.
func BenchmarkWritePiece(b *testing.B) {
	const size = 1 << 20
	c := NewCommitter(Config{Marker: &marks{sets: map[string]Bitmap{}}, Log: slog.New(slog.DiscardHandler)})
	defer c.Close(b.Context())
	o, err := c.Create(b.Context(), "f", b.TempDir(), "f", Layout{Length: 1024 * size, PieceLength: size})
	must(b, err)
	defer o.Close(b.Context())
	piece := content(size)
	b.SetBytes(size)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i > 0 && i%1024 == 0 {
			b.StopTimer()
			must(b, o.flush(b.Context()))
			o.mu.Lock()
			o.verified, o.durable = nil, nil
			o.mu.Unlock()
			b.StartTimer()
		}
		must(b, o.WritePiece(i%1024, piece))
	}
}

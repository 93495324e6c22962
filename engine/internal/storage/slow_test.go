package storage

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// snail is a disk that takes bytes at once, into memory, and brings them to its platters at a rate, when it is told to
// flush. What it reads are zeros.
type snail struct {
	folder
	mu      sync.Mutex
	rate    float64       // bytes a second
	delay   time.Duration // of each flush
	hangs   chan struct{} // nil: flushes work; else they wait for its end
	dirty   int64
	most    int64         // that dirty has been
	longest time.Duration // that a flush took
	flushes int
}

func (s *snail) hang() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangs = make(chan struct{})
}

// heal ends what hangs, and returns when all that the disk had been told to flush is flushed: a Close before would wait
// for a lock, and that lets fake time stand still.
func (s *snail) heal() {
	s.mu.Lock()
	close(s.hangs)
	s.hangs = nil
	s.mu.Unlock()
	time.Sleep(10 * time.Minute)
}

func (s *snail) Create(name string) (file, error) { return s.file(s.folder.Create(name)) }
func (s *snail) Open(name string, write bool) (file, error) {
	return s.file(s.folder.Open(name, write))
}
func (s *snail) file(f file, err error) (file, error) { return &snailFile{f, s}, err }

type snailFile struct {
	file
	s *snail
}

func (f *snailFile) WriteAt(b []byte, _ int64) (int, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.s.dirty += int64(len(b))
	f.s.most = max(f.s.most, f.s.dirty)
	return len(b), nil
}

func (f *snailFile) ReadAt(b []byte, _ int64) (int, error) { return len(b), nil }

func (f *snailFile) Sync() error {
	f.s.mu.Lock()
	takes := time.Duration(float64(f.s.dirty) / f.s.rate * float64(time.Second))
	takes += f.s.delay
	f.s.dirty = 0
	f.s.longest = max(f.s.longest, takes)
	f.s.flushes++
	hangs := f.s.hangs
	f.s.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
	time.Sleep(takes)
	return nil
}

func (f *snailFile) Data(from int64) (start, end int64, err error) { return from, 1 << 62, nil }

// crawl runs a test in fake time, on a disk of so many bytes a second.
func crawl(t *testing.T, rate float64, test func(t *testing.T, b *bench, disk *snail)) {
	root := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.dir = root
		disk := &snail{rate: rate}
		b.Committer.open = func(path string) (f folder, err error) {
			disk.folder, err = openFolder(path)
			return disk, err
		}
		test(t, b, disk)
	})
}

// A line may be as much faster than the disk as it likes: the disk does not count as gone, little is under way to it, and
// it never rests.
func TestLineFasterThanTheDisk(t *testing.T) {
	for name, c := range map[string]struct {
		line, disk    float64 // bytes a second
		piece, pieces int64
		writers       int
	}{
		"1 Gbit/s and a slow hard disk":   {110e6, 40e6, 1 << 20, 2048, 1},
		"memory and a memory stick":       {1e12, 1e6, 1 << 20, 256, 8},
		"large pieces and a memory card":  {110e6, 500e3, 16 << 20, 16, 8},
		"ADSL and a drive behind a radio": {2e6, 200e3, 256 << 10, 128, 4},
		"a line slower than a slow disk":  {1e6, 2e6, 1 << 20, 64, 2},
	} {
		t.Run(name, func(t *testing.T) {
			crawl(t, c.disk, func(t *testing.T, b *bench, disk *snail) {
				o := b.create("f", Layout{Length: c.piece * c.pieces, PieceLength: c.piece})
				data := make([]byte, c.piece)
				start := time.Now()
				next := make(chan int)
				var writers sync.WaitGroup
				for range c.writers {
					writers.Go(func() {
						for i := range next {
							if err := o.WritePiece(i, data); err != nil {
								t.Error(err)
							}
						}
					})
				}
				for i := range int(c.pieces) {
					time.Sleep(time.Duration(float64(c.piece) / c.line * float64(time.Second)))
					next <- i
				}
				close(next)
				writers.Wait()
				_, err := o.Finish(t.Context(), noHook)
				took := time.Since(start)
				must(t, err, o.Close(t.Context()), b.Committer.Close(t.Context()))
				ideal := time.Duration(float64(c.piece*c.pieces) / min(c.line, c.disk) * float64(time.Second))
				t.Logf("%v, ideally %v; the longest of %d flushes took %v, at most %d MB were not flushed", took, ideal, disk.flushes, disk.longest, disk.most/1e6)
				if took > ideal*11/10+time.Second {
					t.Errorf("it took %v; want %v and a tenth", took, ideal)
				}
			})
		})
	}
}

// fill writes pieces until one fails.
func fill(o *Object, pieces int, piece []byte) error {
	for i := range pieces {
		if err := o.WritePiece(i, piece); err != nil {
			return err
		}
	}
	return nil
}

// A disk that takes its time for each flush, and little for its bytes, gets larger ones.
func TestDiskWithSlowFlushes(t *testing.T) {
	crawl(t, 100e6, func(t *testing.T, b *bench, disk *snail) {
		const size, pieces = 1 << 20, 2048
		disk.delay = 300 * time.Millisecond
		o := b.create("f", Layout{Length: size * pieces, PieceLength: size})
		start := time.Now()
		must(t, fill(o, pieces, make([]byte, size)), o.flush(t.Context()))
		took := time.Since(start)
		t.Logf("%v: %.0f MB/s", took, size*pieces/took.Seconds()/1e6)
		if took > 40*time.Second {
			t.Errorf("it took %v; without any delay it takes 21 s", took)
		}
		must(t, o.Close(t.Context()), b.Committer.Close(t.Context()))
	})
}

// After a slow disk has hung, what is found on it is written again in portions that it can flush.
func TestAfterASlowDiskHasHung(t *testing.T) {
	const size, pieces = 64 << 10, 640
	crawl(t, 1e6, func(t *testing.T, b *bench, disk *snail) {
		l := Layout{Length: size * pieces, PieceLength: size}
		o := b.create("f", l)
		disk.hang()
		start := time.Now()
		err := fill(o, pieces, make([]byte, size))
		if !errors.Is(err, ErrVolumeLost) || !errors.Is(o.Err(), ErrVolumeLost) {
			t.Errorf("writing = %v, and then Err = %v; want ErrVolumeLost", err, o.Err())
		}
		if after := time.Since(start); after > hungAfter+2*roomPatience {
			t.Errorf("the disk counts as gone after %v", after)
		}
		disk.heal()
		if err := o.Close(t.Context()); !errors.Is(err, ErrVolumeLost) {
			t.Errorf("Close = %v; want what is wrong", err)
		}
		<-b.failed

		o = b.reopen("f", o.Identity(), l, false)
		doubtful, err := o.Doubtful()
		must(t, err)
		if len(doubtful) != pieces {
			t.Errorf("%d pieces are doubtful; want all %d", len(doubtful), pieces)
		}
		start = time.Now()
		_, err = o.Recheck(t.Context(), doubtful, func(int, []byte) bool { return true })
		must(t, err, o.flush(t.Context()))
		if p, took := o.Progress(), time.Since(start); p.Durable != pieces || took > time.Minute || len(b.failed) > 0 {
			t.Errorf("after %v %d of %d pieces are durable, and there were %d failures", took, p.Durable, pieces, len(b.failed))
		}
		must(t, o.Close(t.Context()), b.Committer.Close(t.Context()))
	})
}

// A piece is all that a disk has to flush, and it does not answer.
func TestHungDiskWithLittleToDo(t *testing.T) {
	crawl(t, 100e6, func(t *testing.T, b *bench, disk *snail) {
		const size = 1 << 20
		o := b.create("f", Layout{Length: 500 * size, PieceLength: size})
		must(t, fill(o, 400, make([]byte, size)), o.flush(t.Context()))
		disk.hang()
		start := time.Now()
		must(t, o.WritePiece(400, make([]byte, size)))
		if err := <-b.failed; !errors.Is(err, ErrVolumeLost) {
			t.Errorf("Failed was told %v; want ErrVolumeLost", err)
		}
		if after := time.Since(start); after < hungAfter || after > hungAfter+2*time.Second {
			t.Errorf("the disk counts as gone after %v; want about %v", after, hungAfter)
		}
		disk.heal()
		o.Close(t.Context())
		must(t, b.Committer.Close(t.Context()))
	})
}

// Whoever waits for room that a disk does not give is let go, by whatever ends the wait.
func TestWaitingForRoomEnds(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		end   func(o *Object, cancel func())
		piece error // what WritePiece returns; nil: it writes all the same
	}{
		"failed":           {func(o *Object, _ func()) { o.fail(broken) }, broken},
		"StopWaiting":      {func(o *Object, _ func()) { o.StopWaiting() }, nil},
		"cancelled":        {func(o *Object, cancel func()) { cancel(); o.StopWaiting() }, nil},
		"the disk is gone": {func(*Object, func()) { time.Sleep(hungAfter + 2*roomPatience) }, ErrVolumeLost},
	} {
		t.Run(name, func(t *testing.T) {
			crawl(t, 1e6, func(t *testing.T, b *bench, disk *snail) {
				const size = 1 << 20
				o := b.create("f", Layout{Length: 200 * size, PieceLength: size})
				disk.hang()
				must(t, fill(o, firstRoom/size, make([]byte, size)))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				results := make(chan error, 3)
				go func() { results <- o.WritePiece(100, make([]byte, size)) }()
				go func() { o.AwaitRoom(ctx); results <- c.piece }()
				go func() {
					_, err := o.Recheck(ctx, []int{101}, func(int, []byte) bool { return false })
					if c.piece == nil && errors.Is(err, context.Canceled) {
						err = nil
					}
					results <- err
				}()
				synctest.Wait()
				if len(results) > 0 {
					t.Fatalf("there is no room, but nobody waits for it: %v", <-results)
				}
				c.end(o, cancel)
				synctest.Wait()
				if len(results) < 3 {
					t.Errorf("%d of 3 were let go", len(results))
				}
				for range len(results) {
					if err := <-results; !errors.Is(err, c.piece) {
						t.Errorf("%v; want %v", err, c.piece)
					}
				}
				disk.heal()
				o.Close(t.Context())
				must(t, b.Committer.Close(t.Context()))
			})
		})
	}
}

// One who waits beside a download of which a flush hangs learns of it, too.
func TestHungDiskUnderTwoDownloads(t *testing.T) {
	crawl(t, 1e6, func(t *testing.T, b *bench, disk *snail) {
		const size = 1 << 20
		l := Layout{Length: 50 * size, PieceLength: size}
		one, other := b.create("one", l), b.create("other", l)
		disk.hang()
		errs := make(chan error, 2)
		go func() { errs <- fill(one, 50, make([]byte, size)) }()
		go func() { errs <- fill(other, 50, make([]byte, size)) }()
		for range 2 {
			if err := <-errs; !errors.Is(err, ErrVolumeLost) {
				t.Errorf("writing = %v; want ErrVolumeLost", err)
			}
		}
		disk.heal()
		one.Close(t.Context())
		other.Close(t.Context())
		must(t, b.Committer.Close(t.Context()))
	})
}

// A state database that cannot be written keeps no download from going on: its bytes are on the disk.
func TestNoMarksNoWait(t *testing.T) {
	crawl(t, 100e6, func(t *testing.T, b *bench, disk *snail) {
		const size = 1 << 20
		o := b.create("f", Layout{Length: 400 * size, PieceLength: size})
		b.marks.fail(errors.New("no database"))
		start := time.Now()
		must(t, fill(o, 400, make([]byte, size)))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it took %v; the disk needs 4 s", took)
		}
		b.marks.fail(nil)
		must(t, o.Close(t.Context()), b.Committer.Close(t.Context()))
	})
}

package storage

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A disk that hangs when a file is to be made keeps nobody waiting for long, or at all if they do not want to, and
// what it makes too late is deleted.
func TestFolderThatHangs(t *testing.T) {
	bubble(t, nil, func(t *testing.T, b *bench) {
		open, back := b.Committer.open, make(chan struct{})
		var calls atomic.Int32
		b.Committer.open = func(path string) (folder, error) {
			calls.Add(1)
			<-back
			return open(path)
		}
		layout := Layout{Length: 1 << 30, PieceLength: 16 << 20} // its length does not matter before the disk has answered
		create := func(ctx context.Context) (waited time.Duration, err error) {
			began := time.Now()
			_, err = b.Create(ctx, "f", b.dir, "f", layout)
			return time.Since(began), err
		}
		if waited, err := create(t.Context()); !errors.Is(err, ErrVolumeLost) || waited != hungAfter {
			t.Errorf("Create = %v after %v; want that the disk is gone", err, waited)
		}
		if waited, err := create(t.Context()); !errors.Is(err, ErrVolumeLost) || waited != lateWait || calls.Load() != 1 {
			t.Errorf("a second Create = %v after %v, %d calls; want that the disk is gone, and only one call in it", err, waited, calls.Load())
		}
		ctx, cancel := context.WithTimeout(t.Context(), lateWait/2)
		defer cancel()
		if waited, err := create(ctx); !errors.Is(err, context.DeadlineExceeded) || waited != lateWait/2 {
			t.Errorf("Create with a deadline = %v after %v", err, waited)
		}
		if err := b.Ask(t.Context(), "another disk", func() error { return os.ErrExist }); !errors.Is(err, os.ErrExist) {
			t.Errorf("another disk answers %v; want what it says", err)
		}
		close(back)
		synctest.Wait()
		checkDir(t, b.dir)
		layout = Layout{Length: 10, PieceLength: 10}
		b.create("f", layout).Close(t.Context())
	})
}

// Some file systems fill a new file with zeros, so a long one may take long.
func TestLongFilesMayTakeLongToMake(t *testing.T) {
	disk := &gate{}
	bubble(t, map[string]*gate{"d": disk}, func(t *testing.T, b *bench) {
		disk.sync = make(chan struct{})
		const takes = 2 * time.Minute
		for name, size := range map[string]int64{"long": 4 * firstRoom, "short": 1 << 20} {
			time.AfterFunc(takes, func() { disk.sync <- struct{}{} })
			o, err := b.Create(t.Context(), name, "/d", name, Layout{Length: size, PieceLength: 1 << 20})
			switch {
			case name == "short" && !errors.Is(err, ErrVolumeLost):
				t.Errorf("%s: %v; want that the disk is gone", name, err)
			case name == "long" && err != nil:
				t.Errorf("%s: %v", name, err)
			case name == "long":
				o.Close(t.Context())
			}
			time.Sleep(takes)
		}
		checkDir(t, b.dir, "long"+partSuffix)
	})
}

package storage

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
)

// descriptors counts the files that are open.
type descriptors struct {
	mu        sync.Mutex
	now, most int
}

func (d *descriptors) add(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now += n
	d.most = max(d.most, d.now)
}

// count counts a file from before it is opened until after it is closed.
func (d *descriptors) count(open func(k int) (file, error)) func(k int) (file, error) {
	return func(k int) (file, error) {
		d.add(1)
		f, err := open(k)
		if err != nil {
			d.add(-1)
			return nil, err
		}
		return &countedFile{f, d}, nil
	}
}

type countedFile struct {
	file
	d *descriptors
}

func (f *countedFile) Close() error {
	defer f.d.add(-1)
	return f.file.Close()
}

// emptyFile can only be closed, and that fails with err.
type emptyFile struct {
	file
	err error
}

func (f emptyFile) Close() error { return f.err }

var errSometimes = errors.New("sometimes")

// Whatever fails, many who open at once stay below the limit, nobody waits for ever, and no slot is lost.
func TestOpenersShareTheSlots(t *testing.T) {
	var d descriptors
	f := newFiles(4*maxOpen, d.count(func(int) (file, error) {
		if rand.IntN(10) == 0 {
			return nil, errSometimes
		}
		if rand.IntN(10) == 0 {
			return emptyFile{err: errSometimes}, nil
		}
		return emptyFile{}, nil
	}), &backlog{})
	var users sync.WaitGroup
	for range 2 * maxOpen {
		users.Go(func() {
			for range 100 {
				err := f.use(rand.IntN(len(f.list)), func(file) error { return nil })
				if err != nil && !errors.Is(err, errSometimes) {
					t.Error(err)
				}
			}
		})
	}
	users.Wait()
	if d.most != maxOpen || len(f.free)+len(f.opened) != maxOpen || len(f.opened) != d.now {
		t.Errorf("%d files were open at once; now %d are, with %d slots, and %d slots are free; want %d slots",
			d.most, d.now, len(f.opened), len(f.free), maxOpen)
	}
	_ = f.close() // some of the files fail
	if d.now != 0 || len(f.free) != maxOpen {
		t.Errorf("after close %d files are open and %d slots free", d.now, len(f.free))
	}
}

// While all slots are held by others who open, one more waits, and gets the slot of who is ready first.
func TestOpenerWaitsForASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d descriptors
		proceed := make(chan struct{})
		f := newFiles(maxOpen+1, d.count(func(int) (file, error) {
			<-proceed
			return emptyFile{}, nil
		}), &backlog{})
		var users sync.WaitGroup
		for k := range f.list {
			users.Go(func() {
				if err := f.use(k, func(file) error { return nil }); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if d.now != maxOpen {
			t.Errorf("%d files are being opened; want %d", d.now, maxOpen)
		}
		close(proceed)
		users.Wait()
		if d.most != maxOpen {
			t.Errorf("%d files were open at once; want %d", d.most, maxOpen)
		}
	})
}

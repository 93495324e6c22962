package storage

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// maxOpen bounds the open files of one object, which may have 20,000 files.
const maxOpen = 32

// files is the set of an object's files, opened when they are needed. A file is flushed before it is
// closed: what a flush through another descriptor would say about its bytes is not certain.
type files struct {
	open func(k int) (file, error)
	list []handle

	// There are maxOpen slots. Each is in free, or its file is in opened, or somebody holds it who opens
	// or closes a file: so the bound holds at each moment, and no send ever waits.
	free   chan struct{}
	opened chan int // open files, the longest open first
}

// handle is one file. Its lock is held during I/O, on purpose: it keeps the file from being closed
// under a call. Calls share it; opening and closing take it alone.
type handle struct {
	lock      sync.RWMutex
	file      file         // nil while closed
	dirty     atomic.Bool  // may have bytes that were not flushed
	synced    atomic.Bool  // was flushed once, so its name and length are on the disk
	unflushed atomic.Int64 // bytes of this file in backlog
	backlog   *backlog     // of the volume
}

func newFiles(n int, open func(k int) (file, error), b *backlog) *files {
	f := &files{
		open: open, list: make([]handle, n),
		free: make(chan struct{}, maxOpen), opened: make(chan int, maxOpen),
	}
	for k := range f.list {
		f.list[k].backlog = b
	}
	for range maxOpen {
		f.free <- struct{}{}
	}
	return f
}

// use calls fn with file k. fn must not keep the file.
func (f *files) use(k int, fn func(file) error) error {
	for {
		used, err := f.list[k].use(fn)
		if used {
			return err
		}
		if err := f.openOne(k); err != nil {
			return err
		}
	}
}

func (h *handle) use(fn func(file) error) (used bool, err error) {
	h.lock.RLock()
	defer h.lock.RUnlock()
	if h.file == nil {
		return false, nil
	}
	return true, fn(h.file)
}

func (f *files) openOne(k int) error {
	if err := f.takeSlot(); err != nil {
		return err
	}
	h := &f.list[k]
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.file != nil { // somebody else was faster
		f.free <- struct{}{}
		return nil
	}
	opened, err := f.open(k)
	if err != nil {
		f.free <- struct{}{}
		return err
	}
	h.file = opened
	f.opened <- k
	return nil
}

// takeSlot takes a free slot, or else that of the file that has been open longest, which it closes. It
// waits while all slots are held by others. The caller must hold no file's lock.
func (f *files) takeSlot() error {
	select {
	case <-f.free:
		return nil
	default:
	}
	select {
	case <-f.free:
		return nil
	case oldest := <-f.opened:
		err := f.list[oldest].closeAlone()
		if err != nil {
			f.free <- struct{}{}
		}
		return err
	}
}

func (h *handle) closeAlone() error {
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.close()
}

// close flushes and closes. The lock must be held alone.
func (h *handle) close() error {
	if h.file == nil {
		return nil
	}
	var err error
	if h.dirty.Load() {
		err = h.flush(h.file)
	}
	err = errors.Join(err, h.file.Close())
	h.file = nil
	h.backlog.unflushed.Add(-h.unflushed.Swap(0)) // of what nobody wants to have flushed
	return err
}

// soil notes that bytes were written.
func (h *handle) soil(bytes int64) {
	h.dirty.Store(true)
	h.unflushed.Add(bytes)
	h.backlog.unflushed.Add(bytes)
}

// flush brings the file to the disk. A failed flush is final: the system may have dropped the bytes,
// and would call the next flush a success.
func (h *handle) flush(f file) error {
	h.dirty.Store(false) // before: a write that ends meanwhile makes it dirty again
	bytes := h.unflushed.Swap(0)
	err := f.Sync()
	h.backlog.unflushed.Add(-bytes) // also if it failed: they are lost, or nobody's business any more
	h.backlog.flushed.Add(bytes)
	if err != nil {
		h.dirty.Store(true)
		return fmt.Errorf("%w: %w", errNotFlushed, err)
	}
	h.synced.Store(true)
	return nil
}

// errNotFlushed means that bytes may be lost although they can still be read.
var errNotFlushed = errors.New("flush")

func (f *files) writeAt(k int, b []byte, off int64) error {
	return f.use(k, func(file file) error {
		n, err := file.WriteAt(b, off)
		f.list[k].soil(int64(n)) // after: a flush that began before the write does not cover it
		if err == nil && n < len(b) {
			err = io.ErrShortWrite
		}
		return err
	})
}

func (f *files) readAt(k int, b []byte, off int64) (n int, err error) {
	err = f.use(k, func(file file) error {
		n, err = file.ReadAt(b, off)
		if n == len(b) {
			return nil
		}
		return err
	})
	return n, err
}

// sync flushes file k if it has bytes to flush, after making sure that it still has its name and
// at least size bytes.
func (f *files) sync(k int, size int64) error {
	return f.use(k, func(file file) error {
		s, err := file.Stat()
		if err != nil {
			return err
		}
		if s.links == 0 {
			return ErrMissing
		}
		if s.size < size {
			return fmt.Errorf("%w: %d bytes where there were %d", ErrTouched, s.size, size)
		}
		h := &f.list[k]
		if h.synced.Load() && !h.dirty.Load() {
			return nil
		}
		return h.flush(file)
	})
}

func (f *files) truncate(k int, size int64) error {
	return f.use(k, func(file file) error {
		err := file.Truncate(size)
		f.list[k].dirty.Store(true)
		return err
	})
}

func (f *files) stat(k int) (s fileStat, err error) {
	err = f.use(k, func(file file) error {
		s, err = file.Stat()
		return err
	})
	return s, err
}

// move closes all files, does something to their names, and has them opened by open from then on.
// Calls wait meanwhile: on some systems a file cannot be renamed while it is open.
func (f *files) move(do func() error, open func(k int) (file, error)) error {
	for k := range f.list {
		f.list[k].lock.Lock()
		defer f.list[k].lock.Unlock()
	}
	var errs []error
	for k := range f.list {
		errs = append(errs, f.list[k].close())
	}
	f.freeAll()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	f.open = open
	return nil
}

// freeAll frees the slots of files that were closed. Nobody can open one meanwhile: move has all locks.
func (f *files) freeAll() {
	for {
		select {
		case <-f.opened:
			f.free <- struct{}{}
		default:
			return
		}
	}
}

// forget lets close drop what was not flushed.
func (f *files) forget() {
	for k := range f.list {
		f.list[k].dirty.Store(false)
	}
}

// close closes all files for good.
func (f *files) close() error {
	return f.move(func() error { return nil }, func(int) (file, error) { return nil, ErrClosed })
}

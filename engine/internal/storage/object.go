package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// stripes is how many pieces can be locked apart from each other.
const stripes = 64

// Object is the file or folder of one download. All methods may be called from several goroutines.
// Pieces are numbered from 0; a number beyond the layout is an error.
type Object struct {
	id     string
	c      *Committer
	lane   *lane
	geo    *geometry
	place  *place
	files  *files
	volume string // "" if it has no ID

	// pieces are locks for pieces; piece i has number i % stripes. They are held during I/O, on
	// purpose: a late block must not land in a piece that has been verified meanwhile. Blocks of a
	// piece share the lock; verifying takes it alone.
	pieces [stripes]stripe

	hurry chan struct{} // closed when nobody shall wait for room any more

	mu            sync.Mutex // guards all below; never held during I/O
	hurried       bool       // hurry is closed
	verified      Bitmap
	durable       Bitmap
	suspect       Bitmap // were durable, but the file is not as it was left; always apart from durable
	verifiedBytes int64
	durableBytes  int64
	verifiedCount int
	durableCount  int
	pending       []int // verified, to be made durable
	spare         []int // an empty slice for the next pending
	touched       bool  // the file must not be trusted after a restart
	sealed        bool  // no more writes
	err           error // why nothing works any more
	stage         Stage
	left          []FileIdentity // the files as they were made, found or left
}

type stripe struct {
	sync.RWMutex
	writes atomic.Uint32 // writes that ended, counted under the lock, to notice one while a piece is read
}

func (o *Object) lockOf(i int) *stripe { return &o.pieces[i%stripes] }

// usable returns why nothing can be written.
func (o *Object) usable() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil && o.sealed {
		return ErrSealed
	}
	return o.err
}

// ready returns why a piece cannot be written, or that it is verified and need not be.
func (o *Object) ready(i int) (verified bool, err error) {
	if err := o.checkPiece(i); err != nil {
		return false, err
	}
	err = o.usable()
	if verified = o.Verified(i); verified && errors.Is(err, ErrSealed) {
		err = nil
	}
	return verified, err
}

func (o *Object) checkPiece(i int) error {
	if i < 0 || i >= o.geo.pieces() {
		return fmt.Errorf("there is no piece %d", i)
	}
	return nil
}

// WritePiece writes a whole piece that the caller has verified, or that has no hash. From then on it
// is verified. It does nothing if the piece is verified already. data is not kept. It waits as AwaitRoom does.
func (o *Object) WritePiece(i int, data []byte) error {
	if verified, err := o.ready(i); err != nil {
		return fmt.Errorf("write piece %d: %w", i, err)
	} else if verified {
		return nil
	}
	file, at, length := o.geo.at(i)
	if int64(len(data)) != length {
		return fmt.Errorf("write piece %d: %d bytes, not %d", i, len(data), length)
	}
	o.awaitRoom(context.Background(), length)
	defer o.lane.wrote(length)
	l := o.lockOf(i)
	l.Lock()
	defer l.Unlock()
	if verified, err := o.ready(i); err != nil {
		return fmt.Errorf("write piece %d: %w", i, err)
	} else if verified {
		return nil
	}
	defer l.writes.Add(1)
	if err := o.write(file, data, at); err != nil {
		return fmt.Errorf("write piece %d: %w", i, err)
	}
	o.setVerified(i, length)
	return nil
}

// WriteBlock writes bytes of a piece that are not verified, at an offset in the piece. It does
// nothing if the piece is verified. b is not kept.
func (o *Object) WriteBlock(i int, off int64, b []byte) error {
	if verified, err := o.ready(i); err != nil {
		return fmt.Errorf("write block of piece %d: %w", i, err)
	} else if verified {
		return nil
	}
	file, at, length := o.geo.at(i)
	if off < 0 || off > length-int64(len(b)) {
		return fmt.Errorf("write block of piece %d: %d bytes at %d of %d", i, len(b), off, length)
	}
	l := o.lockOf(i)
	l.RLock()
	defer l.RUnlock()
	if o.Verified(i) {
		return nil
	}
	defer l.writes.Add(1)
	if err := o.write(file, b, at+off); err != nil {
		return fmt.Errorf("write block of piece %d: %w", i, err)
	}
	return nil
}

func (o *Object) write(file int, b []byte, off int64) error {
	if err := o.lane.enter(); err != nil {
		return err
	}
	defer o.lane.leave()
	return o.broke(o.files.writeAt(file, b, off))
}

// ReadAt reads bytes of a piece, verified or not, at an offset in the piece. It reads all of b or
// returns an error: ErrTouched if the file has become shorter than it was.
func (o *Object) ReadAt(b []byte, i int, off int64) (int, error) {
	if err := o.checkPiece(i); err != nil {
		return 0, fmt.Errorf("read: %w", err)
	}
	file, at, length := o.geo.at(i)
	if off < 0 || off > length-int64(len(b)) {
		return 0, fmt.Errorf("read piece %d: %d bytes at %d of %d", i, len(b), off, length)
	}
	n, err := o.read(file, b, at+off)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
		if o.geo.fileLength(file) >= 0 || o.Verified(i) {
			err = o.broke(fmt.Errorf("%w: it ends early", ErrTouched))
		}
	}
	if err != nil {
		return n, fmt.Errorf("read piece %d: %w", i, err)
	}
	return n, nil
}

func (o *Object) read(file int, b []byte, off int64) (int, error) {
	if err := o.lane.enter(); err != nil {
		return 0, err
	}
	defer o.lane.leave()
	n, err := o.files.readAt(file, b, off)
	return n, o.broke(err)
}

// MarkVerified says that the blocks of a piece have passed its hash. The caller makes sure that no
// block of it is written between the hash and this call; Recheck does both and needs no such care.
func (o *Object) MarkVerified(i int) error {
	if verified, err := o.ready(i); err != nil {
		return fmt.Errorf("mark piece %d: %w", i, err)
	} else if verified {
		return nil
	}
	_, _, length := o.geo.at(i)
	l := o.lockOf(i)
	l.Lock()
	defer l.Unlock()
	o.setVerified(i, length)
	return nil
}

// setVerified records a piece and hands it to the lane.
func (o *Object) setVerified(i int, length int64) {
	o.mu.Lock()
	if o.verified.Has(i) || o.err != nil {
		o.mu.Unlock()
		return
	}
	o.verified.set(i)
	o.verifiedBytes += length
	o.verifiedCount++
	o.suspect.clear(i)
	o.pending = append(o.pending, i)
	first := len(o.pending) == 1
	o.mu.Unlock()
	o.lane.add(o, first, length)
}

// Verified reports whether piece i is verified.
func (o *Object) Verified(i int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.verified.Has(i)
}

// Durable reports whether piece i is durable.
func (o *Object) Durable(i int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.durable.Has(i)
}

// Progress is how far an object has come.
type Progress struct {
	Pieces         int   // in all; -1 while the length is unknown
	Verified       int   // pieces
	Durable        int   // pieces
	Length         int64 // bytes in all; -1 while unknown
	VerifiedLength int64 // bytes
	DurableLength  int64 // bytes
}

// Progress returns how far the object has come.
func (o *Object) Progress() Progress {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := Progress{
		Pieces: -1, Verified: o.verifiedCount, Durable: o.durableCount,
		Length: o.geo.length.Load(), VerifiedLength: o.verifiedBytes, DurableLength: o.durableBytes,
	}
	if p.Length >= 0 {
		p.Pieces = o.geo.pieces()
	}
	return p
}

// Bitmap returns a copy of the set of verified pieces.
func (o *Object) Bitmap() Bitmap {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append(Bitmap(nil), o.verified...)
}

// SetLength ends a stream: it is n bytes long. The last piece, if it is not a full one, can only be
// written after that.
func (o *Object) SetLength(n int64) error {
	if err := o.usable(); err != nil {
		return fmt.Errorf("set length: %w", err)
	}
	old := o.geo.length.Load()
	if old == n {
		return nil
	}
	if old >= 0 || n < 0 || n > maxPieces*o.geo.layout.PieceLength {
		return fmt.Errorf("set length: %d bytes where there were %d", n, old)
	}
	if last := o.lastVerified(); int64(last+1)*o.geo.layout.PieceLength > n {
		return fmt.Errorf("set length: %d bytes do not hold piece %d", n, last)
	}
	if err := o.broke(o.files.truncate(0, n)); err != nil {
		return fmt.Errorf("set length: %w", err)
	}
	o.geo.length.Store(n)
	return nil
}

// lastVerified returns the highest verified piece, -1 if there is none.
func (o *Object) lastVerified() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.verified.last()
}

// broke classifies an error of the files, and breaks the object if its bytes can no longer be trusted.
func (o *Object) broke(err error) error {
	if err == nil {
		return nil
	}
	err = classify(err)
	if errors.Is(err, errNotFlushed) || errors.Is(err, ErrTouched) || errors.Is(err, ErrMissing) {
		o.fail(err)
	}
	return err
}

// fail ends the work on the object. What is verified but not durable may be lost although it can
// still be read, so it counts as missing from now on.
func (o *Object) fail(err error) {
	o.mu.Lock()
	if o.err != nil {
		o.mu.Unlock()
		return
	}
	o.touched = o.touched || errors.Is(err, ErrTouched) || errors.Is(err, ErrMissing)
	o.endLocked(err)
	o.mu.Unlock()
	if o.c.failed != nil {
		o.c.failed(o.id, err)
	}
}

// endLocked lets all calls return err from now on.
func (o *Object) endLocked(err error) {
	o.err = err
	o.stopWaitingLocked()
	o.pending = nil
	o.verified = append(Bitmap(nil), o.durable...)
	o.verifiedBytes, o.verifiedCount = o.durableBytes, o.durableCount
}

// Err returns why nothing works any more, nil if it does.
func (o *Object) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// takePending hands the pieces that wait to a round. The round gives the slice back by setDurable or
// putBack.
func (o *Object) takePending() []int {
	o.mu.Lock()
	defer o.mu.Unlock()
	pieces := o.pending
	o.pending, o.spare = o.spare[:0], nil
	return pieces
}

// flushPieces brings the files of the pieces to the disk and reports whether that is certain.
func (o *Object) flushPieces(pieces []int) bool {
	slices.Sort(pieces) // so that each file's are together, and the last is the one that ends last
	for n, i := range pieces {
		file, at, length := o.geo.at(i)
		if n+1 < len(pieces) {
			if next, _, _ := o.geo.at(pieces[n+1]); next == file {
				continue
			}
		}
		size := o.geo.fileLength(file)
		if size < 0 {
			size = at + length
		}
		patience := o.lane.patience()
		hung := time.AfterFunc(patience, func() { o.fail(noAnswer(patience)) })
		err := o.files.sync(file, size)
		hung.Stop()
		o.lane.answered()
		if err != nil {
			o.fail(fmt.Errorf("flush %s: %w", o.place.part, classify(err)))
			return false
		}
	}
	return o.Err() == nil
}

func (o *Object) setDurable(pieces []int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, i := range pieces {
		if o.durable.Has(i) || !o.verified.Has(i) {
			continue
		}
		_, _, length := o.geo.at(i)
		o.durable.set(i)
		o.durableBytes += length
		o.durableCount++
	}
	o.spare = pieces
}

// putBack lets pieces wait again whose mark could not be written.
func (o *Object) putBack(pieces []int) {
	o.mu.Lock()
	if o.err != nil {
		o.mu.Unlock()
		return
	}
	o.pending = append(o.pending, pieces...)
	first := len(o.pending) == len(pieces)
	o.mu.Unlock()
	if first {
		o.lane.again(o)
	}
}

// flush makes all that is verified now durable.
func (o *Object) flush(ctx context.Context) error {
	if err := o.lane.flush(ctx); err != nil {
		return err
	}
	return o.Err()
}

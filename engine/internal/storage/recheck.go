package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
)

// buffers holds memory for pieces that are read to be hashed.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func buffer(n int64) *[]byte {
	b := buffers.Get().(*[]byte)
	*b = slices.Grow((*b)[:0], int(n))[:n]
	return b
}

// Doubtful returns the pieces that Recheck may find to be good: those that were durable in a file that
// changed, and those that are not durable and lie where the file holds bytes at all.
func (o *Object) Doubtful() ([]int, error) {
	if err := o.Err(); err != nil {
		return nil, err
	}
	o.mu.Lock()
	found := append(Bitmap(nil), o.suspect...)
	verified := append(Bitmap(nil), o.verified...)
	o.mu.Unlock()
	first := 0
	for k := range o.geo.files() {
		length := o.geo.fileLength(k)
		if length < 0 {
			s, err := o.files.stat(k)
			if err != nil {
				return nil, fmt.Errorf("look for bytes: %w", o.broke(err))
			}
			length = s.size - s.size%o.geo.layout.PieceLength // the last, if not full, has no known length
		}
		pieces := int(o.geo.layout.pieces(length))
		if err := o.withData(k, first, pieces, &found); err != nil {
			return nil, fmt.Errorf("look for bytes: %w", o.broke(err))
		}
		first += pieces
	}
	var doubtful []int
	for _, i := range found.all() {
		if !verified.Has(i) {
			doubtful = append(doubtful, i)
		}
	}
	return doubtful, nil
}

// withData adds the pieces of file k in which there may be bytes that were written.
func (o *Object) withData(k, first, pieces int, found *Bitmap) error {
	pl := o.geo.layout.PieceLength
	for n := 0; n < pieces; {
		var start, end int64
		err := o.files.use(k, func(f file) (err error) {
			start, end, err = f.Data(int64(n) * pl)
			return err
		})
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for n = max(n, int(start/pl)); n < pieces && int64(n)*pl < end; n++ {
			found.set(first + n)
		}
	}
	return nil
}

// Recheck reads pieces from the disk and gives each to verify, one at a time; verify must not keep
// data. What passes is verified; what does not is missing, loses its mark, and is returned. With an
// error or a cancelled ctx the pieces not yet looked at stay as they were. It waits as AwaitRoom does.
//
// It also is the way to turn blocks into a piece: a block that is written meanwhile is noticed and the
// piece read again.
func (o *Object) Recheck(ctx context.Context, pieces []int, verify func(i int, data []byte) bool) (bad []int, err error) {
	for _, i := range pieces {
		if !o.Verified(i) { // else it is not written again
			o.AwaitRoom(ctx)
		}
		if err = ctx.Err(); err == nil {
			err = o.Err()
		}
		var good bool
		if err == nil {
			good, err = o.recheck(ctx, i, verify)
		}
		if err != nil {
			err = fmt.Errorf("check piece %d: %w", i, err)
			break
		}
		if !good {
			bad = append(bad, i)
		}
	}
	return bad, errors.Join(err, o.unmark(ctx, bad))
}

func (o *Object) recheck(ctx context.Context, i int, verify func(i int, data []byte) bool) (good bool, err error) {
	if err := o.checkPiece(i); err != nil {
		return false, err
	}
	file, at, length := o.geo.at(i)
	b := buffer(length)
	defer buffers.Put(b)
	l := o.lockOf(i)
	for {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		writes := l.writes.Load()
		_, err := o.read(file, *b, at)
		short := errors.Is(err, io.EOF) // only a stream, or a file that was cut short
		if err != nil && !short {
			return false, err
		}
		good = !short && verify(i, *b)
		l.Lock()
		if l.writes.Load() == writes {
			break
		}
		l.Unlock()
	}
	defer l.Unlock()
	if !good {
		return false, nil
	}
	if err := o.writeAgain(i, file, *b, at); err != nil {
		return false, err
	}
	o.setVerified(i, length)
	return true, nil
}

// writeAgain writes a piece that passed its hash over itself, unless its bytes are known to have been
// on the disk: after a flush that failed, a system goes on to show bytes that it will never write, and
// calls the next flush a success.
func (o *Object) writeAgain(i, file int, b []byte, at int64) error {
	o.mu.Lock()
	needless, suspect := o.sealed || o.verified.Has(i), o.suspect.Has(i)
	o.mu.Unlock()
	if needless {
		return nil
	}
	if suspect {
		o.files.list[file].soil(int64(len(b))) // whoever changed the file need not have flushed it
		return nil
	}
	return o.write(file, b, at)
}

// unmark makes bad pieces missing. Their marks go first, so that nobody writes into a piece that still
// has one; and a round that has begun may yet mark them, so its end is waited for before that.
func (o *Object) unmark(ctx context.Context, bad []int) error {
	var marked []int
	o.mu.Lock()
	for _, i := range bad {
		o.suspect.clear(i)
		if o.verified.Has(i) {
			marked = append(marked, i)
		}
	}
	o.mu.Unlock()
	if marked == nil {
		return nil
	}
	err := o.lane.flush(context.WithoutCancel(ctx))
	err = errors.Join(err, o.c.marker.ClearDurable(o.id, marked))
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, i := range marked {
		o.unverifyLocked(i)
	}
	return err
}

func (o *Object) unverifyLocked(i int) {
	_, _, length := o.geo.at(i)
	if n := slices.Index(o.pending, i); n >= 0 { // the flush did not work
		o.pending = slices.Delete(o.pending, n, n+1)
	}
	if o.verified.Has(i) {
		o.verified.clear(i)
		o.verifiedBytes -= length
		o.verifiedCount--
	}
	if o.durable.Has(i) {
		o.durable.clear(i)
		o.durableBytes -= length
		o.durableCount--
	}
}

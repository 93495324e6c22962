package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// When verified pieces are brought to the disk: at the latest after the delay, at once when so many
// pieces or bytes wait; fewer bytes where half the room is less, see mostRoom. A power cut costs no more
// than that and what was being flushed.
const (
	commitDelay  = 250 * time.Millisecond
	commitPieces = 64
	commitBytes  = 64 << 20
)

const (
	// markRetry is how long to wait when the state database could not be written.
	markRetry = time.Second
	// workers is how many calls may be in a volume at a time. Each takes a thread of the system while
	// it waits, and a hung network drive must not eat them all.
	workers = 8
)

// Marker remembers durable pieces. Both calls are synced: what they did survives a power cut.
type Marker interface {
	MarkDurable(marks map[string][]int) error
	ClearDurable(id string, pieces []int) error // nil: all
}

// Config is what a Committer needs.
type Config struct {
	Marker Marker
	Log    *slog.Logger
	// Failed is told once when an object can no longer be trusted with bytes: a flush failed, the disk
	// is gone or hangs, the file was deleted or cut short. From then on the object's calls return the
	// same error. Close it; Reopen trusts what is durable, and Recheck(Doubtful()) finds the rest. It is
	// called from any goroutine, with no lock held, and must not wait for this package.
	Failed func(id string, err error)
}

// Committer brings verified pieces to the disk and then marks them durable, for all objects on a
// volume together. It sleeps when there is nothing to do.
type Committer struct {
	marker Marker
	log    *slog.Logger
	failed func(id string, err error)
	open   func(path string) (folder, error)

	ctx    context.Context // ends the lanes
	cancel context.CancelFunc
	wg     sync.WaitGroup // the lanes, and calls that may hang

	mu    sync.Mutex
	lanes map[string]*lane         // by volume
	late  map[string]chan struct{} // calls that were left behind, by what was asked; closed when they come back
}

// NewCommitter returns a Committer; Close ends it.
func NewCommitter(c Config) *Committer {
	ctx, cancel := context.WithCancel(context.Background())
	return &Committer{
		marker: c.Marker, log: c.Log, failed: c.Failed, open: openFolder,
		ctx: ctx, cancel: cancel, lanes: map[string]*lane{}, late: map[string]chan struct{}{},
	}
}

// Close commits what waits and ends the committer's goroutines. Close the objects before. ctx bounds
// the wait for a disk that hangs.
func (c *Committer) Close(ctx context.Context) error {
	c.mu.Lock()
	var lanes []*lane
	for _, l := range c.lanes {
		lanes = append(lanes, l)
	}
	c.mu.Unlock()
	var errs []error
	for _, l := range lanes {
		errs = append(errs, l.flush(ctx))
	}
	c.cancel()
	done := make(chan struct{})
	go func() { // ends with the lanes; only a hung disk keeps it
		c.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		errs = append(errs, ctx.Err())
	}
	return errors.Join(errs...)
}

// lane returns the lane of a volume. Volumes have one each, so that one that hangs stops no other.
func (c *Committer) lane(volume string) *lane {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lanes[volume]
	if l == nil {
		l = &lane{
			c:     c,
			slots: make(chan struct{}, workers),
			kick:  make(chan struct{}, 1),
			marks: map[string][]int{},
			room:  firstRoom,
		}
		l.timer = time.AfterFunc(commitDelay, l.wake)
		l.timer.Stop()
		c.lanes[volume] = l
		c.wg.Go(l.run)
	}
	return l
}

// lane does the commits of one volume, one round at a time.
type lane struct {
	c     *Committer
	slots chan struct{} // one for each call that is in the volume
	kick  chan struct{}
	timer *time.Timer
	marks map[string][]int // of the round that runs; owned by run
	backlog

	mu      sync.Mutex
	dirty   []*Object // with pieces that wait; each once
	pieces  int
	bytes   int64
	waiters []chan error

	// See mostRoom. bytes count against the room, and so do these:
	flushing int64 // bytes of the pieces that the round is flushing
	writing  int64 // bytes of pieces that are being written
	room     int64
	freed    chan struct{} // closed when there may be room; nil if nobody waits
	flushes  int           // that came back
	marking  bool          // the round has flushed, and writes to the state database
}

func (l *lane) run() {
	for {
		select {
		case <-l.kick:
			l.round()
		case <-l.c.ctx.Done():
			return
		}
	}
}

func (l *lane) wake() {
	select {
	case l.kick <- struct{}{}:
	default: // a round is due already
	}
}

// add counts a piece that waits; first tells that it is its object's only one.
func (l *lane) add(o *Object, first bool, bytes int64) {
	l.mu.Lock()
	if first {
		l.dirty = append(l.dirty, o)
	}
	l.pieces++
	l.bytes += bytes
	alone, full := l.pieces == 1, l.pieces >= commitPieces || l.bytes >= l.room/2
	l.mu.Unlock()
	if full {
		l.wake()
	} else if alone {
		l.timer.Reset(commitDelay)
	}
}

// again takes an object back into the next round.
func (l *lane) again(o *Object) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dirty = append(l.dirty, o)
}

// flush commits all that waits now, and returns when that is done.
func (l *lane) flush(ctx context.Context) error {
	done := make(chan error, 1)
	l.mu.Lock()
	l.waiters = append(l.waiters, done)
	l.mu.Unlock()
	l.wake()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-l.c.ctx.Done():
		return ErrClosed
	}
}

// round flushes the files of the pieces that wait, and only then marks the pieces. An object whose
// flush fails has nothing marked.
func (l *lane) round() {
	l.mu.Lock()
	dirty, waiters := l.dirty, l.waiters
	l.flushing = l.bytes
	l.dirty, l.waiters, l.pieces, l.bytes = nil, nil, 0, 0
	l.timer.Stop()
	l.mu.Unlock()

	clear(l.marks)
	flushed := dirty[:0]
	before, began := l.flushed.Load(), time.Now()
	for _, o := range dirty {
		if pieces := o.takePending(); len(pieces) > 0 && o.flushPieces(pieces) {
			l.marks[o.id] = pieces
			flushed = append(flushed, o)
		}
	}
	l.measure(l.flushed.Load()-before, time.Since(began))
	l.endFlush()
	var err error
	if len(flushed) > 0 {
		err = l.c.marker.MarkDurable(l.marks)
	}
	if err != nil {
		// The bytes are safe, only the mark is not: wait and mark them later.
		l.c.log.Warn("durable pieces could not be marked", "err", err, "objects", len(flushed))
		err = fmt.Errorf("mark durable pieces: %w", classify(err))
		for _, o := range flushed {
			o.putBack(l.marks[o.id])
		}
		l.timer.Reset(markRetry)
	} else {
		for _, o := range flushed {
			o.setDurable(l.marks[o.id])
		}
	}
	l.mu.Lock()
	l.marking = false
	l.mu.Unlock()
	for _, w := range waiters {
		w <- err
	}
}

// endFlush lets go on who waited for the flush of the round.
func (l *lane) endFlush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushing, l.marking = 0, true
	l.freeLocked()
}

// enter waits until a call may go into the volume. When all that are in it have not come back for
// long, the volume is gone.
func (l *lane) enter() error {
	select {
	case l.slots <- struct{}{}:
		return nil
	default:
	}
	patience := l.patience()
	hung := time.NewTimer(patience)
	defer hung.Stop()
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-hung.C:
		return noAnswer(patience)
	}
}

func (l *lane) leave() { <-l.slots }

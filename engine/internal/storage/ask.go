package storage

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A call into a disk that hangs comes back when the disk does, and cannot be taken back. So what may be the first to find
// that out is called in a goroutine of its own, which its caller can leave behind.

// lateWait is how long a call waits for an earlier one that was left behind.
const lateWait = time.Second

// Ask calls ask, which may use the disk that key stands for, such as a folder. It waits for it no longer than ctx, and no
// longer than a disk may need that does not hang; the error is then ErrVolumeLost, and ask may still be running. As long as it
// is, others with the same key are not called, because each that hangs holds a thread of the system.
func (c *Committer) Ask(ctx context.Context, key string, ask func() error) error {
	_, err := patiently(ctx, c, key, 0, func(func()) (struct{}, error) { return struct{}{}, ask() }, func(struct{}) error { return nil })
	return err
}

// opens is Ask for what opens an object. open calls reached when the disk has answered; from then on it may take longer the
// longer the object is, because some file systems fill a new file with zeros. What comes too late is given to drop.
func (c *Committer) opens(ctx context.Context, id string, p *place, open func(reached func()) (*Object, error), drop func(*Object) error) (*Object, error) {
	key := p.dir
	if p.handed != nil { // its folder is not looked at
		key = "handed over for " + id
	}
	return patiently(ctx, c, key, p.layout.Length, open, drop)
}

func patiently[T any](ctx context.Context, c *Committer, key string, bytes int64, call func(reached func()) (T, error), drop func(T) error) (got T, err error) {
	if err := ctx.Err(); err != nil {
		return got, err
	}
	if err := c.awaitLate(ctx, key); err != nil {
		return got, err
	}
	type result struct {
		got T
		err error
	}
	came, reached := make(chan result), make(chan struct{})
	left, ended := make(chan struct{}), make(chan struct{})
	c.wg.Go(func() {
		var r result
		r.got, r.err = call(sync.OnceFunc(func() { close(reached) }))
		select {
		case came <- r:
		case <-left:
			if r.err == nil {
				r.err = drop(r.got)
			}
			c.log.Info("a call into a disk came back when nobody waited for it any more", "disk", key, "err", r.err)
			c.noLonger(key, ended)
		}
	})
	patience := hungAfter
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case r := <-came:
			return r.got, r.err
		case <-reached:
			reached = nil
			patience += time.Duration(float64(max(bytes, 0)) / firstRoom * float64(roomPatience))
			timer.Reset(patience)
			continue
		case <-ctx.Done():
			err = ctx.Err()
		case <-timer.C:
			err = noAnswer(patience)
		}
		c.mu.Lock()
		c.late[key] = ended
		c.mu.Unlock()
		close(left)
		return got, err
	}
}

// awaitLate waits until no call is under way for key that was left behind.
func (c *Committer) awaitLate(ctx context.Context, key string) error {
	c.mu.Lock()
	ended := c.late[key]
	c.mu.Unlock()
	if ended == nil {
		return nil
	}
	timer := time.NewTimer(lateWait)
	defer timer.Stop()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return fmt.Errorf("%w: it has not answered yet", ErrVolumeLost)
	}
}

// noLonger notes that a call that was left behind has come back.
func (c *Committer) noLonger(key string, ended chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.late[key] == ended { // else another was left behind since
		delete(c.late, key)
	}
	close(ended)
}

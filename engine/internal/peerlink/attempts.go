package peerlink

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrBusy says that too many introductions came lately. It passes within a minute.
var ErrBusy = errors.New("too many introductions")

// attempts bounds how much introductions can make this device do: how many search for a path at once, and how many come
// in any minute. Who only waits for the peer's first word takes no slot: four peers that say nothing would keep all
// others out for as long as an attempt lasts.
type attempts struct {
	slots chan struct{} // one element for each attempt under way

	mu     sync.Mutex
	recent []time.Time // a ring of when the last ones began
	next   int         // the oldest in recent
}

func newAttempts(atOnce, perMinute int) *attempts {
	return &attempts{slots: make(chan struct{}, atOnce), recent: make([]time.Time, perMinute)}
}

// count returns ErrBusy if the minute's share is used.
func (a *attempts) count(now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if oldest := a.recent[a.next]; !oldest.IsZero() && now.Sub(oldest) < time.Minute {
		return ErrBusy
	}
	a.recent[a.next] = now
	a.next = (a.next + 1) % len(a.recent)
	return nil
}

// begin waits for a slot; the caller calls end.
func (a *attempts) begin(ctx context.Context) error {
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ErrBusy
	}
}

func (a *attempts) end() { <-a.slots }

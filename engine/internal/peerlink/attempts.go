package peerlink

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrBusy says that too many introductions came lately. It passes within a minute.
var ErrBusy = errors.New("too many introductions")

// attempts bounds how much introductions can make this device do: how many at once, and how many in any
// minute.
type attempts struct {
	slots chan struct{} // one element for each attempt under way

	mu     sync.Mutex
	recent []time.Time // a ring of when the last ones began
	next   int         // the oldest in recent
}

func newAttempts(atOnce, perMinute int) *attempts {
	return &attempts{slots: make(chan struct{}, atOnce), recent: make([]time.Time, perMinute)}
}

// begin waits for a slot; the caller calls end. It returns ErrBusy at once if the minute's share is used.
func (a *attempts) begin(ctx context.Context, now time.Time) error {
	a.mu.Lock()
	if oldest := a.recent[a.next]; !oldest.IsZero() && now.Sub(oldest) < time.Minute {
		a.mu.Unlock()
		return ErrBusy
	}
	a.recent[a.next] = now
	a.next = (a.next + 1) % len(a.recent)
	a.mu.Unlock()
	select {
	case a.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ErrBusy
	}
}

func (a *attempts) end() { <-a.slots }

package budget

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// burstTime is how much of the rate may be saved up while nobody asks. It covers late timers, and is
	// too short to be seen as a peak.
	burstTime  = 50 * time.Millisecond
	leastBurst = 16 << 10 // bytes; one TLS record passes without a wait even at a low rate
)

// Limiter lets bytes pass at a rate. It differs from golang.org/x/time/rate in one thing that matters
// here: a change of the rate reaches those who wait already. There a reader that was told to sleep for
// nine seconds sleeps them, though the limit was lifted after one.
//
// It counts in two numbers that only grow: bytes granted by the passing of time, and bytes asked for.
// Whoever asks is served when granted has reached what was asked for up to and including his request,
// so the order is first come, first served. A Limiter is safe for concurrent use.
type Limiter struct {
	unlimited atomic.Bool // the fast path, read without the lock

	mu      sync.Mutex
	rate    float64 // bytes a second, in force since at; +Inf is unlimited
	granted float64 // at the time at
	asked   float64
	at      time.Time
	held    time.Time     // when somebody had to wait last
	changed chan struct{} // closed and replaced whenever a waiter has to calculate anew
}

// NewLimiter returns a Limiter with a rate as SetRate takes it.
func NewLimiter(bytesPerSecond float64) *Limiter {
	l := &Limiter{at: time.Now(), changed: make(chan struct{})}
	l.SetRate(bytesPerSecond)
	return l
}

// SetRate changes the rate, also for those who wait. 0 lets nothing pass until the next change;
// a negative or infinite rate is no limit.
func (l *Limiter) SetRate(bytesPerSecond float64) {
	if !(bytesPerSecond >= 0) {
		bytesPerSecond = math.Inf(1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(time.Now())
	l.rate = bytesPerSecond
	if math.IsInf(l.rate, 1) {
		l.granted = l.asked // nobody pays later for what waited before
	}
	l.unlimited.Store(math.IsInf(l.rate, 1))
	l.wakeAll()
}

// WaitN returns when n bytes may pass, or with the context's error; then none of them may, and they are
// given back. n may be larger than any burst. Ask before the bytes are read or sent, so that a rate of 0
// means that nothing moves.
func (l *Limiter) WaitN(ctx context.Context, n int) error {
	if l.unlimited.Load() {
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	l.advance(time.Now())
	l.asked += float64(n)
	due := l.asked
	for {
		wait, changed := l.timeUntil(due), l.changed
		if wait > 0 {
			l.held = l.at
		}
		l.mu.Unlock()
		if wait <= 0 {
			return nil
		}
		err := sleep(ctx, wait, changed)
		l.mu.Lock()
		l.advance(time.Now())
		if err != nil {
			l.granted += float64(n) // those behind move up
			l.wakeAll()
			l.mu.Unlock()
			return err
		}
	}
}

// Slows tells that the rate is what somebody waits for, or has waited for within the last second.
func (l *Limiter) Slows() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !math.IsInf(l.rate, 1) && (l.asked > l.granted || time.Since(l.held) < time.Second)
}

// advance grants what the time since the last call is worth.
func (l *Limiter) advance(now time.Time) {
	elapsed := now.Sub(l.at).Seconds()
	l.at = now
	if elapsed <= 0 || math.IsInf(l.rate, 1) {
		return
	}
	burst := max(l.rate*burstTime.Seconds(), leastBurst)
	l.granted = min(l.granted+elapsed*l.rate, l.asked+burst)
}

// timeUntil says how long it takes at the rate in force until due bytes are granted.
func (l *Limiter) timeUntil(due float64) time.Duration {
	missing := due - l.granted
	switch {
	case missing <= 0 || math.IsInf(l.rate, 1):
		return 0
	case missing/l.rate > time.Hour.Seconds(): // also a rate of 0
		return time.Hour
	}
	return max(time.Duration(missing/l.rate*float64(time.Second)), time.Microsecond)
}

func (l *Limiter) wakeAll() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// sleep returns after d, or early when changed is closed; its error is the context's.
func sleep(ctx context.Context, d time.Duration, changed <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-changed:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// Chain asks several limiters in turn: the object's, the user's, the scheduler's. The slowest rules.
type Chain []*Limiter

// WaitN returns when n bytes may pass all limiters, or with the context's error.
func (c Chain) WaitN(ctx context.Context, n int) error {
	for _, l := range c {
		if err := l.WaitN(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

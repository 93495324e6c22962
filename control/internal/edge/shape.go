package edge

import (
	"context"
	"sync"

	"golang.org/x/time/rate"
)

// shaper holds all answers together to a rate. It hands out small portions, to each connection in
// turn, however many requests a connection has going.
type shaper struct {
	limiter *rate.Limiter
	portion int

	mu    sync.Mutex
	turns map[string]*turn // by remote address, that is by connection
}

// turn is a connection's place in the queue.
type turn struct {
	shaper   *shaper
	requests int           // guarded by shaper.mu
	waiting  chan struct{} // holds a value while one of the requests stands in the queue
}

const (
	minPortion = 4 << 10
	maxPortion = 64 << 10
)

// newShaper returns nil if bytesPerSecond is 0.
func newShaper(bytesPerSecond int64) *shaper {
	if bytesPerSecond == 0 {
		return nil
	}
	portion := int(min(max(bytesPerSecond/200, minPortion), maxPortion))
	burst := max(int(bytesPerSecond/100), portion) // makes up for timers that fire late
	return &shaper{limiter: rate.NewLimiter(rate.Limit(bytesPerSecond), burst), portion: portion, turns: map[string]*turn{}}
}

func (s *shaper) enter(connection string) *turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.turns[connection]
	if t == nil {
		t = &turn{shaper: s, waiting: make(chan struct{}, 1)}
		s.turns[connection] = t
	}
	t.requests++
	return t
}

func (s *shaper) leave(connection string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.turns[connection]
	if t.requests--; t.requests == 0 {
		delete(s.turns, connection)
	}
}

// wait returns how many of want bytes may be sent now. The limiter serves those who wait in the order
// in which they came, so that connections take turns.
func (t *turn) wait(ctx context.Context, want int) (int, error) {
	select {
	case t.waiting <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-t.waiting }()
	n := min(want, t.shaper.portion)
	return n, t.shaper.limiter.WaitN(ctx, n)
}

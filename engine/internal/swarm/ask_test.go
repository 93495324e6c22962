package swarm

import (
	"testing"
	"time"
)

// Peers are asked for as much as they deliver until the download is over, which the edge brings nearer.
func TestLookAhead(t *testing.T) {
	now := time.Now()
	l := &link{pulse: pulse{chunk: mostChunk}}
	l.arriving.add(0, now.Add(-time.Second))
	for k := range 10 {
		l.beat(100<<10, now.Add(time.Duration(k-10)*100*time.Millisecond))
	}
	rate := l.rate(now)
	s := &Swarm{layout: &layout{pieceLength: 1 << 20}, waiting: newBitset(100), asked: newBitset(100), links: map[PeerID]*link{{}: l}}
	for i := range 1 {
		s.waiting.add(i)
	}
	alone := s.lookAhead(now)
	if want := time.Duration((1 << 20) / rate * float64(time.Second)); (alone - want).Abs() > time.Millisecond {
		t.Errorf("alone: %s; want %s", alone, want)
	}
	s.Beside(3 * rate)
	if got := s.lookAhead(now); (4*got - alone).Abs() > 10*time.Millisecond {
		t.Errorf("beside an edge three times as fast: %s; want a quarter of %s", got, alone)
	}
	for i := range 100 {
		s.waiting.add(i)
	}
	if got := s.lookAhead(now); got != windowTime {
		t.Errorf("long before the end: %s; want %s", got, windowTime)
	}
	if got := l.window(now, windowTime); got < windowFewest {
		t.Errorf("%d chunks; want %d at least", got, windowFewest)
	}
	if got := l.window(now, time.Millisecond); got != 1 {
		t.Errorf("%d chunks at the end; want 1, so that nobody else waits for them", got)
	}
}

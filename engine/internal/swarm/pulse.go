package swarm

import (
	"sync"
	"time"
)

// pulse follows how a link delivers: how fast, how soon after it was asked, and whether it has stalled.
type pulse struct {
	chunk       float64    // bytes of a request
	mu          sync.Mutex // guards the fields below
	arriving    meter      // all bytes from the peer
	lastByte    time.Time
	outstanding int
	askedAt     time.Time     // when outstanding became more than none
	idleAt      time.Time     // when outstanding became none
	answer      time.Duration // longest recent wait between asking an idle peer and its first byte
	pace        float64       // bytes a second when the last byte came; unlike a rate, silence does not lower it
	paused      bool          // we do not read: our own limit
	stalledAt   time.Time     // zero: not stalled
}

const (
	windowTime    = 2 * time.Second // how much of a peer's time its requests take up, at most
	windowFewest  = 2               // chunks; the library asks again when none is left, so 1 would idle
	windowLast    = time.Second     // before the end: whoever has taken a second chunk may be the last to finish
	windowMost    = 32 << 20        // bytes, and less than maxRequests
	windowUnknown = 8               // chunks, before the first byte

	stallShortest = 300 * time.Millisecond
	stallLongest  = 3 * time.Second
	stallUnknown  = 2 * time.Second  // before the first answer
	stallRetry    = 10 * time.Second // then a stalled peer is asked again: it may have lost our requests
)

// window is how many chunks to ask the peer for at once: as much as it delivers within the horizon, so that
// a peer that freezes keeps little from others.
func (p *pulse) window(now time.Time, horizon time.Duration) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lastByte.IsZero() {
		return windowUnknown
	}
	chunks, fewest := p.arriving.rate(now)*horizon.Seconds()/p.chunk, windowFewest
	if horizon < windowLast {
		fewest = 1
	}
	return int(min(max(chunks, float64(fewest)), windowMost/p.chunk, maxRequests-1))
}

// asked notes one more request, and reports whether there was none.
func (p *pulse) asked(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outstanding++
	if p.outstanding == 1 {
		p.askedAt = now
	}
	return p.outstanding == 1
}

func (p *pulse) answered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.outstanding--; p.outstanding == 0 {
		p.idleAt = time.Now()
	}
}

// beat notes n bytes from the peer, and reports whether that ends a stall.
func (p *pulse) beat(n int, now time.Time) (recovered bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.outstanding > 0 && !p.askedAt.IsZero() && p.lastByte.Before(p.askedAt) {
		p.answer = max(now.Sub(p.askedAt), p.answer*3/4)
	}
	p.arriving.add(n, now)
	p.lastByte = now
	p.pace = p.arriving.rate(now)
	recovered = !p.stalledAt.IsZero()
	p.stalledAt = time.Time{}
	return recovered
}

// pause tells that bytes are, or are not, read any more because of a limit of ours.
func (p *pulse) pause(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = on
	if !on {
		p.lastByte = time.Now()
	}
}

// judge decides whether the peer has stalled, and reports whether that is news.
func (p *pulse) judge(now time.Time) (stalled, changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stalledAt.IsZero() {
		if now.Sub(p.stalledAt) < stallRetry {
			return true, false
		}
		p.stalledAt = time.Time{}
		return false, true
	}
	if p.outstanding == 0 || p.paused {
		return false, false
	}
	quiet := now.Sub(p.askedAt)
	if p.lastByte.After(p.askedAt) {
		quiet = now.Sub(p.lastByte)
	}
	if quiet < p.patience() {
		return false, false
	}
	p.stalledAt = now
	return true, true
}

// patience is how long silence is nothing unusual: a few times what the peer took to answer before, or
// what a chunk takes it.
func (p *pulse) patience() time.Duration {
	if p.lastByte.IsZero() {
		return stallUnknown
	}
	chunk := stallLongest
	if p.pace > 0 {
		chunk = time.Duration(min(p.chunk/p.pace, stallLongest.Seconds()) * float64(time.Second))
	}
	return min(max(3*p.answer, 4*chunk, stallShortest), stallLongest)
}

// busy reports whether judge must be asked again soon.
func (p *pulse) busy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.outstanding > 0 || !p.stalledAt.IsZero()
}

// owed is how long ago the peer last owed us something; 0: it does now.
func (p *pulse) owed(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.outstanding > 0 {
		return 0
	}
	return now.Sub(p.idleAt)
}

func (p *pulse) rate(now time.Time) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.arriving.rate(now)
}

func (p *pulse) lastSign() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lastByte
}

// pulseReader is a link's connection as Read sees it: each byte counts as a sign of life at once, though
// the library gets it only with the rest of its frame.
type pulseReader struct{ l *link }

func (r pulseReader) Read(b []byte) (int, error) {
	n, err := r.l.conn.Read(b)
	if n > 0 && r.l.beat(n, time.Now()) {
		r.l.stalled.Store(false)
		r.l.swarm.peersChanged()
	}
	return n, err
}

// stall takes the peer's requests back, or lets it be asked again.
func (l *link) stall(on bool) {
	l.stalled.Store(on)
	l.wake()
}

// wake has Read look for what the library must be told.
func (l *link) wake() {
	if l.conn.SetReadDeadline(time.Unix(1, 0)) != nil {
		l.close(errNoWake)
	}
}

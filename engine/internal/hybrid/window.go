package hybrid

import "time"

// StandingQueue is how much of the edge's bytes may wait in front of the user's line, in time: enough that the line never waits for them,
// and not so much that peers are drowned.
const StandingQueue = 10 * time.Millisecond

const (
	quickest    = 300 * time.Millisecond // in which a window is found too short
	filled      = 0.95                   // of what the edge should give: with less its window is too short
	stretching  = 1.4                    // from sample to sample, at most
	relaxing    = 1.3                    // likewise
	mostStretch = 64
	leastPaced  = 0.1 // of what the line carries: a smaller window is not worth its packets
)

// Window is how many bytes the edge may have under way when the shortest round trip to it is rtt: what fills the line, and StandingQueue
// in front of it. More of a queue would make the edge no faster, but would drown what peers send. Where that turns out not to be
// enough, because there is a queue elsewhere on the way, it grows. It is Unlimited while nothing is known of the line.
func (p *Pacer) Window(rtt time.Duration) float64 {
	rate := max(p.capacity, p.alone)
	if p.mode == EdgeOnly || p.sagged || rate == 0 {
		return Unlimited
	}
	return min(rate, max(p.allowance, leastPaced*rate)) * (rtt + StandingQueue).Seconds() * p.window.stretch
}

// adjustWindow compares what the edge gives with what it should.
func (p *Pacer) adjustWindow(s Sample) {
	edge, peers := p.history.rates(s.Now, quickest)
	p.window.adjust(edge, min(p.allowance, max(p.capacity, p.alone)-peers))
}

// window is by how much longer than usual the edge's window must be for the line to be full, because there is a queue elsewhere on the way or the
// round trip was misjudged.
type window struct{ stretch float64 }

// adjust makes the window longer while the edge gives less than it should, and shorter again while it does not; bytes a second.
func (w *window) adjust(edge, should float64) {
	if edge < filled*should {
		w.stretch = min(w.stretch*min(should/max(edge, 1), stretching), mostStretch)
	} else {
		w.stretch = max(w.stretch/relaxing, 1)
	}
}

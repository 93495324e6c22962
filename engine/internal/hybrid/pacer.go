package hybrid

import (
	"math"
	"time"
)

// Mode is what the pacer aims at.
type Mode int

const (
	EdgeOnly Mode = iota // no peers: a plain download, a holdout, or a publisher who wants none
	Speed                // as fast as all sources together, then with the fewest edge bytes
	Offload              // never slower than the edge alone, then with the fewest edge bytes, or in a crowd with few of them
)

// Unlimited is the allowance that leaves the edge as fast as it can go.
const Unlimited = math.MaxFloat64

// Sample is what the pacer sees at one moment. Byte counts are cumulative payload, verified or not.
type Sample struct {
	Now       time.Duration // since the download began
	EdgeBytes int64
	PeerBytes int64
	Remaining int64 // bytes not yet verified
	Peers     int   // connected, not stalled, that have something we miss
	Crowd     bool  // most of the connected lack pieces, too
	EdgeAlive bool  // no back-off on every mirror
}

// Tuning of the pacer; see DECISIONS.md for the measurements.
const (
	fast       = 500 * time.Millisecond  // in which the edge follows what peers do
	slow       = time.Second             // in which rates are compared
	headroom   = 0.06                    // of the total, left to peers to grow into
	lastStep   = 0.18                    // of the total: the edge yields this rest at once, and nothing is left that disturbs peers
	taken      = 0.25                    // share of the headroom that peers must have taken for the edge to go on yielding
	patient    = 1200 * time.Millisecond // before peers that do not grow count as exhausted
	plateau    = 1.03                    // growth of the total in a slow window below which it counts as all there is
	shortLook  = 1200 * time.Millisecond
	longLook   = 4 * time.Second
	sagging    = 0.88 // of the capacity: below it the edge is let go in order to look
	firstRest  = 4 * time.Second
	longRest   = 24 * time.Second
	fillMargin = 1.05                   // the edge's part while peers are exhausted, so that it can show more
	seedShare  = 0.15                   // of what peers give: an edge that gives less is what a crowd waits for, and each copy too many keeps all of them
	tiny       = 0.02                   // of the total: less is not worth requests
	warmUp     = 800 * time.Millisecond // before the edge alone is believed to be at full speed
	margin     = 1.02                   // by which offload's plan beats the edge alone
	crowdShare = 0.077                  // of an object: what the edge gives under offload, too, to each of a crowd that lacks it
	crowdEnd   = 0.5                    // of an object: it is kept for this rest; before, not all have something to pass on
	notFull    = 0.85                   // of what the edge alone filled: a total below it says that the edge has less to give now
)

// phase is what the pacer is doing for Speed.
type phase int

const (
	looking  phase = iota // the edge runs free, to see what the link carries
	yielding              // the edge leaves some room; peers grow into it, and it yields more
	filling               // peers give all they have; the edge adds what is missing
)

// Pacer decides how fast the edge may go. It is a plain value: the caller owns it, calls Step about ten times a
// second, and needs no lock.
//
// Under Speed the edge gives way a little at a time. It is held to a few percent less than what the
// total lacks, so trying costs next to nothing. If peers grow into the gap, the gap moves on, until
// the edge is at rest; if they do not, they have no more, and the edge fills what they leave. Whenever peers
// lose speed the same rule gives it back at once, because the edge's part is the capacity minus theirs.
type Pacer struct {
	mode      Mode
	allowance float64
	history   history

	phase    phase
	since    time.Duration // when the phase began
	capacity float64       // best total seen since the last look
	peers0   float64       // the most that peers gave since the edge began to yield
	fill     float64       // the edge's part while filling
	rest     time.Duration // how long to fill before yielding again
	lookRest time.Duration // how long not to look again because of a sag
	lookAt   time.Duration
	known    int    // peers when the capacity was measured
	sagged   bool   // the edge has been let go because the total had sunk
	window   window // of the edge

	// offload: what the edge alone would give, and since when it has had to.
	alone   float64
	started time.Duration
	begun   bool
	lacking time.Duration // since when the edge has given less than it may and did
	planned int64         // bytes remaining when the plan was made
}

// NewPacer returns a pacer for an object of which remaining bytes are missing.
func NewPacer(mode Mode, remaining int64) *Pacer {
	return &Pacer{mode: mode, planned: remaining, allowance: Unlimited, window: window{stretch: 1}, rest: firstRest, lookRest: firstRest}
}

// Step takes a sample and returns the edge's allowance in bytes a second: Unlimited, or down to 0.
func (p *Pacer) Step(s Sample) float64 {
	p.history.add(s)
	p.learnAlone(s)
	p.adjustWindow(s)
	switch {
	case p.mode == EdgeOnly || s.Peers == 0:
		p.allowance = Unlimited
		p.enter(looking, s.Now)
		p.capacity, p.known = 0, 0
	case !s.EdgeAlive:
	case p.mode == Offload:
		p.allowance = p.offload(s)
	default:
		p.allowance = p.speed(s)
	}
	return p.allowance
}

// AloneRate is what the edge alone gives, as far as has been seen; 0 if it has not.
func (p *Pacer) AloneRate() float64 { return p.alone }

func (p *Pacer) enter(ph phase, now time.Duration) { p.phase, p.since = ph, now }

func (p *Pacer) speed(s Sample) float64 {
	now := s.Now
	edge, peers := p.history.rates(now, slow)
	_, quick := p.history.rates(now, fast)
	total := edge + peers
	p.capacity = max(p.capacity, total)
	if p.phase != looking && p.mustLook(s, total) {
		p.enter(looking, now)
		p.capacity, p.peers0 = total, 0
	}
	p.sagged = p.sagged && p.phase == looking
	switch p.phase {
	case looking:
		p.known = max(p.known, s.Peers)
		before := p.history.totalAt(now-slow, slow)
		settled := now-p.since >= shortLook && total <= plateau*before
		if !settled && now-p.since < longLook || peers < tiny*total {
			return Unlimited
		}
		p.enter(yielding, now)
		p.peers0 = peers
	case yielding:
		switch {
		case peers-p.peers0 >= taken*headroom*p.capacity || peers >= (1-headroom)*p.capacity:
			p.peers0, p.since = max(peers, p.peers0), now
			p.rest = firstRest
		case now-p.since >= patient:
			p.enter(filling, now)
			p.fill = fillMargin * max(p.capacity-peers, edge)
		}
	case filling:
		if now-p.since >= p.rest {
			p.rest = min(2*p.rest, longRest)
			p.enter(yielding, now)
			p.peers0 = max(peers, (1-headroom)*p.peers0) // coming back from a dip is no growth
		}
	}
	if s.Crowd && p.phase != looking && p.alone > 0 && p.alone < seedShare*max(peers, p.peers0) && p.alone < peers {
		return 0 // what counts is that it sends what nobody has, and it does so at rest, too
	}
	if p.phase == yielding {
		if quick > (1-lastStep)*p.capacity {
			return 0
		}
		return p.worth((1-headroom)*p.capacity - quick)
	}
	if quick < 0.85*p.peers0 {
		return p.worth(p.capacity - quick)
	}
	return p.worth(p.fill)
}

// mustLook tells whether what is known of the link may be out of date: peers have come, or the total has
// sunk though the edge could add to it. Looking lets the edge push peers aside, so it is done rarely.
func (p *Pacer) mustLook(s Sample, total float64) bool {
	if s.Now < p.lookAt {
		return false
	}
	grown := s.Peers > p.known+p.known/4
	sagged := total < sagging*p.capacity && s.Now-p.since > slow
	if !grown && !sagged {
		return false
	}
	p.known = s.Peers
	p.lookAt = s.Now + p.lookRest
	p.sagged = sagged
	if sagged {
		p.lookRest = min(2*p.lookRest, longRest)
	}
	return true
}

// worth turns a rate into an allowance: nothing if it is too little to be worth requests, and no limit if
// the edge cannot do more anyway.
func (p *Pacer) worth(rate float64) float64 {
	switch {
	case rate < tiny*p.capacity:
		return 0
	case p.alone > 0 && rate > 0.98*p.alone:
		return Unlimited
	}
	return rate
}

// offload keeps to a plan: be done when the edge alone would have been, and let the edge supply just
// what the peers do not.
func (p *Pacer) offload(s Sample) float64 {
	if p.alone == 0 {
		return Unlimited
	}
	_, peers := p.history.rates(s.Now, fast)
	left := (p.deadline() - s.Now).Seconds()
	if left <= 0.5 { // behind the plan, or too near its end to steer
		return Unlimited
	}
	need := float64(s.Remaining)/left*margin - peers
	if s.Crowd && float64(s.Remaining) < crowdEnd*float64(p.planned) {
		need = max(need, p.part(s, peers))
	}
	switch {
	case need <= tiny*p.alone:
		return 0
	case need >= 0.95*p.alone:
		return Unlimited
	}
	return need
}

// part is the rate at which crowdShare lasts until the end. When all of a crowd have something to pass on, their lines are full, and what
// the edge sends then is what they need not send: the last of them has the object sooner.
func (p *Pacer) part(s Sample, peers float64) float64 {
	share := (crowdShare*float64(p.planned) - float64(s.EdgeBytes)) / max(1, float64(s.Remaining))
	share = min(max(share, 0), 0.5)
	return peers * share / (1 - share)
}

// deadline is when the edge alone would have been done.
func (p *Pacer) deadline() time.Duration {
	return p.started + time.Duration(float64(p.planned)/p.alone*float64(time.Second))
}

// learnAlone keeps the best rate that the edge showed while nothing held it back, and lowers it when the edge cannot
// deliver it any more: slowly while peers may be what pushes it aside, and within a second or two when the
// link is not even full, as when a crowd has come to the edge.
func (p *Pacer) learnAlone(s Sample) {
	if !p.begun && s.EdgeBytes > 0 {
		p.begun, p.started, p.planned = true, s.Now, s.Remaining
	}
	if !p.begun || s.Now-p.started < warmUp || !s.EdgeAlive {
		return
	}
	edge, peers := p.history.rates(s.Now, slow/2)
	if edge > notFull*min(p.allowance, p.alone) {
		p.lacking = s.Now
	}
	switch {
	case s.Now-p.started > 2*slow && s.Now-p.lacking > slow && edge+peers < notFull*p.alone:
		p.alone += 0.1 * (edge - p.alone)
	case p.allowance != Unlimited:
	case edge > p.alone:
		p.alone = edge
	case s.Now-p.started > 2*slow:
		p.alone += 0.01 * (edge - p.alone)
	}
}

// history remembers samples for the longest window.
type history struct {
	samples [64]Sample
	n       int // samples added
}

func (h *history) add(s Sample) {
	h.samples[h.n%len(h.samples)] = s
	h.n++
}

// before returns the newest sample that is at least as old as at, or the oldest there is.
func (h *history) before(at time.Duration) Sample {
	var s Sample
	for i := h.n - 1; i >= 0 && i > h.n-1-len(h.samples); i-- {
		if s = h.samples[i%len(h.samples)]; s.Now <= at {
			break
		}
	}
	return s
}

// rates returns bytes a second from edge and peers over about the last window.
func (h *history) rates(now, window time.Duration) (edge, peers float64) {
	last, first := h.before(now), h.before(now-window)
	d := (last.Now - first.Now).Seconds()
	if d <= 0 {
		return 0, 0
	}
	return float64(last.EdgeBytes-first.EdgeBytes) / d, float64(last.PeerBytes-first.PeerBytes) / d
}

// totalAt returns the total rate over the window that ended at a moment.
func (h *history) totalAt(at, window time.Duration) float64 {
	edge, peers := h.rates(at, window)
	return edge + peers
}

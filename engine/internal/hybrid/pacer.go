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
	Offload              // never slower than the edge alone, then with the fewest edge bytes
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
	EdgeAlive bool  // no back-off on every mirror
}

// Tuning of the pacer; see DECISIONS.md for the measurements.
const (
	fastWindow  = 300 * time.Millisecond // in which a collapse is noticed
	epoch       = 500 * time.Millisecond // over which two allowances are compared
	settle      = 200 * time.Millisecond // after a change, before an epoch counts: queues drain, peers speed up
	firstStep   = 0.25                   // of the edge's rate, taken away in the first trial
	sagging     = 0.9                    // of the peak: below it the edge is given back in order to look
	firstRaise  = 4 * time.Second        // between such looks; doubles while they show nothing
	smallTrial  = 0.08                   // of the total; a smaller cut could not be told from noise
	replaced    = 0.6                    // share of a cut that peers must make up for it to stay
	collapse    = 0.75                   // of the reference rate: below it the edge gets all back at once
	firstRest   = 2 * time.Second        // between trials after one failed; doubles
	longestRest = 20 * time.Second
	warmUp      = time.Second // before the edge alone is believed to be at full speed
	margin      = 1.02        // by which offload's plan beats the edge alone
)

// Pacer decides how fast the edge may go. It is a plain value: the caller owns it, calls Step about
// ten times a second, and needs no lock.
type Pacer struct {
	mode      Mode
	length    int64 // of the object, for offload's plan
	allowance float64
	history   history

	// speed: a trial lowers the allowance for an epoch and compares totals.
	reference float64       // total rate that a trial must not lose
	peak      float64       // best total seen lately
	raiseAt   time.Duration // when the edge may be given all back again because the total lies below the peak
	raiseRest time.Duration
	since     time.Duration // when the allowance last changed
	before    float64       // allowance to go back to
	cut       float64       // bytes a second that the running trial took away; 0: no trial runs
	step      float64       // share that the next trial takes
	restUntil time.Duration
	rest      time.Duration

	// offload: what the edge alone would give, and since when it has had to.
	alone   float64
	started time.Duration
	begun   bool
	planned int64 // bytes remaining when the plan was made
}

// NewPacer returns a pacer for an object of which remaining bytes are missing.
func NewPacer(mode Mode, remaining int64) *Pacer {
	return &Pacer{mode: mode, length: remaining, planned: remaining, allowance: Unlimited, step: firstStep, rest: firstRest, raiseRest: firstRaise}
}

// Step takes a sample and returns the edge's allowance in bytes a second: Unlimited, or down to 0.
func (p *Pacer) Step(s Sample) float64 {
	p.history.add(s)
	if p.mode == EdgeOnly || s.Peers == 0 {
		p.giveBack(s.Now)
		p.learnAlone(s)
		return p.allowance
	}
	if !s.EdgeAlive {
		return p.allowance
	}
	if p.mode == Offload {
		return p.offload(s)
	}
	return p.speed(s)
}

// AloneRate is what the edge alone gives, as far as has been seen; 0 if it has not.
func (p *Pacer) AloneRate() float64 { return p.alone }

// giveBack lets the edge go as fast as it can, and starts to try again a while later.
func (p *Pacer) giveBack(now time.Duration) {
	if p.allowance == Unlimited && p.cut == 0 {
		return
	}
	p.allowance, p.cut, p.step, p.since = Unlimited, 0, firstStep, now
	p.reference = 0
	p.restUntil = now + settle + epoch
}

// speed lowers the edge's rate as long as the total does not follow: then the user's link is full, or
// the peers have it to give. A cut that the peers do not make up is taken back, and the next trial
// waits longer.
func (p *Pacer) speed(s Sample) float64 {
	now := s.Now
	// A collapse is judged by the fast window, once it holds nothing from before the last change.
	if p.reference > 0 && p.allowance != Unlimited && now-p.since > fastWindow+settle {
		if edge, peers := p.history.rates(now, fastWindow); edge+peers < collapse*p.reference {
			p.rest = min(2*p.rest, longestRest)
			p.giveBack(now)
			p.restUntil = now + p.rest
			return p.allowance
		}
	}
	if now-p.since < settle+epoch || now < p.restUntil {
		return p.allowance
	}
	edge, peers := p.history.rates(now, epoch)
	total := edge + peers
	if p.sags(now, total) {
		p.giveBack(now)
		return p.allowance
	}
	switch {
	case p.cut > 0: // a trial has run its time
		if total < p.reference-(1-replaced)*p.cut {
			p.allowance, p.cut, p.step, p.since = p.before, 0, firstStep, now
			p.restUntil, p.rest = now+p.rest, min(2*p.rest, longestRest)
			return p.allowance
		}
		p.cut = 0
		p.step = min(1, 2*p.step)
		p.rest = firstRest
		p.reference = max(total, 0.98*p.reference)
	default:
		// The reference may sink slowly, so that a link that has become slower is not fought for ever.
		p.reference = max(total, 0.97*p.reference)
	}
	if peers < smallTrial*total || p.allowance == 0 || edge <= 0 {
		return p.allowance
	}
	p.before = p.allowance
	p.cut = min(edge, max(p.step*edge, smallTrial*total))
	p.allowance = edge - p.cut
	if p.allowance < 0.02*total { // too little to be worth requests
		p.allowance = 0
	}
	p.since = now
	return p.allowance
}

// sags tells whether the total has sunk, slowly enough to look harmless from epoch to epoch, so far that
// the edge should show what it could add. If it adds nothing the lower total is the new peak.
func (p *Pacer) sags(now time.Duration, total float64) bool {
	if total >= sagging*p.peak {
		p.peak = max(p.peak*0.998, total)
		p.raiseRest = firstRaise
		return false
	}
	if p.allowance == Unlimited {
		p.peak = total
		return false
	}
	if p.cut > 0 || now < p.raiseAt {
		return false
	}
	p.raiseAt, p.raiseRest = now+p.raiseRest, min(2*p.raiseRest, longestRest)
	return true
}

// offload keeps to a plan: be done when the edge alone would have been, and let the edge supply just
// what the peers do not.
func (p *Pacer) offload(s Sample) float64 {
	p.learnAlone(s)
	if p.alone == 0 {
		return p.allowance
	}
	_, peers := p.history.rates(s.Now, 2*epoch)
	deadline := p.started + time.Duration(float64(p.planned)/p.alone*float64(time.Second))
	left := (deadline - s.Now).Seconds()
	if left <= 0.5 { // behind the plan, or too near its end to steer
		p.allowance = Unlimited
		return p.allowance
	}
	need := float64(s.Remaining)/left*margin - peers
	switch {
	case need <= 0.02*p.alone:
		p.allowance = 0
	case need >= 0.95*p.alone:
		p.allowance = Unlimited
	default:
		p.allowance = need
	}
	p.since = s.Now
	return p.allowance
}

// learnAlone keeps the best rate that the edge showed while nothing held it back, and lowers it slowly when the
// edge cannot deliver it any more.
func (p *Pacer) learnAlone(s Sample) {
	if !p.begun && s.EdgeBytes > 0 {
		p.begun, p.started, p.planned = true, s.Now, s.Remaining
	}
	if !p.begun || s.Now-p.started < warmUp || !s.EdgeAlive || p.allowance != Unlimited || s.Now-p.since < settle+epoch {
		return
	}
	edge, _ := p.history.rates(s.Now, 2*epoch)
	if edge > p.alone {
		p.alone = edge
	} else {
		p.alone += 0.02 * (edge - p.alone)
	}
}

// history remembers enough samples for the longest window.
type history struct {
	samples [64]Sample
	n       int // samples added
}

func (h *history) add(s Sample) {
	h.samples[h.n%len(h.samples)] = s
	h.n++
}

// rates returns bytes a second from edge and peers over about the last window.
func (h *history) rates(now, window time.Duration) (edge, peers float64) {
	if h.n < 2 {
		return 0, 0
	}
	last := h.samples[(h.n-1)%len(h.samples)]
	first := last
	for i := h.n - 2; i >= 0 && i > h.n-1-len(h.samples); i-- {
		first = h.samples[i%len(h.samples)]
		if last.Now-first.Now >= window {
			break
		}
	}
	d := (now - first.Now).Seconds()
	if d <= 0 {
		return 0, 0
	}
	return float64(last.EdgeBytes-first.EdgeBytes) / d, float64(last.PeerBytes-first.PeerBytes) / d
}

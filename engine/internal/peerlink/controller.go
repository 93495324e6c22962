package peerlink

import (
	"math"
	"time"
)

// controller decides how fast this device may send to all its peers together, so that it yields to the user's own
// traffic: it keeps the queue in front of the narrowest hop shorter than a target, in the manner of LEDBAT (RFC 6817) and
// LEDBAT++. Another sender that fills the queue thus drives it out of the way. It knows nothing but what it is told;
// the uplink tells it while there is something to send.
type controller struct {
	rate    float64       // bytes a second
	target  time.Duration // how long the queue may be
	taking  float64       // bytes received for each one sent, smoothed
	startup bool          // the queue has not grown yet
	empty   int           // intervals in a row without a queue
	at      time.Time     // of the last reading
	queue   time.Duration // of the last reading
	rtt     time.Duration // likewise
	line    line
	stride  float64   // by what share of itself the rate grew beyond what the line was seen to carry, at last
	settled time.Time // when the last cut will have shown

	period   int64         // number of the current drainPeriod
	standing time.Duration // the shortest queue in it
	drainEnd time.Time     // until then the rate is drainShare of itself
	newcomer bool          // a link has come since the last drain
}

// reading is what the paths of all links have shown in one interval.
type reading struct {
	queue time.Duration // that packets wait in front of our own line
	seen  time.Duration // that packets to peers wait anywhere; what we think to be the peers' may yet be ours
	rtt   time.Duration // with these queues
	sent  uint64        // bytes since the last reading
	got   uint64        // bytes that the same peers sent
	lossy bool          // more than the odd packet was lost

	unsure bool // the queue has just come, and it will soon be known whether it is in front of our own line
}

const (
	// Who only gives must not be noticed: somebody who plays or talks beside us feels 25 ms. Who is downloading from the same
	// peers gets by what it gives, and its own download fills the line anyway; see DECISIONS.md for what the longer queue gains.
	givingQueue   = 20 * time.Millisecond
	exchangeQueue = 50 * time.Millisecond
	exchangeShare = 0.2 // bytes received for each one sent; acknowledgements are a tenth at most

	// The rate changes once in a round trip, because it takes that long to see what a change did.
	minInterval = 50 * time.Millisecond
	maxInterval = 500 * time.Millisecond
	listenTime  = 25 * time.Millisecond

	startRate = 4e6
	minRate   = 16e3
	maxRate   = 2e9

	// Chosen by simulation over 2 Mbit/s to 2 Gbit/s and 1 to 250 ms, with and without 8 ms of noise, one link and 13.
	leadGain     = 2     // how many intervals ahead the queue is judged
	growGain     = 0.05  // of the rate, with no queue
	nearGain     = 0.015 // the same, where the line is nearly full
	leastGrown   = 160e3 // bytes a second, by whose gain at least the rate grows
	cutGain      = 0.3   // of the rate, for each target's length of queue above the target
	mostCut      = 0.3   // of the rate
	firstStride  = 0.03  // of the rate
	strideGrowth = 2     // from interval to interval
	mostStride   = 0.25
	manyEmpty    = 3 // intervals

	// A cut shows after two round trips, and what soundings and acknowledgements take besides. A second cut before that would be
	// for a queue that the first has mended.
	reactTime  = 100 * time.Millisecond
	forgetTime = 2 * time.Second // after which the line may carry more than it did

	// Every drainPeriod the rate falls for a moment so that our own queue empties: without it the queue
	// becomes part of the shortest round trip on record, and the target creeps up. All devices do so at the
	// same time, because those of a home share its queue.
	drainPeriod = 20 * time.Second
	drainTime   = 250 * time.Millisecond
	drainPause  = 5 * time.Second // between drains for newcomers
	drainShare  = 0.25
	drainWorth  = 5 * time.Millisecond // a shorter queue is left alone
)

func newController(now time.Time) *controller {
	return &controller{rate: startRate, target: givingQueue, startup: true, at: now, period: now.UnixNano() / int64(drainPeriod), standing: math.MaxInt64}
}

// allowed is the rate at this moment, in bytes a second.
func (c *controller) allowed(now time.Time) float64 {
	if now.Before(c.drainEnd) {
		return c.rate * drainShare
	}
	return c.rate
}

// update sets the rate at the end of an interval.
func (c *controller) update(now time.Time, r reading) {
	elapsed := now.Sub(c.at).Seconds()
	c.at, c.rtt = now, r.rtt
	c.aim(r)
	if elapsed <= 0 || c.drain(now, r.seen) {
		return
	}
	sent := float64(r.sent) / elapsed
	c.line.passed(sent, !r.unsure && r.queue <= soundingNoise)
	grown := r.queue - c.queue
	c.queue = r.queue
	// The queue is the sum of what was sent too fast so far; without a look ahead the rate would swing.
	ahead := float64(r.queue) + leadGain*float64(grown)
	room := min(1, 1-ahead/float64(c.target)) // 1: no queue; 0: on target; below: too long
	ours := r.seen < r.queue+soundingNoise    // of the queue nothing is explained away
	if room > 0.9 && ours {                   // soundings come late, and are not enough for long strides
		c.empty++
	} else {
		c.empty = 0
	}
	// Loss without a queue, or in that of a peer's line, is left to QUIC's own congestion control.
	lossy := r.lossy && room < 0.9 && ours
	switch {
	case room < 0 && r.unsure && !c.startup && c.line.trusts(c.rate):
		// Wait: to cut for every queue that comes at a peer's line would leave ours half idle.
	case lossy, room < -1, room < 0 && !now.Before(c.settled):
		if c.line.using(c.rate) { // or it could carry more than what left
			c.startup = false
			if !r.unsure {
				c.line.filled(c.rate, grown, elapsed)
			}
		}
		c.cut(now, room, lossy)
	case room < 0:
		// What was cut has not shown yet.
	case sent < used*c.rate && !c.line.using(c.rate):
		// Something else is the limit.
	case c.startup && room > 0.5 && ours:
		c.rate *= 2
	default:
		c.grow(now, room)
	}
	c.rate = min(max(c.rate, minRate), maxRate)
}

// cut lowers the rate, from what really left or is known to be carried: one that was never used would take long to come down.
func (c *controller) cut(now time.Time, room float64, lossy bool) {
	c.settled = now.Add(reactTime + 2*c.rtt)
	factor := 1 + max(-mostCut, cutGain*room)
	if lossy {
		factor = 1 - mostCut
	}
	c.rate = min(c.rate, max(1.1*c.line.leaving+minRate, c.line.carries)) * factor
}

// grow raises the rate: quickly far below what the line carries, and slowly near it until that was seen so long ago that the line may
// carry more.
func (c *controller) grow(now time.Time, room float64) {
	recent := now.Sub(c.settled) < forgetTime
	fits := c.line.fits(c.rate)
	stride := c.stride
	c.stride = 0
	switch {
	case c.empty > manyEmpty && fits:
		c.rate = min((1+mostStride)*c.rate, nearlyFull*c.line.carries)
	case c.empty > manyEmpty && !recent: // the other traffic has gone, or startup was ended by a stray sample
		c.stride = min(mostStride, max(firstStride, strideGrowth*stride))
		c.rate *= 1 + c.stride
	default:
		c.startup = false
		gain := growGain
		if recent && !fits {
			gain = nearGain
		}
		c.rate += room * gain * max(leastGrown, c.rate)
	}
}

// aim chooses the target: the longer one while what comes from peers is more than acknowledgements.
func (c *controller) aim(r reading) {
	if r.sent == 0 {
		return
	}
	c.taking += 0.1 * (min(1, float64(r.got)/float64(r.sent)) - c.taking)
	c.target = givingQueue
	if c.taking > exchangeShare {
		c.target = exchangeQueue
	}
}

// drain starts a drain at the beginning of a period if there was a queue all through the last one, or when somebody has come to
// whom the queue that is there looks like the path's own delay, and says whether one is under way; what is measured then says
// nothing about the rate.
func (c *controller) drain(now time.Time, queue time.Duration) bool {
	if now.Before(c.drainEnd) {
		return true
	}
	due := false
	if period := now.UnixNano() / int64(drainPeriod); period != c.period {
		c.period = period
		due = c.standing != math.MaxInt64 && c.standing >= drainWorth
		c.standing = math.MaxInt64
	}
	if now.Sub(c.drainEnd) > drainPause && c.newcomer {
		due = due || queue >= drainWorth
		c.newcomer = false
	}
	if due {
		c.drainEnd = now.Add(drainTime)
		return true
	}
	c.standing = min(c.standing, queue)
	return false
}

package peerlink

import (
	"math"
	"time"
)

// controller decides how fast a link may send so that it yields to the user's own traffic: it keeps the
// queue in front of the narrowest hop shorter than a target, in the manner of LEDBAT (RFC 6817) and
// LEDBAT++. Another sender that fills the queue thus drives it out of the way. It knows nothing but what
// it is told; the pacer tells it while there is something to send.
type controller struct {
	rate     float64 // bytes a second
	startup  bool    // the queue has not grown yet
	empty    int     // intervals in a row without a queue
	base     baseRTT
	previous sample
	at       time.Time     // of previous
	lowest   time.Duration // RTT of the last listenTime of the interval; zero: none
	queue    time.Duration // of previous
	actual   float64       // bytes a second that really left, smoothed

	period   int64         // number of the current drainPeriod
	standing time.Duration // the shortest queue in it
	drainEnd time.Time     // until then the rate is drainShare of itself
}

// sample is the state of a connection. The counters only grow, except that lostPackets falls when a
// packet thought lost arrives after all.
type sample struct {
	rtt         time.Duration // the latest; zero: not measured
	sentBytes   uint64
	sentPackets uint64
	lostPackets uint64
}

const (
	targetQueue = 50 * time.Millisecond // a user's upload keeps 94% of its rate beside us

	// The rate changes once in a round trip, because it takes that long to see what a change did.
	minInterval = 50 * time.Millisecond
	maxInterval = 500 * time.Millisecond
	listenTime  = 25 * time.Millisecond

	startRate = 4e6
	minRate   = 16e3
	maxRate   = 2e9

	// Chosen by simulation over 1 Mbit/s to 2 Gbit/s and 1 to 300 ms, with and without 8 ms of noise: at
	// least 83% of an idle link, at a mean queue of at most 65 ms.
	leadGain = 2    // how many intervals ahead the queue is judged
	growGain = 0.05 // of the rate, with no queue
	cutGain  = 0.3  // of the rate, for each target's length of queue above the target
	mostCut  = 0.3  // of the rate

	// Every drainPeriod the rate falls for a moment so that our own queue empties: without it the queue
	// becomes part of the shortest round trip on record, and the target creeps up. All links of a device
	// do so at the same time, because they may share the queue.
	drainPeriod = 20 * time.Second
	drainTime   = 250 * time.Millisecond
	drainShare  = 0.25
	drainWorth  = 5 * time.Millisecond // a shorter queue is left alone
)

// newController takes what the handshake measured, when there was no queue of ours.
func newController(now time.Time, s sample) *controller {
	c := &controller{
		rate: startRate, startup: true, previous: s, at: now,
		period: now.UnixNano() / int64(drainPeriod), standing: math.MaxInt64,
	}
	if s.rtt > 0 {
		c.base.update(now, s.rtt)
	}
	return c
}

// observe takes the state of the connection, as often as convenient, and changes the rate when an interval
// has passed. Of the last round trips the shortest counts: a queue in the network delays all of them, a
// busy machine only some.
func (c *controller) observe(now time.Time, s sample) {
	age, interval := now.Sub(c.at), min(max(minInterval, c.previous.rtt), maxInterval)
	if age < interval-listenTime {
		return
	}
	if c.lowest == 0 || s.rtt < c.lowest {
		c.lowest = s.rtt
	}
	if age < interval {
		return
	}
	s.rtt, c.lowest = c.lowest, 0
	c.update(now, s)
}

// allowed is the rate at this moment, in bytes a second.
func (c *controller) allowed(now time.Time) float64 {
	if now.Before(c.drainEnd) {
		return c.rate * drainShare
	}
	return c.rate
}

// update sets the rate at the end of an interval.
func (c *controller) update(now time.Time, s sample) {
	elapsed := now.Sub(c.at).Seconds()
	last := c.previous
	c.previous, c.at = s, now
	if s.rtt <= 0 || elapsed <= 0 {
		return
	}
	queue := s.rtt - c.base.update(now, s.rtt)
	if c.drain(now, queue) {
		return
	}
	sent := float64(s.sentBytes-last.sentBytes) / elapsed
	c.actual += 0.3 * (sent - c.actual)
	// The queue is the sum of what was sent too fast so far; without a look ahead the rate would swing.
	ahead := float64(queue) + leadGain*float64(queue-c.queue)
	c.queue = queue
	room := min(1, 1-ahead/float64(targetQueue)) // 1: no queue; 0: on target; below: too long
	if room > 0.9 {
		c.empty++
	} else {
		c.empty = 0
	}

	// Loss without a queue is left to QUIC's own congestion control.
	switch lossy := room < 0.9 && c.lossy(s, last); {
	case room < 0 || lossy:
		c.startup = false
		factor := 1 + max(-mostCut, cutGain*room)
		if lossy {
			factor = 1 - mostCut
		}
		// From what really left, or a rate that was never used would take long to come down.
		c.rate = min(c.rate, 1.1*c.actual+minRate) * factor
	case max(sent, c.actual) < 0.6*c.rate:
		// Something else is the limit; a rate that is not used says nothing about the path.
	case c.startup && room > 0.5:
		c.rate *= 2
	case c.empty > 3: // the other traffic has gone, or startup was ended by a stray sample
		c.rate *= 1.25
	default:
		c.startup = false
		c.rate += room * max(8e3, growGain*c.rate)
	}
	c.rate = min(max(c.rate, minRate), maxRate)
}

// drain starts a drain at the beginning of a period if there was a queue all through the last one, and
// says whether one is under way; what is measured then says nothing about the rate.
func (c *controller) drain(now time.Time, queue time.Duration) bool {
	if now.Before(c.drainEnd) {
		return true
	}
	if period := now.UnixNano() / int64(drainPeriod); period != c.period {
		c.period = period
		lasted := c.standing != math.MaxInt64 && c.standing >= drainWorth
		c.standing = math.MaxInt64
		if lasted {
			c.drainEnd = now.Add(drainTime)
			return true
		}
	}
	c.standing = min(c.standing, queue)
	return false
}

// lossy says that the path drops more than the odd packet: fast links lose a few in each interval.
func (c *controller) lossy(s, last sample) bool {
	lost := int64(s.lostPackets) - int64(last.lostPackets)
	return lost > 3 && float64(lost) > 0.02*float64(s.sentPackets-last.sentPackets)
}

// baseRTT remembers the shortest round trip of the last minute, in slots of ten seconds.
type baseRTT struct {
	slots [6]time.Duration // zero: nothing measured
	slot  int64
}

const baseSlot = 10 * time.Second

func (b *baseRTT) update(now time.Time, rtt time.Duration) time.Duration {
	slot := now.UnixNano() / int64(baseSlot)
	n := int64(len(b.slots))
	for s := max(b.slot+1, slot-n+1); s <= slot; s++ {
		b.slots[s%n] = 0
	}
	b.slot = max(b.slot, slot)
	if current := &b.slots[b.slot%n]; *current == 0 || rtt < *current {
		*current = rtt
	}
	shortest := rtt
	for _, s := range b.slots {
		if s > 0 {
			shortest = min(shortest, s)
		}
	}
	return shortest
}

package peerlink

import "time"

// sample is the state of a connection. The counters only grow, except that lostPackets falls when a
// packet thought lost arrives after all.
type sample struct {
	rtt         time.Duration // the latest; zero: not measured
	sentBytes   uint64
	gotBytes    uint64
	sentPackets uint64
	lostPackets uint64
}

// path is what the uplink has seen of one link's way to its peer. Uplink.mu guards it.
type path struct {
	ask    func() sample
	base   baseRTT
	latest time.Duration // the round trip seen last: one that differs from it is new
	lowest time.Duration // of the new round trips of this interval; zero: there was none
	closed sample        // at the end of the last interval
	used   time.Time     // when it last sent
}

// newPath takes what the handshake has measured, when there was hardly a queue of ours.
func newPath(now time.Time, ask func() sample) *path {
	s := ask()
	p := &path{ask: ask, latest: s.rtt, closed: s}
	if s.rtt > 0 {
		p.base.update(now, s.rtt)
	}
	return p
}

// look takes a new round trip over. Of several the shortest counts: a queue in the network delays all of them, a busy
// machine only some.
func (p *path) look() {
	s := p.ask()
	if s.rtt <= 0 || s.rtt == p.latest {
		return
	}
	p.latest = s.rtt
	if p.lowest == 0 || s.rtt < p.lowest {
		p.lowest = s.rtt
	}
}

// glance is what a path has shown in an interval.
type glance struct {
	fresh bool          // a round trip was measured
	queue time.Duration // if fresh
	rtt   time.Duration // likewise
	sent  uint64        // bytes
	got   uint64        // bytes, acknowledgements too
	lossy bool
}

// glance ends the interval.
func (p *path) glance(now time.Time) (g glance) {
	s, last := p.ask(), p.closed
	p.closed = s
	g.sent, g.got = s.sentBytes-last.sentBytes, s.gotBytes-last.gotBytes
	g.lossy = lossy(s, last)
	if p.lowest > 0 {
		g.fresh, g.rtt = true, p.lowest
		g.queue = p.lowest - p.base.update(now, p.lowest)
		p.lowest = 0
	}
	return g
}

// lossy says that the path drops more than the odd packet: fast links lose a few in each interval.
func lossy(s, last sample) bool {
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

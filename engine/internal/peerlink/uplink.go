package peerlink

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// uplink is this device's way to the Internet, which all links but those of the LAN share. There is one rate for all of
// them: each with a rate of its own would take the others' packets for somebody else's traffic, and many of them
// together would never be polite. Links send one after the other, in turn, so that what leaves at once is one burst and not one
// of each link.
type uplink struct {
	turn chan struct{} // room for one: the link that is granted bytes next. Go lets those who wait in in their order

	sounding sounding // has its own lock

	mu      sync.Mutex // guards what follows
	paths   map[*path]struct{}
	control *controller
	doubt   bool             // the next interval needs a sounding
	own     [2]time.Duration // queue in front of our line by its last soundings, the newest first
	sounded time.Time        // when the newest came
	alone   bool             // the one before it is too old to say anything
	clear   time.Time        // when the paths last showed no queue, or nothing had been sent for long
	looked  time.Time
	tokens  float64 // bytes
	filled  time.Time
}

const (
	// A pause, because nobody had anything to send or because a busy machine woke the writer late, is made good by a
	// burst that fills the queue up to its target, but at least of minBurstTime.
	minBurstTime = 10 * time.Millisecond
	minBurst     = 2 * minTake
	// takeTime is how much is granted at least, so that writers do not wake for every packet.
	takeTime = 8 * time.Millisecond
	minTake  = 1400 // bytes: a packet

	maxPause  = 50 * time.Millisecond
	lookEvery = 5 * time.Millisecond // at the end of an interval
	inUse     = time.Second          // since a path last sent; an older round trip says nothing of the queue
)

func newUplink(now time.Time) *uplink {
	return &uplink{turn: make(chan struct{}, 1), paths: map[*path]struct{}{}, control: newController(now), doubt: true, tokens: minBurst, filled: now}
}

func (u *uplink) join(p *path) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.paths[p] = struct{}{}
	u.control.newcomer = true
}

func (u *uplink) leave(p *path) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.paths, p)
}

// grant lets up to want bytes go over the path, or none and says how long to wait before asking again. The caller has
// the turn.
func (u *uplink) grant(now time.Time, p *path, want int) (n int, wait time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p.used = now
	u.observe(now)
	rate := u.control.allowed(now)
	burstTime := max(minBurstTime, u.control.target-u.control.queue)
	u.tokens = min(u.tokens+rate*now.Sub(u.filled).Seconds(), max(minBurst, rate*burstTime.Seconds()))
	u.filled = now
	quantum := max(minTake, rate*takeTime.Seconds())
	if least := min(float64(want), quantum); u.tokens < least {
		return 0, min(maxPause, time.Duration((least-u.tokens)/rate*float64(time.Second))+time.Millisecond)
	}
	n = int(min(float64(want), u.tokens))
	if len(u.paths) > 1 { // others may wait for their turn
		n = int(min(float64(n), quantum))
	}
	u.tokens -= float64(n)
	return n, 0
}

// queue is how long what this device sends waits in front of its own line now, as far as has been seen.
func (u *uplink) queue(now time.Time) time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	if now.Sub(u.filled) > inUse {
		return 0
	}
	return u.control.queue
}

// observe looks at the paths as often as convenient, and has the rate changed when an interval has passed. u.mu is held.
func (u *uplink) observe(now time.Time) {
	age, interval := now.Sub(u.control.at), min(max(minInterval, u.control.rtt), maxInterval)
	if age < interval-listenTime || age < interval && now.Sub(u.looked) < lookEvery {
		return
	}
	u.looked = now
	for p := range u.paths {
		if now.Sub(p.used) < inUse {
			p.look()
		}
	}
	if age > interval+soundingLife {
		u.clear = now
	}
	if age >= interval {
		r := u.read(now)
		u.control.update(now, r)
		u.doubt = r.seen > soundingNoise || now.Before(u.control.drainEnd) || u.sounding.due(now)
	}
}

// sound has our own line measured where that may tell more than the paths do. The caller has the turn.
func (u *uplink) sound(now time.Time) {
	u.mu.Lock()
	doubt := u.doubt
	u.doubt = false
	u.mu.Unlock()
	if doubt {
		u.sounding.ask(now)
	}
}

// beyond is how much of a queue that the paths show is in front of the peers' lines: what the longer of our own line's last two
// soundings does not explain. Both must be recent: of a queue that has just begun nobody knows whose it is. unsure says that
// soundings are about to tell. u.mu is held.
func (u *uplink) beyond(now time.Time, seen time.Duration) (beyond time.Duration, unsure bool) {
	if seen <= soundingNoise {
		u.clear = now
	}
	own, heard, ok := u.sounding.last(now)
	if ok && heard != u.sounded {
		u.own, u.alone = [2]time.Duration{own, u.own[0]}, heard.Sub(u.sounded) > soundingLife
		u.sounded = heard
	}
	if !ok || u.alone {
		return 0, now.Sub(u.clear) < soundingLife && u.sounding.answers()
	}
	return max(0, seen-slices.Max(u.own[:])-soundingNoise), false
}

// read sums up what the paths have shown. The queue is that of the lower quarter: what is in front of our own line all
// see, and what only a few see is on their peers' side, where QUIC's congestion control answers it, or in a busy machine. It is
// not the very shortest, because a link that met while there was a queue takes that for the path's own delay. What is in front of
// all peers' lines is taken off. u.mu is held.
func (u *uplink) read(now time.Time) (r reading) {
	var seen []glance
	losing := 0
	for p := range u.paths {
		g := p.glance(now)
		r.sent, r.got = r.sent+g.sent, r.got+g.got
		if !g.fresh {
			continue
		}
		seen = append(seen, g)
		if g.lossy {
			losing++
		}
	}
	if len(seen) == 0 {
		r.queue, r.seen, r.rtt = u.control.queue, u.control.queue, u.control.rtt
		return r
	}
	slices.SortFunc(seen, func(a, b glance) int { return cmp.Compare(a.queue, b.queue) })
	low := seen[(len(seen)-1)/4]
	r.queue, r.seen, r.rtt = low.queue, low.queue, low.rtt
	beyond, unsure := u.beyond(now, low.queue)
	r.queue, r.unsure = max(0, r.queue-beyond), unsure
	r.lossy = 2*losing > len(seen)
	return r
}

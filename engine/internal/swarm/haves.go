package swarm

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"
)

// haves are the pieces that this client has got and the peer has not been told of yet. A packet for each is a good part of a crowd's
// packets: each piece is told to a dozen neighbours, most of whom have it. So they go together, and with whatever else is said.
type haves struct {
	timer *time.Timer // when they are due

	mu   sync.Mutex // guards what follows
	held []byte     // frames
	due  time.Time  // when they leave at the latest
	told time.Time  // when the last left
}

const (
	haveApart    = 100 * time.Millisecond // between messages to a peer that waits for the pieces, at least
	haveFarApart = 500 * time.Millisecond // the same, where the peer's LAN is not ours, and we are in one
	haveKnown    = time.Second            // that a piece is told late which the peer has: it only counts what we have
)

// holdBack takes out of whole frames what need not leave at once, and returns the others, with the pieces that have been waiting.
// What the peer is told of our interest nobody acts on; it is dropped.
func (l *link) holdBack(frames []byte, now time.Time) (rest []byte) {
	h := &l.haves
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(frames) > 0 {
		n := prefix + int(binary.BigEndian.Uint32(frames))
		frame := frames[:n]
		frames = frames[n:]
		switch {
		case n > prefix && frame[prefix] == msgHave:
			h.hold(frame, now, l.haveWithin(int(binary.BigEndian.Uint32(frame[prefix+1:])), now))
		case n > prefix && (frame[prefix] == msgInterested || frame[prefix] == msgNotInterested):
		default:
			rest = append(rest, frame...)
		}
	}
	if len(rest) > 0 {
		return append(rest, h.take(now)...) // in this order: a bitfield must be the first
	}
	return nil
}

// tellHaves sends what is held.
func (l *link) tellHaves() {
	l.haves.mu.Lock()
	frames := l.haves.take(time.Now())
	l.haves.mu.Unlock()
	if len(frames) > 0 {
		_, _ = l.send(frames) // an error has closed the link
	}
}

// haveWithin is how long the peer may be left without the word that piece i is here.
func (l *link) haveWithin(i int, now time.Time) time.Duration {
	l.swarm.mu.Lock()
	defer l.swarm.mu.Unlock()
	apart := haveApart
	switch {
	case l.has.has(i):
		return haveKnown
	case l.swarm.farFromLAN(l):
		apart = haveFarApart
	}
	return apart - now.Sub(l.haves.told)
}

// hold keeps a frame that must leave within a time. h.mu is held.
func (h *haves) hold(frame []byte, now time.Time, within time.Duration) {
	if due := now.Add(within); len(h.held) == 0 || due.Before(h.due) {
		h.due = due
		// Never set for now: in a bubble (testing/synctest) Go 1.26 runs such a timer inside Reset, and a crash of the runtime was
		// seen there, once, under the race detector. Why is not known.
		h.timer.Reset(max(within, 1))
	}
	h.held = append(h.held, frame...)
}

// take returns all that is held, to be sent now. h.mu is held.
func (h *haves) take(now time.Time) []byte {
	if len(h.held) == 0 {
		return nil
	}
	frames := slices.Clone(h.held)
	h.held, h.told = h.held[:0], now
	return frames
}

// newStoppedTimer returns a timer that calls f when it is set and has run out.
func newStoppedTimer(f func()) *time.Timer {
	t := time.AfterFunc(time.Hour, f)
	t.Stop()
	return t
}

package swarm

import (
	"encoding/binary"
	"slices"
	"time"
)

// While there are peers in our LAN, the others are asked only for what nobody in the LAN has and this client is to fetch:
// each piece shall cross the line to the Internet once, for all in the LAN. The library cannot be told to ask some peers for
// some pieces, so it is not told what the far peers have until they are to be asked for it.

// Turns says how many others come before this client for each piece, in an order that all of them know: of pieces that are equally
// rare, each asks for its own first, so that whoever alone has many does not send them to several at once. With only, this
// client is to fetch nothing else from outside its LAN: its neighbours do.
func (s *Swarm) Turns(turns []int, only bool) {
	s.mu.Lock()
	s.turns, s.onlyTurns = slices.Clone(turns), only
	s.mu.Unlock()
	s.signal()
}

// turn is how many others come before this client for piece i. s.mu is held.
func (s *Swarm) turn(i int) int {
	if s.turns == nil {
		return 0
	}
	return s.turns[i]
}

// hide keeps from the library that a far peer has piece i, if there are near ones, and reports it. s.mu is held.
func (s *Swarm) hide(l *link, i int) bool {
	if !s.farFromLAN(l) {
		return false
	}
	l.hidden.add(i)
	return true
}

// farFromLAN tells that there are peers in our LAN, and that this is none of them. s.mu is held.
func (s *Swarm) farFromLAN(l *link) bool {
	return !l.options.Near && s.inLAN()
}

// inLAN tells that there are peers in our LAN. s.mu is held.
func (s *Swarm) inLAN() bool {
	for _, l := range s.links {
		if l.options.Near {
			return true
		}
	}
	return false
}

// While there are neighbours, few far peers are asked at the same time: the line is shared with the neighbours, who ask far peers, too, and
// with a hundred streams on it, each loses a packet in six. Where streams are fast there is room for more of them.
const (
	fewFar     = 2
	goodFar    = 64e3                   // bytes a second from each, on average, for more than a few
	engagedFor = 300 * time.Millisecond // after it owed us something, or the library was told of a piece to ask it for
)

// farEngaged is how many of those outside the LAN are being asked, and how many may be. s.mu is held.
func (s *Swarm) farEngaged(now time.Time) (n, most int) {
	rate := 0.0
	for _, l := range s.links {
		if !l.options.Near {
			rate += float64(l.received) / max(1, now.Sub(l.since).Seconds()) // since it came: a burst says little
			if l.engaged(now) {
				n++
			}
		}
	}
	return n, max(fewFar, int(rate/goodFar))
}

// engaged tells that the peer owes us something, has just given it, or is about to be asked. s.mu is held.
func (l *link) engaged(now time.Time) bool {
	return l.owed(now) < engagedFor || now.Sub(l.shown) < engagedFor
}

// mayAsk tells whether the peer may be asked for piece i, which it has. s.mu is held.
func (s *Swarm) mayAsk(l *link, i int) bool {
	if !l.hidden.has(i) {
		return true
	}
	if s.onlyTurns && s.turn(i) > 0 {
		return false
	}
	for _, other := range s.links {
		if other.options.Near && other.has.has(i) && !other.stalled.Load() && !other.chokes.Load() {
			return false
		}
	}
	return true
}

// show has the library told that the peer has piece i. s.mu is held; the caller wakes Read if it reports that there was nothing to tell.
func (l *link) show(i int) (first bool) {
	if !l.hidden.has(i) {
		return false
	}
	l.hidden.remove(i)
	l.shown = time.Now()
	l.reveal = append(l.reveal, i)
	return len(l.reveal) == 1
}

// revealed returns the messages that tell the library of what was hidden.
func (l *link) revealed() (frames []byte) {
	l.swarm.mu.Lock()
	defer l.swarm.mu.Unlock()
	for _, i := range l.reveal {
		frames = append(frames, 0, 0, 0, 5, msgHave)
		frames = binary.BigEndian.AppendUint32(frames, uint32(i))
	}
	l.reveal = l.reveal[:0]
	return frames
}

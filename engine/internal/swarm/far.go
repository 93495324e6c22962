package swarm

import (
	"encoding/binary"
	"slices"
)

// While there are peers in our LAN, the others are asked only for what nobody in the LAN has and this client is to fetch:
// each piece shall cross the line to the Internet once, for all in the LAN. The library cannot be told to ask some peers for
// some pieces, so it is not told what the far peers have until they are to be asked for it.

// Fetch says which pieces this client is to fetch from outside its LAN, the others being its neighbours'; nil: all.
func (s *Swarm) Fetch(pieces []bool) {
	s.mu.Lock()
	s.fetching = slices.Clone(pieces)
	s.mu.Unlock()
	s.signal()
}

// hide keeps from the library that a far peer has piece i, if there are near ones, and reports it. s.mu is held.
func (s *Swarm) hide(l *link, i int) bool {
	if l.options.Near {
		return false
	}
	for _, other := range s.links {
		if other.options.Near {
			l.hidden.add(i)
			return true
		}
	}
	return false
}

// mayAsk tells whether the peer may be asked for piece i, which it has. s.mu is held.
func (s *Swarm) mayAsk(l *link, i int) bool {
	if !l.hidden.has(i) {
		return true
	}
	if s.fetching != nil && !s.fetching[i] {
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

package peerlink

import (
	"sync"
	"time"
)

// sounding measures the queue in front of this device's own line: how much longer than usual a packet takes to the STUN
// server and back, a way that shares nothing with any peer but that line. The round trips to peers contain the peers' queues
// too, and whoever downloads fills his own line; that is his affair, and his edge's, and no reason to slow down.
type sounding struct {
	send func(answered func()) // asks the server; answered is called at most once, from any goroutine; nil: there is none

	mu       sync.Mutex
	base     baseRTT
	shortest time.Duration // by base, as of the last answer
	rtt      time.Duration // of the last answer
	heard    time.Time     // when it came
	asked    time.Time     // when the last question was sent
	waits    bool          // it is not answered yet
}

const (
	soundingEvery = 100 * time.Millisecond // at most: the server has others to answer
	soundingLost  = 500 * time.Millisecond // without an answer, after which another question is sent
	soundingLife  = time.Second            // of an answer
	// soundingNoise is by how much two measurements of one queue may differ.
	soundingNoise = 5 * time.Millisecond
)

// ask sends a question, unless one is under way. No lock may be held.
func (s *sounding) ask(now time.Time) {
	s.mu.Lock()
	age := now.Sub(s.asked)
	early := s.send == nil || age < soundingEvery || s.waits && age < soundingLost
	if !early {
		s.asked, s.waits = now, true
	}
	s.mu.Unlock()
	if !early {
		s.send(func() { s.answer(now, time.Now()) })
	}
}

// answer takes the answer to the question that was sent at a moment.
func (s *sounding) answer(asked, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rtt, s.heard, s.waits = now.Sub(asked), now, false
	s.shortest = s.base.update(now, s.rtt)
}

// last is how long packets waited in front of our own line when the last answer came; ok says whether that is not long ago.
func (s *sounding) last(now time.Time) (queue time.Duration, heard time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rtt - s.shortest, s.heard, !s.heard.IsZero() && now.Sub(s.heard) < soundingLife
}

// due tells whether the shortest round trip of this baseSlot is unknown.
func (s *sounding) due(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard.IsZero() || now.Sub(s.heard) > baseSlot
}

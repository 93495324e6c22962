package peerlink

import (
	"sync"
	"time"
)

// sounding measures the queue in front of this device's own line: how much longer than usual a packet takes to the STUN
// server, a way that shares nothing with any peer but that line. The round trips to peers contain the peers' queues
// too, and whoever downloads fills his own line; that is his affair, and his edge's, and no reason to slow down. A server
// that tells when it was reached shows the way there alone, by a clock of its own (as in LEDBAT, RFC 6817 section 3.2); of others the way back
// counts too, with the queue in front of the server's line and of what we download ourselves.
type sounding struct {
	send func(answered func(stamp)) // asks the server; answered is called at most once, from any goroutine; nil: there is none

	mu                  sync.Mutex
	stamped             bool          // trips are by the server's clock
	anchor              time.Duration // what the two clocks differ by, more or less, if stamped
	base                baseRTT       // of trips
	shortest            time.Duration // by base, as of the last answer
	trip                time.Duration // of the last answer: the round trip, or longer than usualTrip by what the way there has become longer
	heard               time.Time     // when it came
	asked               time.Time     // when the last question was sent
	questions, answered int           // sent so far; the number of the newest that has an answer
}

const (
	soundingEvery = 40 * time.Millisecond  // at most: the server has others to answer
	soundingsOpen = 8                      // questions under way: the answers come behind what the server's line, and our own, bring
	soundingLost  = 500 * time.Millisecond // after so many without an answer, the next question waits for so long
	soundingLife  = 250 * time.Millisecond // of an answer
	usualTrip     = time.Minute            // by the server's clock; only differences count
	clockJump     = 10 * time.Second       // between two trips: the server has begun to count anew
	// soundingNoise is by how much two measurements of one queue may differ.
	soundingNoise = 5 * time.Millisecond
)

// ask sends a question, unless the last was sent just now or many are under way. No lock may be held.
func (s *sounding) ask(now time.Time) {
	s.mu.Lock()
	pause := soundingEvery
	if s.questions-s.answered >= soundingsOpen {
		pause = soundingLost
	}
	early := s.send == nil || now.Sub(s.asked) < pause
	if !early {
		s.asked = now
		s.questions++
	}
	n := s.questions
	s.mu.Unlock()
	if !early {
		s.send(func(reached stamp) { s.answer(n, now, time.Now(), reached) })
	}
}

// answer takes the answer to question n, which was sent at a moment. One that a later one has overtaken says nothing new.
func (s *sounding) answer(n int, asked, now time.Time, reached stamp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n <= s.answered {
		return
	}
	s.answered = n
	trip := now.Sub(asked)
	if reached.known {
		trip = reached.at - asked.Sub(began) - s.anchor
	}
	if reached.known != s.stamped || reached.known && (trip-usualTrip).Abs() > clockJump {
		s.stamped, s.base = reached.known, baseRTT{}
		if reached.known {
			s.anchor += trip - usualTrip
			trip = usualTrip
		}
	}
	s.trip, s.heard = trip, now
	s.shortest = s.base.update(now, trip)
}

// began is what our own clock counts from.
var began = time.Now()

// last is how long packets waited in front of our own line when the last answer came; ok says whether that is not long ago.
func (s *sounding) last(now time.Time) (queue time.Duration, heard time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trip - s.shortest, s.heard, !s.heard.IsZero() && now.Sub(s.heard) < soundingLife
}

// answers tells whether the server has answered before and not been silent since.
func (s *sounding) answers() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answered > 0 && s.questions-s.answered < soundingsOpen
}

// due tells whether the shortest trip of this baseSlot is unknown.
func (s *sounding) due(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard.IsZero() || now.Sub(s.heard) > baseSlot
}

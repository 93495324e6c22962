package swarm

import (
	"cmp"
	"math/rand/v2"
	"time"

	"github.com/anacrolix/torrent"
)

// candidates is how many pieces are looked at to find a rare one. They are taken from a random place on,
// so that clients that start together do not all ask for the same pieces and have something to trade.
const candidates = 64

// ask tells the library about as many wanted pieces as peers can be busy with, and no more: by itself
// it would go through all that is wanted from front to back, like every other client at the same time.
func (s *Swarm) ask() {
	s.asking.Lock()
	defer s.asking.Unlock()
	pieces, told := s.nextPieces()
	for _, l := range told {
		l.wake()
	}
	for _, i := range pieces {
		s.torrent.Piece(i).SetPriority(torrent.PiecePriorityNormal)
	}
}

// nextPieces moves pieces from waiting to asked until each peer that may be asked finds free chunks for
// the next window of all peers together. It returns them, and the links that have something to tell the library.
func (s *Swarm) nextPieces() (pieces []int, told []*link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left || s.hopeless {
		return nil, nil
	}
	now := time.Now()
	horizon := s.lookAhead(now)
	need, windows := 0, make(map[*link]int, len(s.links))
	for _, l := range s.links {
		windows[l] = l.window(now, horizon)
		need += windows[l]
	}
	inLAN := s.inLAN()
	far, mostFar := s.farEngaged(now)
	for l, window := range windows {
		another := inLAN && !l.options.Near && !l.engaged(now)
		if another && far >= mostFar {
			continue
		}
		more, tell := s.supply(l, window, need)
		pieces = append(pieces, more...)
		if tell {
			told = append(told, l)
		}
		if another && l.engaged(now) {
			far++
		}
	}
	return pieces, told
}

// supply moves pieces from waiting to asked until the peer, which has them, finds so many free chunks; of what it alone has, and others
// are about to ask it for, no more than its window. tell says that it has something to tell the library. s.mu is held.
func (s *Swarm) supply(l *link, window, need int) (pieces []int, tell bool) {
	free := 0
	s.asked.common(l.has, 0, func(i int) bool {
		if s.mayAsk(l, i) {
			free += s.free(i)
			tell = l.show(i) || tell
		}
		return free < need
	})
	for free < need {
		i, ok := s.rare(s.waiting, l)
		if !ok || free >= window && s.holders[i] == 1 && s.turn(i) > 0 {
			break
		}
		s.waiting.remove(i)
		s.asked.add(i)
		pieces = append(pieces, i)
		free += s.free(i)
		tell = l.show(i) || tell
	}
	return pieces, tell
}

// Beside tells how many bytes a second come from elsewhere, of what peers could be asked for as well.
func (s *Swarm) Beside(rate float64) { s.beside.Store(int64(rate)) }

// lookAhead sets for how long each peer is asked ahead: windowTime, or as long as all peers, and who else sends, need together for the
// rest. Otherwise whoever is asked first takes the whole rest for itself, and the others have nothing to do. s.mu is held.
func (s *Swarm) lookAhead(now time.Time) time.Duration {
	rest := int64(s.waiting.count()+s.asked.count()) * s.layout.pieceLength
	for _, p := range s.work {
		rest -= p.received
	}
	rate := float64(s.beside.Load())
	for _, l := range s.links {
		rate += l.rate(now)
	}
	horizon := windowTime
	if rate > 0 {
		horizon = time.Duration(min(max(float64(rest), 0)/rate, windowTime.Seconds()) * float64(time.Second))
	}
	s.horizon.Store(int64(horizon))
	return horizon
}

func (s *Swarm) free(i int) int {
	if p := s.work[i]; p != nil {
		return p.free()
	}
	return s.layout.chunks(s.layout.size(i))
}

// rare returns one of the rarest among some of the pieces in the set that the peer has, of these the one whose turn is nearest.
func (s *Swarm) rare(set bitset, l *link) (best int, found bool) {
	looked, ties := 0, 0
	set.common(l.has, rand.IntN(len(set)), func(i int) bool {
		if !s.mayAsk(l, i) {
			return true
		}
		order := -1
		if found {
			order = cmp.Or(cmp.Compare(s.holders[i], s.holders[best]), cmp.Compare(s.turn(i), s.turn(best)))
		}
		switch {
		case order < 0:
			best, found, ties = i, true, 1
		case order == 0:
			if ties++; rand.IntN(ties) == 0 {
				best = i
			}
		}
		looked++
		return looked < candidates
	})
	return best, found
}

package swarm

import (
	"cmp"
	"slices"
	"time"
)

// news is what callbacks have marked for the pump. Guarded by Swarm.mu. It is bounded by the object:
// a piece is verified once, and rejected at most as fast as peers can send it.
type news struct {
	verified []verdict
	rejected []verdict
	repair   []int // pieces whose state in the library and in Pieces may differ
	changed  bool  // peers
	gone     bool  // a peer: the library may have banned it
	failure  error // of the storage
}

type verdict struct {
	piece  int
	credit map[PeerID]int64 // of a verified piece
	from   []PeerID         // of a rejected piece
	bytes  int64
}

// judgeEvery is how often peers that owe us something are looked at. Nothing ticks otherwise.
const judgeEvery = 100 * time.Millisecond

// pump turns what callbacks have marked into calls, which need the locks that the callbacks hold.
func (s *Swarm) pump() {
	tick := time.NewTimer(judgeEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			s.tell(s.takeNews())
			return
		case <-s.wake:
		case <-tick.C:
		}
		n := s.takeNews()
		s.tell(n)
		s.amend(n)
		busy := s.judgeAll()
		s.ask()
		if busy || len(n.repair) > 0 {
			tick.Reset(judgeEvery)
		}
	}
}

func (s *Swarm) takeNews() news {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.news
	s.news = news{}
	return n
}

func (s *Swarm) tell(n news) {
	for _, v := range n.verified {
		s.obs.PieceVerified(v.piece, v.credit)
	}
	for _, v := range n.rejected {
		s.obs.PieceRejected(v.piece, v.from, v.bytes)
	}
	if n.changed {
		s.obs.PeersChanged()
	}
	if n.failure != nil {
		s.obs.StorageFailed(n.failure)
	}
}

// amend brings the library's and the engine's view in line with what has happened.
func (s *Swarm) amend(n news) {
	if n.failure != nil {
		s.torrent.DisallowDataDownload()
	}
	if n.gone {
		s.noteBans()
	}
	var early []int
	for _, i := range n.repair {
		if st := s.torrent.PieceState(i); st.Hashing || st.Marking || st.QueuedForHash {
			early = append(early, i) // what it is about to decide must be overruled, not overtaken
			continue
		}
		s.torrent.Piece(i).UpdateCompletion()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.news.repair = append(s.news.repair, early...) // without a signal: the tick is soon enough, and a disk may be slow
}

// noteBans keeps the library's bans for Offer: its memory of them ends with the swarm.
func (s *Swarm) noteBans() {
	for _, ip := range s.client.BadPeerIPs() {
		s.mu.Lock()
		peer, known := s.addresses[ip]
		s.mu.Unlock()
		if known {
			s.engine.ban(peer)
		}
	}
}

// judgeAll finds peers that have stalled or deserve another try, and reports whether to look again soon.
func (s *Swarm) judgeAll() (busy bool) {
	now := time.Now()
	for _, l := range s.connected() {
		if stalled, changed := l.judge(now); changed {
			l.stall(stalled)
			s.peersChanged()
		}
		busy = busy || l.busy()
	}
	return busy
}

func (s *Swarm) peersChanged() {
	s.mu.Lock()
	s.news.changed = true
	s.mu.Unlock()
	s.signal()
}

// hashed notes that the hash of piece i fits; committed tells that the caller was faster.
func (s *Swarm) hashed(i int, committed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if committed {
		s.waste(i, 0)
	} else {
		s.news.verified = append(s.news.verified, verdict{piece: i, credit: s.creditPiece(i)})
	}
	s.settle(i)
	delete(s.spoiled, i)
	s.signal()
}

func (s *Swarm) creditPiece(i int) map[PeerID]int64 {
	credit := map[PeerID]int64{}
	for _, c := range s.takeCredit(i) {
		if c.from == nil {
			continue
		}
		if credit[c.from.peer] == 0 {
			if c.from.good++; c.from.good == 1 {
				close(c.from.proved)
			}
		}
		credit[c.from.peer] += int64(c.length)
	}
	return credit
}

// rejected notes that the hash of piece i does not fit. Who alone sent it is banned. Among several the
// library finds the guilty once it knows the right bytes; until then, whoever has only ever had part in
// bad pieces is disconnected after the second, lest it spoil every attempt. Where that is all of them, most are
// honest: then one goes, and only after the fourth, so that the others can clear themselves.
func (s *Swarm) rejected(i int) {
	s.mu.Lock()
	links := map[*link]bool{}
	if p := s.work[i]; p != nil {
		for _, c := range p.chunks {
			if c.from != nil {
				links[c.from] = true
			}
		}
	}
	from, bytes := s.waste(i, 0)
	if len(from) > 0 {
		s.news.rejected = append(s.news.rejected, verdict{piece: i, from: from, bytes: bytes})
		s.spoiled[i] = true
	}
	var suspects []*link
	for l := range links {
		if l.bad++; l.bad >= 2 && l.good == 0 {
			suspects = append(suspects, l)
		}
	}
	if len(links) > 1 && len(suspects) == len(links) {
		worst := slices.MaxFunc(suspects, func(a, b *link) int { return cmp.Compare(a.bad, b.bad) })
		suspects = nil
		if worst.bad >= 4 {
			suspects = []*link{worst}
		}
	}
	s.mu.Unlock()
	if len(links) == 1 {
		s.engine.ban(from[0])
	}
	for _, l := range suspects {
		l.close(ErrBanned)
	}
	s.signal()
}

func (s *Swarm) repair(i int) {
	s.mu.Lock()
	s.news.repair = append(s.news.repair, i)
	s.mu.Unlock()
	s.signal()
}

// storageFailed ends the asking: what cannot be kept need not be sent.
func (s *Swarm) storageFailed(err error) {
	s.mu.Lock()
	if !s.hopeless {
		s.hopeless = true
		s.news.failure = err
	}
	s.mu.Unlock()
	s.signal()
}

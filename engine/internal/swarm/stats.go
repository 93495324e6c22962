package swarm

import (
	"time"

	"github.com/anacrolix/torrent"
	"github.com/anacrolix/torrent/peer_protocol"
)

// Totals are payload bytes since Join, of all peers.
type Totals struct {
	Received int64
	Near     int64 // of Received: from peers in the LAN
	Wasted   int64 // received and not used: twice, wrong, too late, or committed from the edge meanwhile
	Sent     int64
}

// PeerStats is what is known of a connected peer. Bytes are payload, rates are bytes a second over
// about the last second.
type PeerStats struct {
	ID                     PeerID
	Label                  string
	Near                   bool      // in our LAN
	Since                  time.Time // connected
	Received, Wasted, Sent int64
	Rate, SendRate         float64
	Has                    int  // pieces
	Stalled                bool // it owes us chunks and says nothing; it is not asked for more
	Choking                bool // it does not let us ask
}

// PieceProgress says what peers are doing about a piece.
type PieceProgress struct {
	Outstanding int   // chunks asked for, not answered
	Received    int64 // bytes delivered
	Prefix      int64 // of these: from the piece's beginning on, without a gap
}

// Totals returns payload bytes since Join.
func (s *Swarm) Totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.totals
}

// Peers returns the connected peers, in no order.
func (s *Swarm) Peers() []PeerStats {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]PeerStats, 0, len(s.links))
	for _, l := range s.links {
		list = append(list, PeerStats{
			ID: l.peer, Label: l.options.Label, Near: l.options.Near, Since: l.since,
			Received: l.received, Wasted: l.wasted, Sent: l.sent,
			Rate: l.rate(now), SendRate: l.sending.rate(now),
			Has: l.hasCount, Stalled: l.stalled.Load(), Choking: l.chokes.Load(),
		})
	}
	return list
}

// Availability returns how many connected peers have each piece, in dst if it has room.
func (s *Swarm) Availability(dst []uint16) []uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(dst[:0], s.holders...)
}

// Progress returns what peers are doing about each piece, in dst if it has room.
func (s *Swarm) Progress(dst []PieceProgress) []PieceProgress {
	if cap(dst) < s.layout.pieces {
		dst = make([]PieceProgress, s.layout.pieces)
	}
	dst = dst[:s.layout.pieces]
	clear(dst)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range s.work {
		dst[i] = PieceProgress{p.outstanding, p.received, p.prefix()}
	}
	return dst
}

// Outstanding returns how many chunks of piece i are asked of peers and not answered.
func (s *Swarm) Outstanding(i int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.work[i]; p != nil {
		return p.outstanding
	}
	return 0
}

// Received returns how many useful bytes of piece i, not verified yet, peers have delivered.
func (s *Swarm) Received(i int) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.work[i]; p != nil {
		return p.received
	}
	return 0
}

// peerHas notes that the peer has piece i, and reports whether the library shall know.
func (s *Swarm) peerHas(l *link, i int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.parted || l.has.has(i) {
		return false
	}
	s.addHolder(l, i)
	s.signal()
	return !s.hide(l, i)
}

// peerHasAll notes a bitfield, and reports whether the library shall see it.
func (s *Swarm) peerHasAll(l *link, field []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	hide := false
	for i := range s.layout.pieces {
		if field[i/8]&(0x80>>(i%8)) != 0 && !l.parted && !l.has.has(i) {
			s.addHolder(l, i)
			hide = s.hide(l, i)
		}
	}
	s.signal()
	return !hide
}

func (s *Swarm) addHolder(l *link, i int) {
	l.has.add(i)
	s.arrived(l, i)
	l.hasCount++
	s.holders[i]++
	s.news.changed = true
}

func (s *Swarm) countSent(l *link, n int) {
	if n <= 0 {
		return
	}
	s.mu.Lock()
	l.sent += int64(n)
	s.totals.Sent += int64(n)
	l.sending.add(n, time.Now())
	s.mu.Unlock()
	if l.options.Sent != nil {
		l.options.Sent(n)
	}
}

func (s *Swarm) countReceived(l *link, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.received += int64(n)
	s.totals.Received += int64(n)
	if l.options.Near {
		s.totals.Near += int64(n)
	}
	if l.ended {
		s.countRedundant(l, int64(n))
	}
}

// countWasted needs mu.
func (s *Swarm) countWasted(l *link, n int64) {
	l.wasted += n
	s.totals.Wasted += n
}

// The library tells of useful payload only. What it got and did not call useful before the next
// message, or the end, was wasted. Both run under the library's lock.

func (s *Swarm) onMessage(c *torrent.PeerConn, m *peer_protocol.Message) {
	if m.Type != peer_protocol.Piece || m.Keepalive {
		return
	}
	l := linkOf(&c.Peer)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.countRedundant(l, l.unjudged)
	l.unjudged = int64(len(m.Piece))
}

func (s *Swarm) onEnd(c *torrent.PeerConn) {
	l := linkOf(&c.Peer)
	s.mu.Lock()
	defer s.mu.Unlock()
	l.ended, l.unjudged = true, 0
	s.countRedundant(l, l.received-l.useful-l.redundant)
}

// countRedundant needs mu.
func (s *Swarm) countRedundant(l *link, n int64) {
	l.redundant += n
	s.countWasted(l, n)
}

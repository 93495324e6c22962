package swarm

import (
	"encoding/binary"
	"errors"
	"slices"
)

// Clients tell each other which pieces they are fetching from the edge, so that a crowd at a slow edge takes one copy from it and not
// the same pieces twice. It is a message of our own, which only those get who say in their handshake that they know it; the
// library hears nothing of it. It is a hint: what a liar claims is fetched last, and at once when peers give less than the edge.

const (
	msgClaims  = 0x54 // of no BEP: all pieces, 4 bytes each and rising, that the sender is fetching from the edge now
	mostClaims = 64   // pieces in a message

	reservedByte = 20   // of the handshake: the first of its 8 reserved bytes
	knowsClaims  = 0x10 // there; of no BEP
)

// claimsOf decodes the body of a claims message.
func (l *layout) claimsOf(b []byte) (pieces []int, err error) {
	if len(b)%4 != 0 || len(b) > 4*mostClaims {
		return nil, errLength(msgClaims, 1+len(b))
	}
	for ; len(b) > 0; b = b[4:] {
		i, err := l.piece(b)
		if err != nil {
			return nil, err
		}
		if n := len(pieces); n > 0 && pieces[n-1] >= i {
			return nil, errors.New("claims do not rise")
		}
		pieces = append(pieces, i)
	}
	return pieces, nil
}

func claimsFrame(pieces []int) []byte {
	f := binary.BigEndian.AppendUint32(nil, uint32(1+4*len(pieces)))
	f = append(f, msgClaims)
	for _, i := range pieces {
		f = binary.BigEndian.AppendUint32(f, uint32(i))
	}
	return f
}

// Claim tells peers that the client is fetching these pieces from the edge, and no others any more. Of more than mostClaims, they hear of
// the first.
func (s *Swarm) Claim(pieces []int) {
	own := slices.Clone(pieces)
	slices.Sort(own)
	own = slices.Compact(own)
	own = own[:min(len(own), mostClaims)]
	s.mu.Lock()
	news := !slices.Equal(own, s.claims)
	s.claims = own
	var tell []*link
	for _, l := range s.links {
		if news && l.knowsClaims {
			tell = append(tell, l)
		}
	}
	s.mu.Unlock()
	for _, l := range tell {
		l.uploads.signal()
	}
}

// Claimed returns how many connected peers are fetching each piece from the edge, as far as they say so, in dst if it has room.
func (s *Swarm) Claimed(dst []uint16) []uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(dst[:0], s.coming...)
}

// claimed takes over what the peer is fetching.
func (s *Swarm) claimed(l *link, pieces []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.parted {
		return
	}
	for _, i := range l.coming {
		s.coming[i]--
	}
	l.coming = slices.DeleteFunc(pieces, l.has.has)
	for _, i := range l.coming {
		s.coming[i]++
	}
}

// arrived ends the peer's claim of a piece that it has now. s.mu is held.
func (s *Swarm) arrived(l *link, i int) {
	if k := slices.Index(l.coming, i); k >= 0 {
		l.coming = slices.Delete(l.coming, k, k+1)
		s.coming[i]--
	}
}

// claimNews returns the message that the peer has not got yet; nil: it knows all. Who may not have the pieces hears of none: it would wait
// for what never comes.
func (l *link) claimNews(mayUpload bool) []byte {
	l.swarm.mu.Lock()
	defer l.swarm.mu.Unlock()
	claims := l.swarm.claims
	if !mayUpload {
		claims = nil
	}
	if !l.knowsClaims || l.hasCount == l.swarm.layout.pieces || slices.Equal(l.claimsTold, claims) {
		return nil
	}
	l.claimsTold = claims
	return claimsFrame(claims)
}

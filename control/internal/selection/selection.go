// Package selection decides which holders of an object are introduced to a device that asks for
// peers. It is pure: the same asker, line and seed give the same answer. It must never do I/O, read a
// clock, or know where the line comes from.
//
// Holders stand in a line, longest unpicked first. Select takes from nested sets around the asker (same
// public address, network, country, continent, world): most from the nearest, always some from wider
// ones, so that swarms stay local without falling apart into islands.
package selection

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

// PeerID names a device within one epoch of the directory.
type PeerID [16]byte

// Network says where an address is attached, as far as that is known. It is comparable: equal values
// are one place.
type Network struct {
	Name      string // "AS64500", or a prefix where no database names the network
	Country   string // ISO 3166 code, empty if unknown
	Continent string // two letters, empty if unknown
}

// End is one end of a possible pair, as the node sees it.
type End struct {
	Peer    PeerID
	Address netip.Addr // public
	Network Network
	NAT     wire.NatKind
	Sharing wire.Sharing
}

// Holder is an end that has an object, or a part of it.
type Holder struct {
	End
	Percent uint8 // of the object, 0 to 100
}

// perPrefix is how many holders of one /24 (IPv6: /48) one answer may contain, so that whoever rents a
// block of addresses cannot surround an asker. The asker's own household is exempt.
const perPrefix = 2

// Select returns the indices of those of line that the asker is to be introduced to, nearest set first,
// at most want and never more than protocol.MaxPeers. Within the asker's household and network the
// order of the line holds; in wider sets the seed decides which network comes next, and the order of
// the line holds within each. Holders that have nothing yet stand behind those that do.
func Select(asker End, line []Holder, excluded map[PeerID]bool, want int, seed uint64) []int {
	want = min(want, protocol.MaxPeers)
	var sets [World + 1][]int
	for _, empty := range []bool{false, true} {
		for i, holder := range line {
			if (holder.Percent == 0) == empty && Eligible(asker, holder.End, excluded) {
				d := distance(asker, holder.End)
				sets[d] = append(sets[d], i)
			}
		}
	}
	random := rand.New(rand.NewPCG(seed, 0))
	for d := Country; d <= World; d++ {
		sets[d] = mixNetworks(line, sets[d], random)
	}
	p := picker{asker: asker, line: line}
	for d := range sets {
		// Three quarters of what is still wanted; the rest is left to wider sets.
		share := max(1, (want-len(p.picked))*3/4)
		sets[d] = p.take(sets[d], min(share, want-len(p.picked)))
	}
	for d := range sets {
		p.take(sets[d], want-len(p.picked))
	}
	return p.picked
}

// Seeker is an end that looked for peers of an object lately and found fewer than it wants.
type Seeker struct {
	End
	Excluded map[PeerID]bool // who is of no use to it, and who has been found for it since it looked
	Wants    int
	prefixes []netip.Prefix // of those found since
}

// Seekers returns the indices of those whom a holder is introduced to that has just come: the nearest first, among
// equals who looked first, at most most. They stand in the order in which they looked. For each it counts as one of those it wanted; a
// seeker gets as few from one /24 (IPv6: /48) as in an answer of Select.
func Seekers(holder End, seekers []*Seeker, most int) (picked []int) {
	for i, s := range seekers {
		if s.Wants > 0 && Eligible(s.End, holder, s.Excluded) && !s.crowded(holder) {
			picked = append(picked, i)
		}
	}
	slices.SortStableFunc(picked, func(a, b int) int {
		return cmp.Compare(distance(holder, seekers[a].End), distance(holder, seekers[b].End))
	})
	picked = picked[:min(most, len(picked))]
	for _, i := range picked {
		s := seekers[i]
		s.Wants--
		s.Excluded[holder.Peer] = true
		if !SameHousehold(s.Address, holder.Address) {
			s.prefixes = append(s.prefixes, neighbourhood(holder.Address))
		}
	}
	return picked
}

func (s *Seeker) crowded(holder End) bool {
	return !SameHousehold(s.Address, holder.Address) && count(s.prefixes, neighbourhood(holder.Address)) >= perPrefix
}

// Eligible reports whether holder may be introduced to the asker at all.
func Eligible(asker, holder End, excluded map[PeerID]bool) bool {
	switch {
	case holder.Peer == asker.Peer, excluded[holder.Peer]:
		return false
	case holder.Sharing == wire.Sharing_SHARING_ON:
		return Reachable(asker, holder)
	case holder.Sharing == wire.Sharing_SHARING_LAN:
		return SameHousehold(asker.Address, holder.Address)
	}
	return false
}

// Reachable reports whether two ends are expected to find a direct path. It is the rule that the
// measured matrix of NAT types came down to; a NAT that has not been measured yet is taken to be the common
// endpoint-independent one, which lets in only the ports that were talked to. Behind one public address the
// LAN connects whatever the NAT does.
func Reachable(a, b End) bool {
	switch {
	case SameHousehold(a.Address, b.Address):
		return true
	case a.NAT == wire.NatKind_NAT_UDP_BLOCKED, b.NAT == wire.NatKind_NAT_UDP_BLOCKED:
		return false
	case a.NAT == wire.NatKind_NAT_SYMMETRIC:
		return meetsAnyPort(b)
	case b.NAT == wire.NatKind_NAT_SYMMETRIC:
		return meetsAnyPort(a)
	}
	return true
}

// meetsAnyPort reports whether packets reach the end from a port that nobody could foresee, as a symmetric NAT's.
func meetsAnyPort(e End) bool {
	return e.NAT == wire.NatKind_NAT_OPEN || e.NAT == wire.NatKind_NAT_ANY_PORT
}

// SameHousehold reports whether two public addresses lie behind one router: the same IPv4 address, or
// the same /64, which is what a household has of IPv6.
func SameHousehold(a, b netip.Addr) bool {
	if a.Is6() && !a.Is4In6() && b.Is6() && !b.Is4In6() {
		return masked(a, 64) == masked(b, 64)
	}
	return a.IsValid() && a.Unmap() == b.Unmap()
}

// Distance names the nested sets around an asker.
type Distance int

// The sets, nearest first.
const (
	Household Distance = iota
	SameNetwork
	Country
	Continent
	World
)

func distance(asker, holder End) Distance {
	if SameHousehold(asker.Address, holder.Address) {
		return Household
	}
	return asker.Network.To(holder.Network)
}

// To returns how far the other network is, as seen from n; never Household.
func (n Network) To(other Network) Distance {
	switch {
	case n.Name != "" && n.Name == other.Name:
		return SameNetwork
	case n.Country != "" && n.Country == other.Country:
		return Country
	case n.Continent != "" && n.Continent == other.Continent:
		return Continent
	}
	return World
}

// mixNetworks merges the lines of several networks into one, drawing at random whose turn it is.
func mixNetworks(line []Holder, set []int, random *rand.Rand) []int {
	if len(set) < 2 {
		return set
	}
	const last = -1
	type queue struct{ head, tail int } // positions in set
	after := make([]int, len(set))      // each position's successor in its queue
	known := make(map[Network]int)
	var queues []queue // in order of appearance: ranging over a map would not be deterministic
	for at, i := range set {
		after[at] = last
		k, seen := known[line[i].Network]
		if !seen {
			known[line[i].Network] = len(queues)
			queues = append(queues, queue{at, at})
			continue
		}
		after[queues[k].tail] = at
		queues[k].tail = at
	}
	mixed := make([]int, 0, len(set))
	for len(queues) > 0 {
		k := random.IntN(len(queues))
		at := queues[k].head
		mixed = append(mixed, set[at])
		if queues[k].head = after[at]; after[at] == last {
			queues = append(queues[:k], queues[k+1:]...)
		}
	}
	return mixed
}

// picker collects the answer and keeps count of the prefixes in it.
type picker struct {
	asker    End
	line     []Holder
	picked   []int
	prefixes []netip.Prefix // of those picked outside the household; few enough to count
}

// take picks up to n from the front of the set and returns those it did not reach. Whom it passed over, the
// limit of their prefix keeps out for good.
func (p *picker) take(set []int, n int) (rest []int) {
	for k, i := range set {
		if n <= 0 {
			return set[k:]
		}
		if p.pick(i) {
			n--
		}
	}
	return nil
}

func (p *picker) pick(i int) bool {
	address := p.line[i].Address
	if !SameHousehold(p.asker.Address, address) {
		prefix := neighbourhood(address)
		if count(p.prefixes, prefix) >= perPrefix {
			return false
		}
		p.prefixes = append(p.prefixes, prefix)
	}
	p.picked = append(p.picked, i)
	return true
}

func count(prefixes []netip.Prefix, prefix netip.Prefix) (n int) {
	for _, p := range prefixes {
		if p == prefix {
			n++
		}
	}
	return n
}

// neighbourhood is the block of addresses that one customer can easily own.
func neighbourhood(a netip.Addr) netip.Prefix {
	if a = a.Unmap(); a.Is4() {
		return masked(a, 24)
	}
	return masked(a, 48)
}

// masked is the prefix of that many bits around a; the zero prefix if a has fewer.
func masked(a netip.Addr, bits int) netip.Prefix {
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

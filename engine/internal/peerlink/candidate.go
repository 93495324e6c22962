package peerlink

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
)

const (
	// maxCandidates is how many candidates of a peer one attempt checks. A hundred checks of 140 bytes go
	// to each, so this bounds what a peer can make us send to someone else.
	maxCandidates = 8
	// maxRemotes counts addresses from which the peer's own checks came, too: behind a symmetric NAT they
	// are not among its candidates.
	maxRemotes = 16
	// maxUnvouched IPv6 addresses are taken from a peer that the node sees over IPv4, and thus cannot vouch for.
	maxUnvouched = 2

	maxCandidateLine = 256 // bytes
	minPort          = 1024
)

// candidate is an address at which a peer may be reached (RFC 8445).
type candidate struct {
	addr      netip.AddrPort
	reflexive bool // as a STUN server sees it; otherwise an address of the host
}

// line writes the candidate-attribute of RFC 8839, without the related address: it would tell every peer
// the addresses inside this network.
func (c candidate) line() string {
	const host, reflexive = 126, 100 // RFC 8445 section 5.1.2.2
	kind, preference, foundation := "host", host, 1
	if c.reflexive {
		kind, preference, foundation = "srflx", reflexive, 3
	}
	local := 65534
	if c.addr.Addr().Is6() { // IPv6 first: no NAT on the way
		local, foundation = 65535, foundation+1
	}
	priority := preference<<24 | local<<8 | 255
	return fmt.Sprintf("%d 1 udp %d %s %d typ %s", foundation, priority, c.addr.Addr(), c.addr.Port(), kind)
}

var errCandidate = errors.New("not an acceptable candidate")

// parseCandidate reads a candidate-attribute. Only numeric UDP addresses pass; extensions are ignored.
func parseCandidate(line string) (c candidate, err error) {
	f := strings.Fields(line)
	if len(line) > maxCandidateLine || len(f) < 8 || f[1] != "1" || !strings.EqualFold(f[2], "udp") || f[6] != "typ" {
		return c, errCandidate
	}
	addr, err := netip.ParseAddr(f[4])
	if err != nil {
		return c, errCandidate // a name, which is never resolved
	}
	port, err := strconv.ParseUint(f[5], 10, 16)
	if err != nil {
		return c, errCandidate
	}
	switch f[7] {
	case "host":
	case "srflx":
		c.reflexive = true
	default:
		return c, errCandidate
	}
	c.addr = netip.AddrPortFrom(addr.Unmap(), uint16(port))
	return c, nil
}

// remotes decides which addresses one attempt may send to. A peer chooses its candidates, and the source
// addresses of its checks, freely; the node vouches only for the address it saw.
type remotes struct {
	peer       netip.Addr // as the node sees it; the zero Addr if it did not say
	samePublic bool       // the node says that peer and we share a public address
	loopback   bool

	mu         sync.Mutex
	known      map[netip.AddrPort]struct{}
	candidates int
	unvouched  int
}

func newRemotes(in Introduction, loopback bool) *remotes {
	peer, _ := netip.ParseAddr(in.PeerAddress) // invalid: no public address will pass
	return &remotes{peer: peer.Unmap(), samePublic: in.SamePublicAddress, loopback: loopback, known: map[netip.AddrPort]struct{}{}}
}

// addCandidate admits a candidate of the peer.
func (r *remotes) addCandidate(c candidate) error {
	if c.reflexive && c.addr.Addr() != r.peer {
		return fmt.Errorf("%w: %s is not the peer's public address", errCandidate, c.addr)
	}
	r.mu.Lock()
	full := r.candidates >= maxCandidates
	r.candidates++
	r.mu.Unlock()
	if full {
		return fmt.Errorf("%w: more than %d", errCandidate, maxCandidates)
	}
	return r.admit(c.addr)
}

// admit says whether to send to an address, and counts it if it is new.
func (r *remotes) admit(a netip.AddrPort) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.known[a]; ok {
		return nil
	}
	vouched, ok := r.judge(a.Addr())
	switch {
	case !ok || a.Port() < minPort:
		return fmt.Errorf("%w: %s", errCandidate, a)
	case len(r.known) >= maxRemotes, !vouched && r.unvouched >= maxUnvouched:
		return fmt.Errorf("%w: too many addresses", errCandidate)
	}
	if !vouched {
		r.unvouched++
	}
	r.known[a] = struct{}{}
	return nil
}

// judge says whether an address may be sent to, and whether the node's word covers it.
func (r *remotes) judge(a netip.Addr) (vouched, ok bool) {
	switch {
	case a.IsLoopback():
		return true, r.loopback
	case !isHost(a):
		return false, false
	case a == r.peer:
		return true, true
	case isPrivate(a):
		return true, r.samePublic
	case a.Is4():
		return false, false // public, but not the address that the node saw
	case r.peer.Is6():
		subnet, _ := r.peer.Prefix(64)
		return true, subnet.Contains(a)
	default:
		return false, true
	}
}

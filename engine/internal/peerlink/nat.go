package peerlink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// NATKind says how the NAT in front of this device maps. The values are those of wire.NatKind.
type NATKind int32

const (
	NATUnknown             NATKind = 0
	NATOpen                NATKind = 1 // the address seen outside is a local one
	NATEndpointIndependent NATKind = 2 // and lets in only what was talked to, as far as is known
	NATSymmetric           NATKind = 3
	NATBlocked             NATKind = 4 // no UDP comes back
	NATAnyPort             NATKind = 5 // endpoint-independent, and lets in any port of an address that was talked to
)

// NAT is what Detect found out.
type NAT struct {
	Kind   NATKind
	Public netip.AddrPort // of the socket, as the STUN server sees it; invalid if no answer came
}

// Detect tests how the network maps the socket (RFC 5780 section 4.3, with two ports of one server in
// place of two addresses) and whether it lets in ports that were not talked to (section 4.4), and remembers the servers for Connect. Call it at the start and whenever the
// network has changed. servers are host:port; unless private says so, none may be in a private network, where the
// control plane that names them could otherwise have this device send. That no UDP comes back is a finding, not an error; it takes
// four seconds.
func (e *Endpoint) Detect(ctx context.Context, servers []string, private bool) (NAT, error) {
	if len(servers) == 0 {
		return NAT{}, errors.New("detect NAT: no STUN server")
	}
	var at []netip.AddrPort
	for _, s := range servers[:min(2, len(servers))] {
		a, err := e.resolve(ctx, s)
		if err != nil {
			return NAT{}, fmt.Errorf("detect NAT: %w", err)
		}
		if !private && (!isHost(a.Addr()) || isPrivate(a.Addr())) {
			return NAT{}, fmt.Errorf("detect NAT: the STUN server %s is not at a public address", a)
		}
		at = append(at, a)
	}
	// An introduction may come before the answers do; its attempt then asks for itself.
	e.public.ask(at)
	mapped := make([]netip.AddrPort, len(at))
	var asking sync.WaitGroup
	for i, a := range at {
		asking.Go(func() { mapped[i], _ = e.stun.ask(ctx, a) }) // no answer leaves the address invalid
	}
	asking.Wait()
	if err := ctx.Err(); err != nil {
		return NAT{}, fmt.Errorf("detect NAT: %w", err)
	}
	nat := e.judgeMapping(mapped)
	e.public.set(at, nat.Public)
	if nat.Kind == NATEndpointIndependent && e.stun.hearsOtherPort(ctx, at[0]) {
		nat.Kind = NATAnyPort
	}
	return nat, nil
}

func (e *Endpoint) judgeMapping(mapped []netip.AddrPort) NAT {
	nat := NAT{Public: mapped[0]}
	if !nat.Public.IsValid() {
		nat.Public = mapped[len(mapped)-1]
	}
	switch {
	case !nat.Public.IsValid():
		nat.Kind = NATBlocked
	case nat.Public.Port() == e.port && e.addresses().has(nat.Public.Addr()):
		nat.Kind = NATOpen
	case len(mapped) < 2 || !mapped[0].IsValid() || !mapped[1].IsValid():
		nat.Kind = NATUnknown
	case mapped[0] == mapped[1]:
		nat.Kind = NATEndpointIndependent
	default:
		nat.Kind = NATSymmetric
	}
	return nat
}

// resolve finds a server's address, IPv4 if it has one: IPv6 needs no mapping. Only names that the
// control plane gave come here, never those of peers.
func (e *Endpoint) resolve(ctx context.Context, server string) (netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(server)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("port of %q: %w", server, err)
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	best := found[0].Unmap()
	for _, a := range found {
		if a = a.Unmap(); a.Is4() {
			best = a
			break
		}
	}
	return netip.AddrPortFrom(best, uint16(port)), nil
}

const (
	// reflexiveLife is below the 30 s after which NATs forget a mapping that carries nothing.
	reflexiveLife = 20 * time.Second
	// reflexiveWait is how long an attempt waits for its public address before it goes on without.
	reflexiveWait = 1500 * time.Millisecond
)

// reflexive remembers the socket's public address. All attempts share it, because they share the socket.
type reflexive struct {
	mu      sync.Mutex
	servers []netip.AddrPort
	public  netip.AddrPort // invalid: none was found
	found   time.Time
}

func (r *reflexive) set(servers []netip.AddrPort, public netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.servers, r.public, r.found = servers, public, time.Now()
}

// ask makes these the servers to ask, and forgets what others said.
func (r *reflexive) ask(servers []netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.servers, r.public, r.found = servers, netip.AddrPort{}, time.Time{}
}

func (r *reflexive) get() (servers []netip.AddrPort, public netip.AddrPort, fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.servers, r.public, time.Since(r.found) < reflexiveLife
}

// publicAddress returns the socket's public address, from memory if that is fresh; invalid if there is
// none to be had.
func (e *Endpoint) publicAddress(ctx context.Context) netip.AddrPort {
	servers, public, fresh := e.public.get()
	if fresh || len(servers) == 0 {
		return public
	}
	asking, cancel := context.WithTimeout(ctx, reflexiveWait)
	defer cancel()
	public, _ = e.stun.ask(asking, servers[0])
	if ctx.Err() == nil { // no answer is remembered too, or every attempt would wait again
		e.public.set(servers, public)
	}
	return public
}

// sound asks the STUN server, if one is known, so that the way to it can be timed.
func (e *Endpoint) sound(answered func(stamp)) {
	if servers, _, _ := e.public.get(); len(servers) > 0 {
		e.stun.sound(servers[0], answered)
	}
}

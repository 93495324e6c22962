package peerlink

import (
	"net"
	"net/netip"

	"github.com/tributary-dl/tributary/engine/api"
)

// addresses is what this machine looks like from inside at one moment.
type addresses struct {
	routes []netip.Addr   // the source address towards the Internet, at most one per family, IPv4 first
	nets   []netip.Prefix // of all its interfaces, with its own address in each
	links  []netip.Prefix // those of nets whose hosts are reached without a router, a tunnel's apart
}

// The kernel is asked which source address it would use towards these; nothing is sent. They are from
// the ranges for documentation (RFC 5737, RFC 3849), so only a default route matches them.
const (
	somewhereIPv4 = "192.0.2.1:9"
	somewhereIPv6 = "[2001:db8::1]:9"
)

// localAddresses looks at the machine's interfaces. bound is the socket's address; if it is not the
// unspecified one it is the only route. Loopback is the last resort, and only if loopback says so.
func localAddresses(bound netip.Addr, loopback bool) addresses {
	var a addresses
	interfaces, err := net.Interfaces()
	if err != nil {
		interfaces = nil // without them there are routes still, or nothing to reach
	}
	for _, i := range interfaces {
		a.attach(i)
	}
	if !bound.IsUnspecified() {
		a.routes = []netip.Addr{bound}
		return a
	}
	for _, family := range []struct{ network, somewhere string }{{"udp4", somewhereIPv4}, {"udp6", somewhereIPv6}} {
		if family.network == "udp6" && bound.Is4() {
			continue
		}
		if addr, ok := routeTo(family.network, family.somewhere); ok {
			a.routes = append(a.routes, addr)
		} else if addr, ok := firstUsable(a.nets, family.network == "udp4"); ok {
			a.routes = append(a.routes, addr)
		}
	}
	if len(a.routes) == 0 && loopback {
		a.routes = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	return a
}

// attach takes the networks of an interface.
func (a *addresses) attach(i net.Interface) {
	list, err := i.Addrs()
	if err != nil {
		return // it has just gone
	}
	for _, address := range list {
		n, ok := address.(*net.IPNet)
		if !ok {
			continue
		}
		p, ok := prefixOf(n)
		if !ok {
			continue
		}
		a.nets = append(a.nets, p)
		if i.Flags&net.FlagPointToPoint == 0 && p.Bits() > 0 {
			a.links = append(a.links, p)
		}
	}
}

// prefixOf keeps the host's own address in the prefix; netip.Prefix.Contains masks by itself.
func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	addr, ok := netip.AddrFromSlice(n.IP)
	ones, bits := n.Mask.Size()
	if !ok || bits == 0 {
		return netip.Prefix{}, false
	}
	addr = addr.Unmap()
	return netip.PrefixFrom(addr, ones-(bits-addr.BitLen())), true
}

// routeTo asks the system's routes which address it would send from. Connecting a UDP socket sends nothing and does not wait.
func routeTo(network, address string) (netip.Addr, bool) {
	c, err := net.Dial(network, address) //nolint:noctx // see above
	if err != nil {
		return netip.Addr{}, false
	}
	defer c.Close()
	addr := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	return addr, addr.IsGlobalUnicast()
}

// firstUsable serves a LAN without a default route.
func firstUsable(nets []netip.Prefix, v4 bool) (netip.Addr, bool) {
	for _, n := range nets {
		if addr := n.Addr(); addr.Is4() == v4 && addr.IsGlobalUnicast() {
			return addr, true
		}
	}
	return netip.Addr{}, false
}

func (a addresses) has(addr netip.Addr) bool {
	for _, r := range a.routes {
		if r == addr {
			return true
		}
	}
	for _, n := range a.nets {
		if n.Addr() == addr {
			return true
		}
	}
	return false
}

// kindOf says what kind of path leads to a peer. ICE labels candidates by how they were learnt, which is
// arbitrary on a shared socket, so the address decides. What counts as LAN is for this machine's own interfaces
// to say, because payload may go there when it may go nowhere else: neither the node's word nor a private
// address will do, since behind a carrier's NAT or a tunnel strangers have private addresses, too.
func (a addresses) kindOf(peer netip.Addr) api.PathKind {
	peer = peer.Unmap()
	switch {
	case peer.IsLoopback() || within(a.links, peer):
		return api.PathLAN
	case peer.Is6():
		return api.PathIPv6
	}
	return api.PathDirect
}

// The shared address space of carrier-grade NATs (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// isPrivate reports addresses that mean something else, or someone else, in another network.
func isPrivate(a netip.Addr) bool { return a.IsPrivate() || sharedSpace.Contains(a) }

var (
	globalIPv6 = netip.MustParsePrefix("2000::/3")
	// Prefixes that carry an IPv4 address inside would lead past the checks on it: 6to4 and Teredo.
	tunnels = []netip.Prefix{netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32")}
	// "This network" and the class E block with the broadcast address in it (RFC 1122, RFC 919).
	notHosts = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("240.0.0.0/4")}
)

// isHost reports whether a, loopback apart, can be the unicast address of a host.
func isHost(a netip.Addr) bool {
	if a.Zone() != "" || !a.IsGlobalUnicast() {
		return false // unspecified, loopback, multicast, link-local, broadcast
	}
	if a.Is6() {
		return a.IsPrivate() || globalIPv6.Contains(a) && !within(tunnels, a)
	}
	return !within(notHosts, a)
}

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

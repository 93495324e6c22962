package edge

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/tributary-dl/tributary/engine/api"
)

// privatePrefixes are those that netip.Addr has no method for.
var privatePrefixes = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),     // "this network", RFC 791; 0.0.0.0 reaches loopback
	netip.MustParsePrefix("100.64.0.0/10"), // shared address space of providers, RFC 6598
	netip.MustParsePrefix("240.0.0.0/4"),   // reserved, with broadcast
	netip.MustParsePrefix("fec0::/10"),     // site-local, RFC 3879
}

// Prefixes whose addresses carry an IPv4 address that a gateway reaches for us.
var (
	nat64    = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixToV4  = netip.MustParsePrefix("2002::/16")    // RFC 3056
	v4Compat = netip.MustParsePrefix("::/96")        // RFC 4291, deprecated
)

// IsLocal tells whether an address lies in a network of the user's own, or of nobody's.
func IsLocal(a netip.Addr) bool { return isLocal(a) }

// isLocal tells whether an address is one that a public server must not send us to.
func isLocal(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() || !a.IsValid() {
		return true
	}
	for _, p := range privatePrefixes {
		if p.Contains(a) {
			return true
		}
	}
	raw := a.As16()
	switch {
	case a.Is4():
		return false
	case nat64.Contains(a), v4Compat.Contains(a):
		return isLocal(netip.AddrFrom4([4]byte(raw[12:16])))
	case sixToV4.Contains(a):
		return isLocal(netip.AddrFrom4([4]byte(raw[2:6])))
	}
	return false
}

// namesLocal tells whether a host in a URL is a local address, or the name for one, as it is written.
// Other spellings of addresses, 0x7f.1 say, are names to the resolver and end at the dial guard.
func namesLocal(host string, local func(netip.Addr) bool) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return local(a)
	}
	return host == "localhost" || len(host) > len(".localhost") && host[len(host)-len(".localhost"):] == ".localhost"
}

// blockedError is what the guard answers inside a dial.
type blockedError struct{ addr netip.Addr }

func (e *blockedError) Error() string { return fmt.Sprintf("%s is not a public address", e.addr) }

func blocked(host string, cause error) *Error {
	return Fault(Blocked, api.CodeBlockedAddress, api.Say(api.SayBlocked, "host", host), api.DoAllowLocal).because(cause)
}

// guard returns a check that net.Dialer makes after the name is resolved and before the first packet.
func guard(local func(netip.Addr) bool) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, _, address string, _ syscall.RawConn) error {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return fmt.Errorf("check address %q: %w", address, err)
		}
		a, err := netip.ParseAddr(host)
		if err != nil {
			return fmt.Errorf("check address %q: %w", address, err)
		}
		if local(a) {
			return &blockedError{a}
		}
		return nil
	}
}

// MayBeLocal tells whether a host that the servers of a request name may be at a local address: the user allowed
// that, typed a local address, or typed this host.
func (c *Client) MayBeLocal(req Request, host string) bool {
	s, err := c.newSession(req)
	return err == nil && (s.free || s.isTyped(host))
}

// Dialer makes connections for sessions with control planes, which the edge's documents name. It goes to local
// addresses only if local says so.
func (c *Client) Dialer(local bool) func(ctx context.Context, network, address string) (net.Conn, error) {
	if c.dial != nil {
		return c.dial
	}
	dialer := &net.Dialer{Timeout: c.timeouts.Connect, Resolver: c.resolver}
	if !local {
		dialer.ControlContext = guard(c.isLocal)
	}
	return dialer.DialContext
}

package peerlink

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/ice/v2"

	"github.com/tributary-dl/tributary/engine/api"
)

// TestWhatMayBeSentTo is the table of the addresses at which a peer, or its node, may aim us.
func TestWhatMayBeSentTo(t *testing.T) {
	const peer4, peer6 = "203.0.113.7", "2001:db8:1:2::7"
	for _, tc := range []struct {
		candidate string // typ, address, port
		seen      string // PeerAddress
		same      bool   // SamePublicAddress
		loopback  bool   // AllowLoopback
		want      bool
	}{
		{candidate: "srflx 203.0.113.7 4000", seen: peer4, want: true},
		{candidate: "host 203.0.113.7 4000", seen: peer4, want: true},
		{candidate: "srflx 203.0.113.8 4000", seen: peer4}, // a victim
		{candidate: "host 203.0.113.8 4000", seen: peer4},  // the same victim under another name
		{candidate: "srflx 203.0.113.7 4000", seen: ""},
		{candidate: "host 203.0.113.7 4000", seen: peer6},
		{candidate: "srflx 203.0.113.7 53", seen: peer4},
		{candidate: "srflx 203.0.113.7 1023", seen: peer4},
		{candidate: "srflx 203.0.113.7 1024", seen: peer4, want: true},
		{candidate: "host ::ffff:203.0.113.7 4000", seen: peer4, want: true},

		{candidate: "host 192.168.1.5 4000", seen: peer4},
		{candidate: "host 192.168.1.5 4000", seen: peer4, same: true, want: true},
		{candidate: "host 100.64.1.5 4000", seen: peer4},
		{candidate: "host 100.64.1.5 4000", seen: peer4, same: true, want: true},
		{candidate: "host fd00::5 4000", seen: peer4},
		{candidate: "host fd00::5 4000", seen: peer4, same: true, want: true},
		{candidate: "srflx 10.0.0.5 4000", seen: "10.0.0.5", want: true}, // a node inside a company's network
		{candidate: "srflx 10.0.0.6 4000", seen: "10.0.0.5", same: true},

		{candidate: "host 2001:db8:9::1 4000", seen: peer4, want: true},
		{candidate: "host 2001:db8:1:2::99 4000", seen: peer6, want: true},
		{candidate: "host 2001:db8:1:3::99 4000", seen: peer6},
		{candidate: "host 2002:c000:0204::1 4000", seen: peer4},   // 6to4
		{candidate: "host 2001:0:1::1 4000", seen: peer4},         // Teredo
		{candidate: "host 64:ff9b::a00:1 4000", seen: peer4},      // NAT64
		{candidate: "host ::ffff:10.0.0.1 4000", seen: peer4},     // IPv4-mapped
		{candidate: "host fe80::1 4000", seen: peer4, same: true}, // link-local
		{candidate: "host ff02::1 4000", seen: peer4, same: true}, // multicast
		{candidate: "host ::1 4000", seen: peer4, same: true},     // loopback
		{candidate: "host :: 4000", seen: peer4, same: true},      // unspecified
		{candidate: "host fec0::1 4000", seen: peer4, same: true}, // site-local
		{candidate: "host 127.0.0.1 4000", seen: peer4, same: true},
		{candidate: "host 127.0.0.1 4000", seen: "127.0.0.1", same: true},
		{candidate: "host 127.0.0.1 4000", seen: "127.0.0.1", loopback: true, want: true},
		{candidate: "host 0.0.0.0 4000", seen: peer4, same: true},
		{candidate: "host 0.1.2.3 4000", seen: "0.1.2.3", same: true},
		{candidate: "host 169.254.1.1 4000", seen: "169.254.1.1", same: true},
		{candidate: "host 224.0.0.251 5353", seen: peer4, same: true},
		{candidate: "host 255.255.255.255 4000", seen: "255.255.255.255", same: true},
		{candidate: "host 240.0.0.1 4000", seen: "240.0.0.1", same: true},

		{candidate: "relay 203.0.113.7 4000", seen: peer4},
		{candidate: "prflx 203.0.113.7 4000", seen: peer4},
		{candidate: "host router.example 4000", seen: peer4},
		{candidate: "host fe80::1%eth0 4000", seen: peer4, same: true},
		{candidate: "host 203.0.113.7 70000", seen: peer4},
		{candidate: "host 203.0.113.7 -1", seen: peer4},
	} {
		f := strings.Fields(tc.candidate)
		line := fmt.Sprintf("1 1 udp 2113937151 %s %s typ %s", f[1], f[2], f[0])
		c, err := parseCandidate(line)
		if err == nil {
			r := newRemotes(Introduction{PeerAddress: tc.seen, SamePublicAddress: tc.same}, tc.loopback)
			err = r.addCandidate(c)
		}
		if (err == nil) != tc.want {
			t.Errorf("%q from a peer seen at %q (same public address %v): %v; want accepted %v", tc.candidate, tc.seen, tc.same, err, tc.want)
		}
	}
}

func TestHowManyMayBeSentTo(t *testing.T) {
	local := func(n int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), 4000)
	}
	in := Introduction{PeerAddress: "203.0.113.7", SamePublicAddress: true}
	count := func(n int, try func(n int) error) (ok int) {
		for i := range n {
			if try(i+1) == nil {
				ok++
			}
		}
		return ok
	}
	r := newRemotes(in, false)
	if got := count(30, func(n int) error { return r.addCandidate(candidate{addr: local(n)}) }); got != maxCandidates {
		t.Errorf("%d candidates accepted; want %d", got, maxCandidates)
	}
	if got := count(100, func(n int) error { return r.admit(local(n)) }); got != maxRemotes {
		t.Errorf("%d addresses sent to; want %d", got, maxRemotes)
	}
	r = newRemotes(in, false)
	foreign := func(n int) error {
		return r.admit(netip.AddrPortFrom(netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", n)), 4000))
	}
	if got := count(9, foreign); got != maxUnvouched {
		t.Errorf("%d IPv6 addresses that nobody vouches for; want %d", got, maxUnvouched)
	}
}

func TestCandidateLine(t *testing.T) {
	for _, c := range []candidate{
		{addr: netip.MustParseAddrPort("192.0.2.1:4000")},
		{addr: netip.MustParseAddrPort("192.0.2.1:4000"), reflexive: true},
		{addr: netip.MustParseAddrPort("[2001:db8::1]:4000")},
	} {
		line := c.line()
		if got, err := parseCandidate(line); err != nil || got != c {
			t.Errorf("parseCandidate(%q) = %v, %v; want %v", line, got, err, c)
		}
		theirs, err := ice.UnmarshalCandidate(line)
		if err != nil || theirs.Address() != c.addr.Addr().String() || theirs.Port() != int(c.addr.Port()) ||
			(theirs.Type() == ice.CandidateTypeServerReflexive) != c.reflexive {
			t.Errorf("pion reads %q as %v, %v", line, theirs, err)
		}
		if strings.Contains(line, "raddr") {
			t.Errorf("%q tells an address inside", line)
		}
	}
}

func FuzzParseCandidate(f *testing.F) {
	f.Add("1 1 udp 2113937151 192.0.2.1 4000 typ host")
	f.Add("3 1 UDP 1 2001:db8::1 65535 typ srflx raddr 0.0.0.0 rport 0")
	f.Add("candidate:1 1 tcp 1 router.local 9 typ host tcptype active")
	f.Fuzz(func(t *testing.T, line string) {
		c, err := parseCandidate(line)
		if err != nil {
			return
		}
		if _, err := ice.UnmarshalCandidate(c.line()); err != nil {
			t.Fatalf("pion refuses the line that we make of %q: %v", line, err)
		}
		if newRemotes(Introduction{}, false).addCandidate(c) == nil && (!c.addr.Addr().Is6() || !c.addr.Addr().IsGlobalUnicast()) {
			t.Fatalf("%s accepted though nobody vouches for it", c.addr)
		}
	})
}

func TestKindOfPath(t *testing.T) {
	prefixes := func(list ...string) (p []netip.Prefix) {
		for _, text := range list {
			p = append(p, netip.MustParsePrefix(text))
		}
		return p
	}
	a := addresses{
		nets:  prefixes("198.51.100.9/24", "192.168.1.9/24", "10.8.0.9/24", "2001:db8:1:2::9/64"),
		links: prefixes("198.51.100.9/24", "192.168.1.9/24", "2001:db8:1:2::9/64"), // 10.8.0.9 is a tunnel's
	}
	for peer, want := range map[string]api.PathKind{
		"127.0.0.1":           api.PathLAN,
		"192.168.1.77":        api.PathLAN,
		"198.51.100.77":       api.PathLAN, // a public address, but on our own network
		"::ffff:198.51.100.7": api.PathLAN,
		"2001:db8:1:2::77":    api.PathLAN,
		"2001:db8:1:3::77":    api.PathIPv6,
		"fd00::1":             api.PathIPv6,
		"203.0.113.7":         api.PathDirect,
		"10.1.2.3":            api.PathDirect, // behind a router: the company's, or the carrier's
		"192.168.2.77":        api.PathDirect,
		"10.8.0.7":            api.PathDirect, // at the far end of a tunnel
		"100.64.0.9":          api.PathDirect, // somewhere in the carrier's network
	} {
		if got := a.kindOf(netip.MustParseAddr(peer)); got != want {
			t.Errorf("path to %s is %s; want %s", peer, got, want)
		}
	}
}

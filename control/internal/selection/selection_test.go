package selection

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

// A holder is drawn as where it is, seen from the asker, a number, and marks:
//
//	home  the asker's own public address
//	as    the asker's network
//	de    another network of the asker's country
//	eu    another country of the continent
//	us    another continent
//
//	!  symmetric NAT        x  UDP blocked       o  no NAT
//	~  shares in the LAN    0  does not share    .  has nothing yet
//	*  a neighbour of all others with a star: one /24
func holders(picture string) (line []Holder) {
	for i, name := range strings.Fields(picture) {
		place := strings.TrimRight(name, "!xo~0.*123456789")
		marks := strings.TrimLeft(strings.TrimPrefix(name, place), "123456789")
		h := Holder{Percent: 100, End: End{
			Peer: PeerID([]byte(fmt.Sprintf("%-16s", strings.TrimSuffix(name, marks)))), NAT: wire.NatKind_NAT_ENDPOINT_INDEPENDENT,
			Sharing: wire.Sharing_SHARING_ON, Address: netip.AddrFrom4([4]byte{10, 1, byte(i), 1}),
			Network: map[string]Network{"home": german, "as": german, "de": {"AS2", "DE", "EU"}, "eu": {"AS3", "FR", "EU"}, "us": {"AS4", "US", "NA"}}[place],
		}}
		if place == "home" {
			h.Address = home
		}
		for _, mark := range marks {
			switch mark {
			case '!':
				h.NAT = wire.NatKind_NAT_SYMMETRIC
			case 'x':
				h.NAT = wire.NatKind_NAT_UDP_BLOCKED
			case 'o':
				h.NAT = wire.NatKind_NAT_OPEN
			case '~':
				h.Sharing = wire.Sharing_SHARING_LAN
			case '0':
				h.Sharing = wire.Sharing_SHARING_OFF
			case '.':
				h.Percent = 0
			case '*':
				h.Address = netip.AddrFrom4([4]byte{10, 2, 0, byte(i)})
			}
		}
		line = append(line, h)
	}
	return line
}

var (
	german = Network{"AS1", "DE", "EU"}
	home   = netip.MustParseAddr("192.0.2.1")
	asker  = End{Peer: PeerID{1}, Address: home, Network: german, NAT: wire.NatKind_NAT_ENDPOINT_INDEPENDENT, Sharing: wire.Sharing_SHARING_ON}
)

func names(line []Holder, picked []int) string {
	var out []string
	for _, i := range picked {
		out = append(out, strings.TrimSpace(string(line[i].Peer[:])))
	}
	return strings.Join(out, " ")
}

func TestSelect(t *testing.T) {
	symmetric, blocked, open := asker, asker, asker
	symmetric.NAT, blocked.NAT, open.NAT = wire.NatKind_NAT_SYMMETRIC, wire.NatKind_NAT_UDP_BLOCKED, wire.NatKind_NAT_OPEN
	quiet := asker
	quiet.Sharing = wire.Sharing_SHARING_OFF
	for _, test := range []struct {
		name  string
		asker End
		line  string
		want  int
		got   string
	}{
		{"nearest first", asker, "us1 eu1 de1 as1 home1", 40, "home1 as1 de1 eu1 us1"},
		{"in the order of the line", asker, "as3 as1 as2", 40, "as3 as1 as2"},
		{"some from wider sets", asker, "as1 as2 as3 as4 as5 us1 us2", 4, "as1 as2 as3 us1"},
		{"and from the widest only what is left", asker, "as1 as2 as3 as4 as5 de1 us1", 4, "as1 as2 as3 de1"},
		{"all from near if there is nothing else", asker, "as1 as2 as3 as4 as5", 4, "as1 as2 as3 as4"},
		{"one", asker, "us1 as1", 1, "as1"},
		{"none wanted", asker, "as1", 0, ""},
		{"nobody there", asker, "", 40, ""},
		{"behind an ordinary NAT", asker, "as1 as2! as3x as4o", 40, "as1 as4"},
		{"behind a symmetric NAT", symmetric, "as1 as2! as3x as4o", 40, "as4"},
		{"without a NAT", open, "as1 as2! as3x as4o", 40, "as1 as2 as4"},
		{"UDP blocked", blocked, "as1 as2! as3x as4o", 40, ""},
		{"in the LAN any NAT will do", blocked, "home1 home2! home3x", 40, "home1 home2 home3"},
		{"who shares in the LAN", asker, "as1~ home1~ as2", 40, "home1 as2"},
		{"who does not share", asker, "as1 as2" + "0 home1" + "0", 40, "as1"},
		{"who does not share may take", quiet, "as1", 40, "as1"},
		{"two of one neighbourhood", asker, "as1* as2* de3* us4* as5", 40, "as1 as2 as5"},
		{"but all of the household", asker, "home1 home2 home3 home4", 40, "home1 home2 home3 home4"},
		{"who has nothing yet comes last", asker, "as1. as2 as3. as4", 40, "as2 as4 as1 as3"},
	} {
		line := holders(test.line)
		if got := names(line, Select(test.asker, line, nil, test.want, 1)); got != test.got {
			t.Errorf("%s: of %s picked %q; want %q", test.name, test.line, got, test.got)
		}
	}
}

func TestSelectLeavesOutAskerAndExcluded(t *testing.T) {
	line := holders("as1 as2 as3")
	self := asker
	self.Peer = line[0].Peer
	if got := names(line, Select(self, line, map[PeerID]bool{line[2].Peer: true}, 40, 1)); got != "as2" {
		t.Errorf("picked %q; want as2", got)
	}
}

// The marks of a seeker's picture are those of a holder; whether a seeker shares does not matter.
func TestSeekers(t *testing.T) {
	lan, quiet, blocked := asker, asker, asker
	lan.Sharing, quiet.Sharing, blocked.NAT = wire.Sharing_SHARING_LAN, wire.Sharing_SHARING_OFF, wire.NatKind_NAT_UDP_BLOCKED
	for _, test := range []struct {
		name    string
		holder  End
		seekers string
		most    int
		got     string
	}{
		{"nearest first", asker, "us1 de1 as1 home1", 40, "home1 as1 de1 us1"},
		{"who looked first", asker, "as2 as1 as3", 2, "as2 as1"},
		{"who does not share", asker, "as1" + "0", 40, "as1"},
		{"behind NATs that meet", asker, "as1! as2x as3o", 40, "as3"},
		{"none at a holder who does not share", quiet, "as1 home1", 40, ""},
		{"only the household of who shares there", lan, "as1 home1", 40, "home1"},
		{"UDP blocked", blocked, "as1 home1", 40, "home1"},
		{"nobody", asker, "", 40, ""},
	} {
		line := holders(test.seekers)
		var seekers []*Seeker
		for _, h := range line {
			seekers = append(seekers, &Seeker{End: h.End, Excluded: map[PeerID]bool{}, Wants: 1})
		}
		if got := names(line, Seekers(test.holder, seekers, test.most)); got != test.got {
			t.Errorf("%s: of %s picked %q; want %q", test.name, test.seekers, got, test.got)
		}
	}
}

func TestASeekerGetsWhatItWantsAndNotTwice(t *testing.T) {
	seeker := &Seeker{End: asker, Excluded: map[PeerID]bool{}, Wants: 3}
	found := func(picture string) (n int) {
		for _, h := range holders(picture) {
			n += len(Seekers(h.End, []*Seeker{seeker}, 4))
		}
		return n
	}
	if n := found("as1* as1* as2* as3*"); n != 2 {
		t.Errorf("%d of one neighbourhood, one of whom came twice; want 2", n)
	}
	if n := found("as4 as5"); n != 1 {
		t.Errorf("%d after those; want the one that was still wanted", n)
	}
}

func TestSelectIsBoundedAndDeterministic(t *testing.T) {
	var line []Holder
	for i := range 500 {
		network := Network{Name: fmt.Sprint("AS7", i%7), Country: "US", Continent: "NA"}
		line = append(line, Holder{Percent: 100, End: End{
			Peer: PeerID{byte(i), byte(i >> 8)}, Address: netip.AddrFrom4([4]byte{11, byte(i), byte(i >> 8), 1}),
			Network: network, Sharing: wire.Sharing_SHARING_ON,
		}})
	}
	first := Select(asker, line, nil, 1000, 42)
	if len(first) != protocol.MaxPeers {
		t.Errorf("picked %d; want %d", len(first), protocol.MaxPeers)
	}
	if again := Select(asker, line, nil, 1000, 42); !slices.Equal(first, again) {
		t.Error("the same seed gave another answer")
	}
	if other := Select(asker, line, nil, 1000, 43); slices.Equal(first, other) {
		t.Error("the seed does not matter")
	}
	for network := range 7 { // within each network the line's order holds
		var order []int
		for _, i := range first {
			if i%7 == network {
				order = append(order, i)
			}
		}
		if !slices.IsSorted(order) || len(order) == 0 {
			t.Errorf("network %d was picked in the order %v", network, order)
		}
	}
}

// The matrix of the kinds of NAT; D: direct, R: would need a relay.
func TestReachable(t *testing.T) {
	kinds := []wire.NatKind{wire.NatKind_NAT_OPEN, wire.NatKind_NAT_UNKNOWN, wire.NatKind_NAT_ENDPOINT_INDEPENDENT, wire.NatKind_NAT_ANY_PORT, wire.NatKind_NAT_SYMMETRIC, wire.NatKind_NAT_UDP_BLOCKED}
	matrix := []string{
		"DDDDDR",
		"DDDDRR",
		"DDDDRR",
		"DDDDDR",
		"DRRDRR",
		"RRRRRR",
	}
	for i, a := range kinds {
		for j, b := range kinds {
			got := Reachable(End{NAT: a, Address: home}, End{NAT: b, Address: netip.MustParseAddr("198.51.100.1")})
			if got != (matrix[i][j] == 'D') {
				t.Errorf("%v and %v: direct %v", a, b, got)
			}
			if !Reachable(End{NAT: a, Address: home}, End{NAT: b, Address: home}) {
				t.Errorf("%v and %v in one household: not direct", a, b)
			}
		}
	}
}

func TestSameHousehold(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:2", true},
		{"2001:db8:0:1::1", "2001:db8:0:2::1", false},
		{"192.0.2.1", "2001:db8::1", false},
	} {
		if got := SameHousehold(netip.MustParseAddr(test.a), netip.MustParseAddr(test.b)); got != test.same {
			t.Errorf("%s and %s: %v", test.a, test.b, got)
		}
	}
	if SameHousehold(netip.Addr{}, netip.Addr{}) {
		t.Error("two unknown addresses are not one household")
	}
}

func TestByPrefix(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.77": "192.0.0.0/16", "::ffff:192.0.2.77": "192.0.0.0/16", "2001:db8:1::1": "2001:db8::/32",
	} {
		if got := ByPrefix(netip.MustParseAddr(address)).Name; got != want {
			t.Errorf("network of %s = %s; want %s", address, got, want)
		}
	}
}

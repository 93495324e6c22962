package lab

import (
	"fmt"
	"strings"
)

// NAT is how a router treats UDP, in the words of RFC 4787: how it maps (whether the outside port of a
// socket depends on whom it talks to) and how it filters (from whom it lets answers in). TCP always
// works from the inside out.
type NAT string

const (
	NATNone        NAT = "none"      // no router: a public address
	FullCone       NAT = "fullcone"  // one mapping; anyone may answer
	AddrCone       NAT = "addrcone"  // one mapping; any port of an address that was talked to may answer
	PortCone       NAT = "portcone"  // one mapping; only the address and port that were talked to may answer
	PortRej        NAT = "portrej"   // PortCone, but answers strangers with ICMP, which spoils a later mapping
	Symmetric      NAT = "symmetric" // a mapping for each destination
	CGNAT          NAT = "cgnat"     // PortCone at home behind PortCone at the carrier
	CGNATSymmetric NAT = "cgnatsym"  // PortCone at home behind Symmetric at the carrier
	UDPBlocked     NAT = "blocked"   // no UDP leaves at all
)

// NATs lists the kinds.
var NATs = []NAT{NATNone, FullCone, AddrCone, PortCone, PortRej, Symmetric, CGNAT, CGNATSymmetric, UDPBlocked}

// layers splits a kind into the home router's part and the carrier's ("" if there is no carrier).
func (n NAT) layers() (home, carrier NAT) {
	switch n {
	case CGNAT:
		return PortCone, PortCone
	case CGNATSymmetric:
		return PortCone, Symmetric
	}
	return n, ""
}

// rules returns the nft ruleset of a router between the interfaces lan and wan.
//
// Linux by itself maps a socket to its own port number as long as that is free and filters by address
// and port: PortCone. Two things must be added for even that: packets from strangers are dropped on
// input, not rejected. Otherwise the router takes the connection-tracking slot of a peer's
// early packet, and the peer's address gets another port when the inside talks to it: that is PortRej.
func (n NAT) rules(lan, wan string) string {
	var (
		sets, prerouting, forward string

		source = "masquerade"
		input  = "iifname " + wan + " ct state new drop"
	)
	// owner remembers which inside host last used a port; its address is where answers go.
	const owner = "map owner { type inet_service : ipv4_addr; flags dynamic,timeout; timeout 120s; size 65535; }\n"
	fromInside := "iifname " + lan + " oifname " + wan + " meta l4proto udp "
	fromOutside := "iifname " + wan + " meta l4proto udp "
	const toOwner = " dnat to udp dport map @owner"
	switch n {
	case FullCone:
		sets = owner
		forward = fromInside + "update @owner { udp sport : ip saddr }"
		prerouting = fromOutside + toOwner
	case AddrCone:
		sets = owner + "set spoken { type ipv4_addr . inet_service; flags dynamic,timeout; timeout 120s; size 65535; }\n"
		forward = fromInside + "update @owner { udp sport : ip saddr } update @spoken { ip daddr . udp sport }"
		prerouting = fromOutside + "ip saddr . udp dport @spoken" + toOwner
	case PortRej:
		input = ""
	case Symmetric:
		source = "meta l4proto udp masquerade fully-random; masquerade"
	case UDPBlocked:
		forward = fromInside + "drop"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "table ip lab {\n%s", sets)
	chain := func(name, hook string, rules ...string) {
		fmt.Fprintf(&b, "chain %s { type %s;\n%s\n}\n", name, hook, strings.Join(rules, "\n"))
	}
	chain("prerouting", "nat hook prerouting priority dstnat", prerouting)
	chain("postrouting", "nat hook postrouting priority srcnat", "oifname "+wan+" jump source")
	fmt.Fprintf(&b, "chain source { %s; }\n", source)
	chain("forward", "filter hook forward priority filter", forward,
		"iifname "+wan+" oifname "+lan+" ct state new ct status & dnat == 0 drop")
	chain("input", "filter hook input priority filter", input)
	b.WriteString("}\n")
	return b.String()
}

// install loads the rules of a router into its namespace.
func (n NAT) install(ns, lan, wan string) error {
	return run(n.rules(lan, wan), "ip", "netns", "exec", ns, "nft", "-f", "-")
}

package lab

import (
	"errors"
	"fmt"
)

// Rate is in bits a second, counted on the wire with all headers. Zero means as fast as the machine can.
type Rate int64

// Mbit is a million bits a second.
const Mbit Rate = 1_000_000

// Line is the rate of a connection, seen from the side that pays for it.
type Line struct {
	Down, Up Rate
}

const (
	// queueTime is how long a packet waits at most before a full line: enough for TCP to fill the line,
	// little for a modem (the laboratory adds no distance).
	queueTime = "100ms"
	// minBurst lets some packets pass together at slow rates, as a modem does.
	minBurst = 16 << 10 // bytes
)

// ends are the two interfaces at which a line is shaped: each limits what leaves through it.
type ends struct {
	near, far portOf // the payer's, and the other side's
}

// portOf is an interface of a namespace.
type portOf struct{ ns, dev string }

// set gives the line its rates, in place of those it had.
func (e ends) set(line Line) error {
	return errors.Join(e.near.shape(line.Up), e.far.shape(line.Down))
}

// shape limits what leaves through the port with a token bucket. The bucket holds 2 ms of the rate: much
// more shows as a faster start, less cannot keep 1 Gbit/s full with the kernel's timers.
func (p portOf) shape(rate Rate) error {
	root := func(args ...string) error {
		return run("", "tc", append([]string{"-n", p.ns, "qdisc", "replace", "dev", p.dev, "root"}, args...)...)
	}
	if rate == 0 {
		return root("noqueue") // what a veth has by itself
	}
	burst := max(minBurst, int64(rate)/8/500)
	return root("tbf", "rate", fmt.Sprintf("%dbit", rate), "burst", fmt.Sprintf("%db", burst), "latency", queueTime)
}

// LoseUDP has the near end of the host's line drop so many percent of the UDP packets that pass it in either
// direction, drawn at random; 0 ends it. TCP is spared, so that what a test tells its programs arrives.
func (h *Host) LoseUDP(percent int) error {
	ns := h.ends.near.ns
	rules := "table ip loss {}\ndelete table ip loss\n"
	if percent > 0 {
		rules += fmt.Sprintf("table ip loss {\nchain lossy {\ntype filter hook prerouting priority raw\n"+
			"meta l4proto udp numgen random mod 100 < %d drop\n}\n}\n", percent)
	}
	return run(rules, "ip", "netns", "exec", ns, "nft", "-f", "-")
}

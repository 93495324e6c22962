package lab

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func needLab(t *testing.T) {
	t.Helper()
	if err := Supported(); err != nil {
		t.Skip(err)
	}
}

func newLab(t *testing.T) *Lab {
	t.Helper()
	needLab(t)
	l, err := New("test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return l
}

func newHost(t *testing.T, l *Lab, name string, o HostOptions) *Host {
	t.Helper()
	h, err := l.Host(name, o)
	if err != nil {
		t.Fatalf("Host(%s) = %v", name, err)
	}
	return h
}

// behaviour is what RFC 4787 asks of a NAT, found out by sending datagrams.
type behaviour struct {
	UDP         bool   // datagrams leave
	OneMapping  bool   // two destinations see the same address
	Public      bool   // the mapping's address is the host's own
	Lets        string // who may send to the mapping: "all", "address", "address and port"
	EarlyPacket string // after a stranger's early packet, the mapping towards that stranger: "kept" or "lost"
}

func TestNATsBehave(t *testing.T) {
	needLab(t)
	want := map[NAT]behaviour{
		NATNone:        {UDP: true, OneMapping: true, Public: true, Lets: "all", EarlyPacket: "kept"},
		FullCone:       {UDP: true, OneMapping: true, Lets: "all", EarlyPacket: "kept"},
		AddrCone:       {UDP: true, OneMapping: true, Lets: "address", EarlyPacket: "kept"},
		PortCone:       {UDP: true, OneMapping: true, Lets: "address and port", EarlyPacket: "kept"},
		PortRej:        {UDP: true, OneMapping: true, Lets: "address and port", EarlyPacket: "lost"},
		Symmetric:      {UDP: true, OneMapping: false, Lets: "address and port", EarlyPacket: "lost"},
		CGNAT:          {UDP: true, OneMapping: true, Lets: "address and port", EarlyPacket: "kept"},
		CGNATSymmetric: {UDP: true, OneMapping: false, Lets: "address and port", EarlyPacket: "lost"},
		UDPBlocked:     {},
	}
	for _, nat := range NATs {
		t.Run(string(nat), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			inside := startAgent(t, newHost(t, l, "inside", HostOptions{NAT: nat}))
			server := startAgent(t, newHost(t, l, "server", HostOptions{}))
			other := startAgent(t, newHost(t, l, "other", HostOptions{}))
			stranger := startAgent(t, newHost(t, l, "stranger", HostOptions{}))
			if diff := cmp.Diff(want[nat], observe(inside, server, other, stranger)); diff != "" {
				t.Errorf("behaviour (-want +got):\n%s", diff)
			}
		})
	}
}

// observe finds out how the NAT before the inside agent behaves. Nothing is concluded from silence:
// what must not arrive is followed on the same way by something that must.
func observe(inside, server, other, stranger *agent) (b behaviour) {
	inside.tell("send %s hello", server.addr())
	inside.tell("call %s", server.addr())
	mapping := ""
	for called := false; !called; {
		words := strings.Fields(server.hear())
		called = words[0] == "called"
		if words[0] == "got" {
			mapping = words[1]
		}
	}
	// The datagram came before the call, if at all; it may be told after it.
	server.tell("send %s own", server.addr())
	if _, before := server.hearUntil("own"); len(before) > 0 {
		mapping = before[0].from
	}
	if mapping == "" {
		return b
	}
	b.UDP = true
	b.Public = mapping == inside.addr()

	inside.tell("send %s hello", other.addr())
	hello, _ := other.hearUntil("hello")
	b.OneMapping = hello.from == mapping

	stranger.tell("send %s stranger", mapping)
	stranger.tell("call %s", server.addr()) // the datagram has left the stranger when this arrives
	server.hear()
	server.tell("send2 %s otherport", mapping)
	server.tell("send %s end", mapping)
	_, came := inside.hearUntil("end")
	switch {
	case slices.ContainsFunc(came, func(d datagram) bool { return d.text == "stranger" }):
		b.Lets = "all"
	case slices.ContainsFunc(came, func(d datagram) bool { return d.text == "otherport" }):
		b.Lets = "address"
	default:
		b.Lets = "address and port"
	}

	inside.tell("send %s late", stranger.addr())
	late, _ := stranger.hearUntil("late")
	b.EarlyPacket = "lost"
	if late.from == mapping {
		b.EarlyPacket = "kept"
	}
	return b
}

func TestHostsOfASiteReachEachOther(t *testing.T) {
	l := newLab(t)
	office, err := l.Site("office", PortCone, Line{Down: 10 * Mbit, Up: 10 * Mbit})
	if err != nil {
		t.Fatal(err)
	}
	a := startAgent(t, newHost(t, l, "a", HostOptions{Site: office}))
	b := startAgent(t, newHost(t, l, "b", HostOptions{Site: office}))
	a.tell("send %s hello", b.addr())
	if hello, _ := b.hearUntil("hello"); hello.from != a.addr() {
		t.Errorf("b sees a at %s; want %s", hello.from, a.addr())
	}
	if a.host.PublicAddr() != b.host.PublicAddr() || a.host.PublicAddr() == a.host.Addr() {
		t.Errorf("public addresses %s and %s of %s and %s; want one address that is neither's own",
			a.host.PublicAddr(), b.host.PublicAddr(), a.host.Addr(), b.host.Addr())
	}
}

func TestLinesHoldTheirRates(t *testing.T) {
	for _, c := range []struct {
		nat  NAT
		rate Rate
	}{{NATNone, 10 * Mbit}, {NATNone, 100 * Mbit}, {PortCone, 50 * Mbit}, {CGNAT, 10 * Mbit}} {
		t.Run(fmt.Sprintf("%s/%dMbit", c.nat, c.rate/Mbit), func(t *testing.T) {
			l := newLab(t)
			server := startAgent(t, newHost(t, l, "server", HostOptions{}))
			// The other direction is free, to see that a rate binds one only.
			up := startAgent(t, newHost(t, l, "up", HostOptions{NAT: c.nat, Line: Line{Up: c.rate}}))
			compareRate(t, "up", up, server, c.rate)
			if err := up.host.SetLine(Line{Up: c.rate / 2}); err != nil {
				t.Fatal(err)
			}
			compareRate(t, "up, half", up, server, c.rate/2)
			if c.nat == NATNone { // elsewhere the server cannot send first; downwards is the same code
				down := startAgent(t, newHost(t, l, "down", HostOptions{Line: Line{Down: c.rate}}))
				compareRate(t, "down", server, down, c.rate)
			}
		})
	}
}

// compareRate offers the line twice its rate and measures what arrives. A busy machine can only make
// that less, so too little is measured again.
func compareRate(t *testing.T, direction string, from, to *agent, want Rate) {
	t.Helper()
	const tries = 4
	var got float64
	for range tries {
		got = arrivingRate(t, from, to, want)
		if math.Abs(got/float64(want)-1) <= 0.10 {
			return
		}
		if got > float64(want) {
			break
		}
	}
	t.Errorf("%s: %.1f Mbit/s on the wire; want %d within 10%%", direction, got/1e6, want/Mbit)
}

// arrivingRate floods a line and looks twice at the receiver's interface meanwhile.
func arrivingRate(t *testing.T, from, to *agent, want Rate) (bitsPerSecond float64) {
	t.Helper()
	from.tell("flood %s %d", to.addr(), 2*want/8)
	look := func(tick int) (bytes, nanoseconds float64) {
		for from.hear() != fmt.Sprint("tick ", tick) {
		}
		to.tell("count")
		if _, err := fmt.Sscanf(to.hear(), "count %f %f", &bytes, &nanoseconds); err != nil {
			t.Fatal(err)
		}
		return bytes, nanoseconds
	}
	before, began := look(2) // what an earlier flood left in the queue has gone
	after, ended := look(floodTicks - 1)
	counters, err := to.host.Counters()
	if err != nil || float64(counters.In) < after {
		t.Errorf("Counters() = %+v, %v; the interface had counted %.0f bytes before", counters, err, after)
	}
	return (after - before) * 8 / (ended - began) * 1e9
}

func TestCloseLeavesNothing(t *testing.T) {
	l := newLab(t)
	busy := startAgent(t, newHost(t, l, "busy", HostOptions{NAT: CGNAT}))
	_ = busy
	sleeper := newHost(t, l, "other", HostOptions{}).Command(t.Context(), "sleep", "1000")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := sleeper.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the program in the laboratory ended with %v; want killed", err)
	}
	left, err := namespaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, ns := range left {
		if strings.HasPrefix(ns, l.prefix+"-") {
			t.Errorf("namespace %s is left", ns)
		}
	}
	if err := l.Close(); err != nil {
		t.Errorf("second Close() = %v", err)
	}
}

func TestSweepRemovesOnlyWhatTheDeadLeft(t *testing.T) {
	l := newLab(t)
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	start, err := startTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	gone := fmt.Sprintf("%s-%d-%s-1-internet", namePrefix, dead.Process.Pid, start)
	reused := fmt.Sprintf("%s-%d-1-1-internet", namePrefix, os.Getpid()) // our number, another start
	foreign := fmt.Sprintf("lab%d-other", os.Getpid())
	for _, ns := range []string{gone, reused, foreign} {
		if err := run("", "ip", "netns", "add", ns); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { run("", "ip", "netns", "del", foreign) })
	if err := Sweep(); err != nil {
		t.Fatal(err)
	}
	left, err := namespaces()
	if err != nil {
		t.Fatal(err)
	}
	for ns, want := range map[string]bool{gone: false, reused: false, foreign: true, l.internet: true} {
		if slices.Contains(left, ns) != want {
			t.Errorf("after Sweep, namespace %s is there: %v; want %v", ns, !want, want)
		}
	}
}

func TestNamesAreChecked(t *testing.T) {
	for _, name := range []string{"", "a b", "../x", "A", "a;reboot"} {
		if err := checkName(name); err == nil {
			t.Errorf("checkName(%q) = nil; want an error", name)
		}
	}
}

// Package lab builds small internets out of Linux network namespaces: hosts behind home routers
// with each kind of NAT, lines with a rate, and a public middle where servers stand. Tests, the demo and
// the benchmarks run the real programs in it. It needs root, iproute2 and nftables, changes nothing
// outside its own namespaces, and must never be part of a program that users install.
//
// Shape of a laboratory (each box is a namespace, each line a veth pair):
//
//	host ─ router(NAT) ─ internet ─ host (public address)
//	host ─ router(NAT) ─ carrier(NAT) ─┘        the carrier only for CGNAT
package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
)

// gateway is the internet's own address: every public line has it as its next hop, without a subnet
// of its own ("unnumbered"), so that an address can be given to any line.
const gateway = "203.0.113.1"

// bridgeFilter is the switch of a namespace for filters on bridges.
const bridgeFilter = "/proc/sys/net/bridge/bridge-nf-call-iptables"

// labs counts the laboratories of this process, for names that do not clash.
var labs atomic.Int64

// Lab is one laboratory. Its methods may be called from several goroutines, one after another in
// effect. Close removes everything; so does Sweep in a later process if this one dies.
type Lab struct {
	prefix   string // of every namespace of this laboratory
	internet string // namespace

	mu         sync.Mutex // guards what follows and serialises changes
	namespaces []string
	meters     []*os.File
	lines      int // into the internet; numbers addresses and interfaces
	sites      int
	carriers   int
}

// Supported says why a laboratory cannot be made here, or nil.
func Supported() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("the network laboratory needs Linux; this is %s", runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return errors.New("the network laboratory needs root, for network namespaces")
	}
	for tool, pkg := range map[string]string{"ip": "iproute2", "tc": "iproute2", "nft": "nftables"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("the network laboratory needs the program %s (Debian package %s)", tool, pkg)
		}
	}
	return nil
}

// New makes a laboratory with an empty internet. The name helps whoever looks at `ip netns`.
func New(name string) (*Lab, error) {
	if err := Supported(); err != nil {
		return nil, err
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	owner, err := thisProcess()
	if err != nil {
		return nil, err
	}
	l := &Lab{prefix: fmt.Sprintf("%s-%d-%s", owner, labs.Add(1), name)}
	l.internet, err = l.addNamespace("internet", "ip addr add "+gateway+"/32 dev lo")
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Close ends every process in the laboratory and removes its namespaces, and with them interfaces,
// rates and rules. It may be called more than once.
func (l *Lab) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := removeNamespaces(l.namespaces)
	l.namespaces = nil
	for _, meter := range l.meters {
		meter.Close() // only ever read from
	}
	l.meters = nil
	return err
}

// TCP is the congestion control that the machine gives to every connection in a laboratory whose program does not choose, as
// Linux calls it; "" if that cannot be told.
func TCP() string {
	law, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(law))
}

// addNamespace makes a namespace that forwards packets, with IPv4 only, and runs the commands in it.
// The caller holds l.mu, except in New.
func (l *Lab) addNamespace(name string, commands ...string) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	ns := l.prefix + "-" + name
	if err := run("", "ip", "netns", "add", ns); err != nil {
		return "", err
	}
	l.namespaces = append(l.namespaces, ns)
	// IPv6 would lead around every NAT of the laboratory; reverse-path filters would drop on unnumbered lines. Where
	// the kernel has filters for bridges, a home's frames would go through the router's rules and connection tracking
	// twice: once on the bridge, where no home router looks at them.
	script := append([]string{
		"echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6",
		"echo 1 >/proc/sys/net/ipv4/ip_forward",
		"echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter",
		"if test -e " + bridgeFilter + "; then echo 0 >" + bridgeFilter + "; fi",
		"ip link set lo up",
	}, commands...)
	return ns, inNamespace(ns, script...)
}

// connect joins two namespaces by a veth pair and sets both ends up.
func connect(a, b portOf) error {
	if err := run("", "ip", "link", "add", a.dev, "netns", a.ns, "type", "veth", "peer", "name", b.dev, "netns", b.ns); err != nil {
		return err
	}
	return errors.Join(
		run("", "ip", "-n", a.ns, "link", "set", a.dev, "up"),
		run("", "ip", "-n", b.ns, "link", "set", b.dev, "up"))
}

// joinInternet gives the interface dev of ns a line into the internet with a public address of its own.
// Each address is in its own /24, because a control plane takes few peers of one /24. The caller
// holds l.mu.
func (l *Lab) joinInternet(ns, dev string, line Line) (public string, e ends, err error) {
	public, err = publicAddr(l.lines)
	if err != nil {
		return "", e, err
	}
	e = ends{near: portOf{ns, dev}, far: portOf{l.internet, fmt.Sprintf("line%d", l.lines)}}
	l.lines++
	if err := connect(e.near, e.far); err != nil {
		return "", e, err
	}
	return public, e, errors.Join(
		inNamespace(l.internet, "ip route add "+public+"/32 dev "+e.far.dev),
		inNamespace(ns,
			"ip addr add "+public+"/32 dev "+dev,
			"ip route add "+gateway+"/32 dev "+dev,
			"ip route add default via "+gateway),
		e.set(line))
}

// publicAddr returns the n-th public address: TEST-NET-3, -2 and -1 (RFC 5737) first, then the networks
// for benchmarks (RFC 2544).
func publicAddr(n int) (string, error) {
	documentation := []string{"203.0.113", "198.51.100", "192.0.2"}
	switch {
	case n < len(documentation):
		return documentation[n] + ".10", nil
	case n < len(documentation)+256:
		return fmt.Sprintf("198.18.%d.10", n-len(documentation)), nil
	}
	return "", errors.New("the laboratory has no public address left")
}

// checkName keeps names usable in file names and scripts.
func checkName(name string) error {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return fmt.Errorf("%q: names in a laboratory have lower-case letters and digits only", name)
	}
	return nil
}

// run executes a tool with the given standard input; what it complained about becomes the error.
func run(stdin, tool string, args ...string) error {
	_, err := output(stdin, tool, args...)
	return err
}

func output(stdin, tool string, args ...string) ([]byte, error) {
	cmd := exec.Command(tool, args...) //nolint:noctx // a few ms, and half of a set-up is worse than a late end
	cmd.Stdin = strings.NewReader(stdin)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", tool, strings.Join(args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return out, nil
}

// inNamespace runs shell commands in a namespace and stops at the first that fails.
func inNamespace(ns string, commands ...string) error {
	return run(strings.Join(commands, "\n"), "ip", "netns", "exec", ns, "sh", "-eu")
}

// command prepares a program to run in a namespace. `ip netns exec` replaces itself by the program, so
// the process ID, signals and exit code are the program's own.
func command(ctx context.Context, ns, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", ns, name}, args...)...)
}

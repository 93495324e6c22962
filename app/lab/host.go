package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// Host is one computer of a laboratory.
type Host struct {
	name   string
	ns     string
	addr   string
	public string
	ends   ends     // of its line
	meter  *os.File // counters of its interfaces; closed with the laboratory
}

// HostOptions describe a host. The zero value is a public host on an unlimited line.
type HostOptions struct {
	Line
	NAT  NAT   // "" means NATNone; not used with Site
	Site *Site // plugs the host into a site that exists; Line is then its cable within the site
}

// Host adds a computer: with a public address, behind a router of its own, or in a site.
func (l *Lab) Host(name string, o HostOptions) (*Host, error) {
	if o.Site != nil {
		return o.Site.Host(name, o.Line)
	}
	if o.NAT != "" && o.NAT != NATNone {
		site, err := l.Site(name+"router", o.NAT, o.Line)
		if err != nil {
			return nil, err
		}
		h, err := site.Host(name, Line{})
		if err != nil {
			return nil, err
		}
		h.ends = site.ends
		return h, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	ns, err := l.addNamespace(name)
	if err != nil {
		return nil, err
	}
	addr, ends, err := l.joinInternet(ns, hostInterface, o.Line)
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", name, err)
	}
	return l.withMeter(&Host{name: name, ns: ns, addr: addr, public: addr, ends: ends})
}

// withMeter opens the host's counters. The caller holds l.mu.
func (l *Lab) withMeter(h *Host) (*Host, error) {
	meter, err := openMeter(h.ns)
	if err != nil {
		return nil, err
	}
	h.meter = meter
	l.meters = append(l.meters, meter)
	return h, nil
}

// hostInterface is the name of a host's only interface.
const hostInterface = "eth0"

// Name returns the name that was given to the host.
func (h *Host) Name() string { return h.name }

// Addr returns the host's own IPv4 address; behind a NAT that is a private one.
func (h *Host) Addr() string { return h.addr }

// PublicAddr returns the IPv4 address that the internet sees of the host.
func (h *Host) PublicAddr() string { return h.public }

// SetLine changes the rates of the host's line while it is in use: the line that HostOptions gave it.
func (h *Host) SetLine(line Line) error { return h.ends.set(line) }

// Command prepares a program to run on the host. Ending ctx kills it; so does closing the laboratory.
func (h *Host) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return command(ctx, h.ns, name, args...)
}

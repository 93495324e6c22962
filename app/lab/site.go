package lab

import (
	"errors"
	"fmt"
)

// Site is a home or an office: a router with a NAT, and hosts that reach each other behind it.
type Site struct {
	lab    *Lab
	name   string
	ns     string // the router's namespace
	subnet string // first three bytes of its private network
	public string // address that the internet sees
	ends   ends   // of its line
	hosts  int    // guarded by lab.mu
}

// Interfaces of a router.
const (
	lanBridge = "lan"
	wanPort   = "wan"
)

// Site adds a router of the given kind. The line is shared by all its hosts.
func (l *Lab) Site(name string, nat NAT, line Line) (*Site, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &Site{lab: l, name: name, subnet: fmt.Sprintf("192.168.%d", 1+l.sites%254)}
	l.sites++
	var err error
	s.ns, err = l.addNamespace(name,
		"ip link add "+lanBridge+" type bridge",
		"ip link set "+lanBridge+" up",
		"ip addr add "+s.subnet+".1/24 dev "+lanBridge)
	if err != nil {
		return nil, err
	}
	home, carrier := nat.layers()
	if carrier == "" {
		s.public, s.ends, err = l.joinInternet(s.ns, wanPort, line)
	} else {
		s.public, s.ends, err = l.joinCarrier(s.ns, name, carrier, line)
	}
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", name, err)
	}
	return s, home.install(s.ns, lanBridge, wanPort)
}

// joinCarrier puts a second NAT between a router and the internet, as mobile and some fibre carriers
// do; the router gets an address of the shared range (RFC 6598). The caller holds l.mu.
func (l *Lab) joinCarrier(router, name string, nat NAT, line Line) (public string, e ends, err error) {
	const customer = "customer"
	inside := fmt.Sprintf("100.64.%d", l.carriers%256)
	l.carriers++
	carrier, err := l.addNamespace(name + "carrier")
	if err != nil {
		return "", e, err
	}
	public, e, err = l.joinInternet(carrier, wanPort, line)
	if err != nil {
		return "", e, err
	}
	if err := connect(portOf{router, wanPort}, portOf{carrier, customer}); err != nil {
		return "", e, err
	}
	return public, e, errors.Join(
		inNamespace(carrier, "ip addr add "+inside+".1/30 dev "+customer),
		inNamespace(router,
			"ip addr add "+inside+".2/30 dev "+wanPort,
			"ip route add default via "+inside+".1"),
		nat.install(carrier, customer, wanPort))
}

// Host adds a computer to the site. The line is its cable to the router.
func (s *Site) Host(name string, line Line) (*Host, error) {
	s.lab.mu.Lock()
	defer s.lab.mu.Unlock()
	h := &Host{name: name, addr: fmt.Sprintf("%s.%d", s.subnet, 10+s.hosts), public: s.public}
	port := fmt.Sprintf("port%d", s.hosts)
	s.hosts++
	var err error
	if h.ns, err = s.lab.addNamespace(name); err != nil {
		return nil, err
	}
	h.ends = ends{near: portOf{h.ns, hostInterface}, far: portOf{s.ns, port}}
	if err := connect(h.ends.near, h.ends.far); err != nil {
		return nil, err
	}
	err = errors.Join(
		inNamespace(s.ns, "ip link set "+port+" master "+lanBridge),
		inNamespace(h.ns,
			"ip addr add "+h.addr+"/24 dev "+hostInterface,
			"ip route add default via "+s.subnet+".1"),
		h.ends.set(line))
	if err != nil {
		return nil, err
	}
	return s.lab.withMeter(h)
}

// SetLine changes the rates of the site's line while it is in use.
func (s *Site) SetLine(line Line) error { return s.ends.set(line) }

// Wire reads what passed the shapers of the site's line, as Host.Wire does.
func (s *Site) Wire() (Counters, error) { return s.ends.wire() }

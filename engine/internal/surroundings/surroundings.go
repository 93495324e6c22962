// Package surroundings asks the system what this computer runs on and is connected through: battery, a network that is
// paid for by volume, a VPN. What the system does not say counts as harmless, and is logged once. The package only
// looks; what follows from it is decided in package budget.
package surroundings

import (
	"context"
	"log/slog"
	"net"
	"sync"

	"github.com/tributary-dl/tributary/engine/internal/budget"
)

// Source answers Look. Its methods may be called from any goroutine.
type Source struct {
	system system
	log    *slog.Logger

	mu     sync.Mutex // one look at a time
	silent map[string]bool
}

// New returns a source. root is where the system's files are, "/" unless in a test.
func New(root string, log *slog.Logger) *Source {
	return &Source{system: newSystem(root), log: log, silent: map[string]bool{}}
}

// Look asks the system. It may take until ctx ends.
func (s *Source) Look(ctx context.Context) budget.Surroundings {
	s.mu.Lock()
	defer s.mu.Unlock()
	var now budget.Surroundings
	var err error
	now.OnBattery, now.Charge, err = s.system.power(ctx)
	s.tell("power", err)
	now.Metered, err = s.system.metered(ctx)
	s.tell("metered network", err)
	now.VPN, err = s.system.vpn(ctx)
	s.tell("VPN", err)
	return now
}

// tell logs what the system does not say, once.
func (s *Source) tell(what string, err error) {
	if err != nil && !s.silent[what] {
		s.silent[what] = true
		s.log.Debug("the system does not say", "what", what, "err", err)
	}
}

// Close frees what Look holds open.
func (s *Source) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.system.close()
}

// system is what each operating system implements.
type system interface {
	// power tells whether the computer runs on its battery, and its charge in percent.
	power(context.Context) (onBattery bool, charge int, err error)
	metered(context.Context) (bool, error)
	vpn(context.Context) (bool, error)
	close()
}

// outward returns the interface through which the Internet is reached, nil if there is none. Connecting a datagram socket
// sends nothing; it only asks the system for its route, those of VPNs that work by rules included.
func outward() (*net.Interface, error) {
	for _, anywhere := range []string{"192.0.2.1:9", "[2001:db8::1]:9"} { // addresses for documentation
		c, err := net.Dial("udp", anywhere) //nolint:noctx // it does not wait
		if err != nil {
			continue
		}
		local := c.LocalAddr().(*net.UDPAddr).IP
		c.Close()
		return owner(local)
	}
	return nil, nil
}

// owner returns the interface that has an address.
func owner(of net.IP) (*net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, i := range all {
		addresses, err := i.Addrs()
		if err != nil {
			return nil, err
		}
		for _, a := range addresses {
			if n, ok := a.(*net.IPNet); ok && n.IP.Equal(of) {
				return &i, nil
			}
		}
	}
	return nil, nil
}

package surroundings

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
)

// darwin asks the system's own tool: its frameworks need cgo.
type darwin struct{}

func newSystem(string) system { return darwin{} }

func (darwin) power(ctx context.Context) (onBattery bool, charge int, err error) {
	out, err := exec.CommandContext(ctx, "/usr/bin/pmset", "-g", "batt").Output()
	if err != nil {
		return false, 0, fmt.Errorf("pmset: %w", err)
	}
	onBattery, charge = parsePmset(string(out))
	return onBattery, charge, nil
}

func (darwin) metered(context.Context) (bool, error) {
	return false, errors.New("macOS tells whether a network is expensive to its frameworks alone")
}

// vpn: the Internet is reached through a tunnel (utun, ipsec, ppp) only where there is a VPN.
func (darwin) vpn(context.Context) (bool, error) {
	i, err := outward()
	return i != nil && i.Flags&net.FlagPointToPoint != 0, err
}

func (darwin) close() {}

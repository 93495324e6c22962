package surroundings

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"
)

// linux reads the kernel's files and asks NetworkManager.
type linux struct {
	root  string
	route func() (string, error) // name of the interface to the Internet; empty: none
	bus   *dbus.Conn             // nil until it is needed
}

func newSystem(root string) system { return &linux{root: root, route: outwardName} }

func outwardName() (string, error) {
	i, err := outward()
	if i == nil {
		return "", err
	}
	return i.Name, nil
}

// power reads /sys/class/power_supply (the kernel's Documentation/ABI/testing/sysfs-class-power). Batteries of mice and
// headphones have the scope Device.
func (l *linux) power(context.Context) (onBattery bool, charge int, err error) {
	dir := filepath.Join(l.root, "sys/class/power_supply")
	supplies, err := os.ReadDir(dir)
	if err != nil {
		return false, 0, err
	}
	charge, mains := 100, false
	for _, s := range supplies {
		read := func(name string) string { return readLine(filepath.Join(dir, s.Name(), name)) }
		switch kind := read("type"); {
		case read("scope") == "Device":
		case kind == "Battery":
			onBattery = onBattery || read("status") == "Discharging"
			if n, err := strconv.Atoi(read("capacity")); err == nil {
				charge = min(charge, n)
			}
		case read("online") == "1": // a mains adapter, or USB that charges: a weak one may let the battery sink
			mains = true
		}
	}
	return onBattery && !mains, charge, nil
}

// readLine returns a small file without its end of line, or "".
func readLine(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

const networkManager = "org.freedesktop.NetworkManager"

// Values of NetworkManager's property Metered (NMMetered).
const (
	meteredYes      = 1
	meteredGuessYes = 3 // a phone's hotspot, a modem
)

func (l *linux) metered(ctx context.Context) (bool, error) {
	var value uint32
	if err := l.property(ctx, "Metered", &value); err != nil {
		return false, err
	}
	return value == meteredYes || value == meteredGuessYes, nil
}

// property asks NetworkManager without starting it.
func (l *linux) property(ctx context.Context, name string, value any) error {
	if l.bus == nil {
		conn, err := dbus.ConnectSystemBus()
		if err != nil {
			return fmt.Errorf("connect to the system's bus: %w", err)
		}
		l.bus = conn
	}
	var answer dbus.Variant
	err := l.bus.Object(networkManager, "/org/freedesktop/NetworkManager").
		CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", dbus.FlagNoAutoStart, networkManager, name).Store(&answer)
	if err != nil {
		if _, refused := errors.AsType[dbus.Error](err); !refused {
			l.close() // the bus may have been started again
		}
		return fmt.Errorf("ask NetworkManager for %s: %w", name, err)
	}
	return answer.Store(value)
}

// vpn tells whether the way to the Internet is a tunnel: of the kernel's own kinds, or as NetworkManager says.
func (l *linux) vpn(ctx context.Context) (bool, error) {
	name, err := l.route()
	if err != nil || name == "" {
		return false, err
	}
	dir := filepath.Join(l.root, "sys/class/net", name)
	if _, err := os.Stat(filepath.Join(dir, "tun_flags")); err == nil { // OpenVPN and most others
		return true, nil
	}
	for line := range strings.Lines(readLine(filepath.Join(dir, "uevent"))) {
		if strings.TrimSpace(line) == "DEVTYPE=wireguard" {
			return true, nil
		}
	}
	var kind string // L2TP and the like end at an interface as any modem has
	if err := l.property(ctx, "PrimaryConnectionType", &kind); err != nil {
		return false, err
	}
	return kind == "vpn" || kind == "wireguard", nil
}

func (l *linux) close() {
	if l.bus != nil {
		_ = l.bus.Close() // nothing waits on it
		l.bus = nil
	}
}

package surroundings

import (
	"bufio"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"

	"github.com/tributary-dl/tributary/engine/internal/budget"
)

// machine writes the kernel's files of a computer below a folder: path, then content.
func machine(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "sys/class/power_supply"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		path := filepath.Join(root, "sys/class", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestPower(t *testing.T) {
	battery := func(name, status, charge string) map[string]string {
		return map[string]string{"power_supply/" + name + "/type": "Battery", "power_supply/" + name + "/status": status, "power_supply/" + name + "/capacity": charge}
	}
	with := func(files map[string]string, more ...string) map[string]string {
		for i := 0; i < len(more); i += 2 {
			files["power_supply/"+more[i]] = more[i+1]
		}
		return files
	}
	tests := []struct {
		name    string
		files   map[string]string
		battery bool
		charge  int
	}{
		{"a desktop", nil, false, 100},
		{"a laptop on its battery", with(battery("BAT0", "Discharging", "43"), "AC/type", "Mains", "AC/online", "0"), true, 43},
		{"a laptop on mains", with(battery("BAT0", "Charging", "43"), "AC/type", "Mains", "AC/online", "1"), false, 43},
		{"on USB that is too weak", with(battery("BAT0", "Discharging", "43"), "usb/type", "USB", "usb/online", "1"), false, 43},
		{"full", with(battery("BAT0", "Full", "100"), "AC/type", "Mains", "AC/online", "1"), false, 100},
		{"two batteries", with(battery("BAT1", "Discharging", "80"), "BAT0/type", "Battery", "BAT0/status", "Not charging", "BAT0/capacity", "20"), true, 20},
		{"a mouse", with(battery("hid", "Discharging", "5"), "hid/scope", "Device"), false, 100},
		{"nonsense", with(battery("BAT0", "?", "lots")), false, 100},
	}
	for _, tt := range tests {
		on, charge, err := newSystem(machine(t, tt.files)).power(t.Context())
		if on != tt.battery || charge != tt.charge || err != nil {
			t.Errorf("%s: battery %v, %d%%, %v; want %v, %d%%", tt.name, on, charge, err, tt.battery, tt.charge)
		}
	}
	if _, _, err := newSystem(filepath.Join(t.TempDir(), "none")).power(t.Context()); err == nil {
		t.Error("a system without the folder says something")
	}
}

// manager takes NetworkManager's place on a bus of its own.
func manager(t *testing.T) *prop.Properties {
	t.Helper()
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("needs dbus-daemon (Debian: dbus) to be a system's bus")
	}
	c := exec.CommandContext(t.Context(), daemon, "--session", "--nofork", "--print-address")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", strings.TrimSpace(address))
	bus, err := dbus.Connect(strings.TrimSpace(address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bus.Close() })
	properties, err := prop.Export(bus, "/org/freedesktop/NetworkManager", prop.Map{networkManager: {
		"Metered": {Value: uint32(0)}, "PrimaryConnectionType": {Value: "802-3-ethernet"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bus.RequestName(networkManager, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	return properties
}

func TestNetwork(t *testing.T) {
	properties := manager(t)
	root := machine(t, map[string]string{"net/eth0/uevent": "INTERFACE=eth0\nIFINDEX=2", "net/ovpn/tun_flags": "0x1001", "net/wg0/uevent": "DEVTYPE=wireguard\nINTERFACE=wg0", "net/ppp0/uevent": "INTERFACE=ppp0"})
	tests := []struct {
		name     string
		metered  uint32
		kind     string
		route    string
		wantPaid bool
		wantVPN  bool
	}{
		{"not known", 0, "802-3-ethernet", "eth0", false, false},
		{"yes", 1, "802-11-wireless", "eth0", true, false},
		{"no", 2, "802-11-wireless", "eth0", false, false},
		{"a phone's hotspot, by guess", 3, "802-11-wireless", "eth0", true, false},
		{"no, by guess", 4, "802-3-ethernet", "eth0", false, false},
		{"OpenVPN", 4, "802-3-ethernet", "ovpn", false, true},
		{"WireGuard by hand", 4, "802-3-ethernet", "wg0", false, true},
		{"L2TP", 4, "vpn", "ppp0", false, true},
		{"a modem", 1, "gsm", "ppp0", true, false},
		{"not connected", 0, "", "", false, false},
	}
	for _, tt := range tests {
		properties.SetMust(networkManager, "Metered", tt.metered)
		properties.SetMust(networkManager, "PrimaryConnectionType", tt.kind)
		s := New(root, slog.New(slog.NewTextHandler(t.Output(), nil)))
		s.system.(*linux).route = func() (string, error) { return tt.route, nil }
		want := budget.Surroundings{Charge: 100, Metered: tt.wantPaid, VPN: tt.wantVPN}
		if got := s.Look(t.Context()); got != want {
			t.Errorf("%s: %+v; want %+v", tt.name, got, want)
		}
		s.Close()
	}
}

// Without NetworkManager, without a bus, with one that hangs: harmless, and soon.
func TestNobodySays(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "none"))
	s := New(machine(t, nil), slog.New(slog.DiscardHandler))
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if got := s.Look(ctx); got.OnBattery || got.Metered || got.VPN {
		t.Errorf("where nobody says anything: %+v", got)
	}
	if _, err := outwardName(); err != nil {
		t.Errorf("the way to the Internet: %v", err)
	}
}

package main_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/localapi/localapitest"
)

// patience bounds each wait for the tray, which looks at the service every two seconds.
const patience = 20 * time.Second

// desk is a desktop session: a bus of its own, and us in the place of the panel and of the notification daemon.
type desk struct {
	bus        *dbus.Conn
	address    string
	registered chan string
	notices    chan string
}

// RegisterStatusNotifierItem implements org.kde.StatusNotifierWatcher. Items name their path; who they are is on the
// envelope.
func (d *desk) RegisterStatusNotifierItem(_ string, from dbus.Sender) *dbus.Error {
	d.registered <- string(from)
	return nil
}

// Notify implements org.freedesktop.Notifications.
func (d *desk) Notify(_ string, _ uint32, _, title, text string, actions []string, _ map[string]dbus.Variant, _ int32) (uint32, *dbus.Error) {
	d.notices <- fmt.Sprintf("%s | %s | %d actions", title, text, len(actions)/2)
	return 1, nil
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("needs dbus-daemon (Debian: dbus) to be a desktop's bus")
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
	d := &desk{address: strings.TrimSpace(address), registered: make(chan string, 4), notices: make(chan string, 16)}
	if d.bus, err = dbus.Connect(d.address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.bus.Close() })
	for name, path := range map[string]dbus.ObjectPath{
		"org.kde.StatusNotifierWatcher": "/StatusNotifierWatcher", "org.freedesktop.Notifications": "/org/freedesktop/Notifications",
	} {
		if err := d.bus.Export(d, path, name); err != nil {
			t.Fatal(err)
		}
		if _, err := d.bus.RequestName(name, dbus.NameFlagDoNotQueue); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// entry is an item of the tray's menu.
type entry struct {
	id      int32
	label   string
	enabled bool
	checked bool
}

// menu reads the tray's menu the way a panel does (com.canonical.dbusmenu).
func (d *desk) menu(t *testing.T, item string) []entry {
	t.Helper()
	type node struct {
		ID         int32
		Properties map[string]dbus.Variant
		Children   []dbus.Variant
	}
	var revision uint32
	var root node
	err := d.bus.Object(item, "/StatusNotifierItem/menu").Call("com.canonical.dbusmenu.GetLayout", 0, int32(0), int32(-1), []string{}).Store(&revision, &root)
	if err != nil {
		t.Fatal(err)
	}
	var entries []entry
	for _, c := range root.Children {
		var n node
		if err := dbus.Store([]any{c.Value()}, &n); err != nil {
			t.Fatal(err)
		}
		label, _ := n.Properties["label"].Value().(string)
		if label == "" {
			continue
		}
		e := entry{id: n.ID, label: label, enabled: true}
		if v, ok := n.Properties["enabled"].Value().(bool); ok {
			e.enabled = v
		}
		if v, ok := n.Properties["visible"].Value().(bool); ok && !v {
			continue
		}
		state, _ := n.Properties["toggle-state"].Value().(int32)
		e.checked = state == 1
		entries = append(entries, e)
	}
	return entries
}

func (d *desk) click(t *testing.T, item, label string) {
	t.Helper()
	for _, e := range d.menu(t, item) {
		if e.label == label {
			call := d.bus.Object(item, "/StatusNotifierItem/menu").Call("com.canonical.dbusmenu.Event", 0, e.id, "clicked", dbus.MakeVariant(""), uint32(0))
			if call.Err != nil {
				t.Fatal(call.Err)
			}
			return
		}
	}
	t.Fatalf("the menu has no %q: %+v", label, d.menu(t, item))
}

// until waits for something that the tray does in its own time.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("after %v still not: %s", patience, what)
		case <-look.C:
		}
	}
}

func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "tributary-tray")
	c := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// The program runs all day on every computer, so it holds nothing that it does not need. Above all not net/http: whatever
// imports it brings TLS, certificates and HTTP/2, 3.6 MB in all.
func TestTheProgramIsSmall(t *testing.T) {
	const most = 6_000_000 // bytes
	info, err := os.Stat(build(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", info.Size())
	if info.Size() > most {
		t.Errorf("the program has %d bytes, more than %d; \"go list -deps ./app/tributary-tray\" tells what is in it", info.Size(), most)
	}
}

// The tray on a real bus: it registers with the panel, its menu steers the service, it tells what finished, a
// second one leaves at once, and quitting it says that downloads go on.
func TestTrayOnADesktop(t *testing.T) {
	d := newDesk(t)
	fake := localapitest.NewFake(
		api.Detail{Download: api.Download{ID: "d1", Name: "debian.iso", State: api.StateDownloading, Want: api.WantRun, TotalBytes: 1000, VerifiedBytes: 420, Path: "/dl/debian.iso"}},
		api.Detail{Download: api.Download{ID: "d2", Name: "fedora.iso", State: api.StatePaused, Want: api.WantPause, TotalBytes: 1000}},
	)
	socket, _ := localapitest.Serve(t, fake)
	program := build(t)
	run := func() *exec.Cmd {
		c := exec.CommandContext(t.Context(), program, "--socket", socket, "--data", t.TempDir())
		c.Env = append(os.Environ(), "DBUS_SESSION_BUS_ADDRESS="+d.address, "LC_ALL=C")
		c.Stderr = t.Output()
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := run()
	ended := make(chan error, 1)
	go func() { ended <- first.Wait() }()
	t.Cleanup(func() { _ = first.Process.Kill() })
	var item string
	select {
	case item = <-d.registered:
	case <-time.After(patience):
		t.Fatal("the tray has not registered with the panel")
	}
	has := func(label string, want func(entry) bool) func() bool {
		return func() bool {
			for _, e := range d.menu(t, item) {
				if strings.HasPrefix(e.label, label) {
					return want(e)
				}
			}
			return false
		}
	}
	until(t, "the menu shows the download with its progress", has("debian.iso", func(e entry) bool { return strings.HasSuffix(e.label, "42%") }))
	until(t, "Pause all can be clicked", has("Pause all", func(e entry) bool { return e.enabled }))

	d.click(t, item, "Pause all")
	until(t, "the service is asked to pause", func() bool { return strings.Contains(strings.Join(fake.Calls(), ","), "pause d1") })
	d.click(t, item, "Resume all")
	until(t, "the service is asked to resume", func() bool { return strings.Contains(strings.Join(fake.Calls(), ","), "resume d2") })
	d.click(t, item, "Give to others")
	until(t, "the service is asked to share", func() bool { return fake.Settings().Sharing == api.SharingOn })

	fake.Update("d1", func(x *api.Download) { x.State, x.VerifiedBytes, x.BytesFromPeers = api.StateComplete, 1000, 500 })
	select {
	case got := <-d.notices:
		if want := "debian.iso is finished | 1\u00a0kB · 50% from peers | 3 actions"; got != want {
			t.Errorf("told %q; want %q", got, want)
		}
	case <-time.After(patience):
		t.Error("nothing was told of a finished download")
	}

	if err := run().Wait(); err != nil {
		t.Errorf("a second tray ends with %v", err)
	}
	d.click(t, item, "Quit the tray")
	select {
	case got := <-d.notices:
		if !strings.HasPrefix(got, "Downloads go on") {
			t.Errorf("quitting tells %q", got)
		}
	case <-time.After(patience):
		t.Error("quitting tells nothing")
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the tray ended with %v", err)
		}
	case <-time.After(patience):
		t.Error("the tray did not quit")
	}
}

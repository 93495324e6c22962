package main_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/app/desktop/panel"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/localapi/localapitest"
)

// patience bounds each wait for the tray, which looks at the service every two seconds.
const patience = 20 * time.Second

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
	if pkg := panel.Missing(); pkg != "" {
		t.Skipf("needs a desktop's bus: install %s", pkg)
	}
	d, err := panel.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	fake := localapitest.NewFake(
		api.Detail{Download: api.Download{ID: "d1", Name: "debian.iso", State: api.StateDownloading, Want: api.WantRun, TotalBytes: 1000, VerifiedBytes: 420, Path: "/dl/debian.iso"}},
		api.Detail{Download: api.Download{ID: "d2", Name: "fedora.iso", State: api.StatePaused, Want: api.WantPause, TotalBytes: 1000}},
	)
	socket, _ := localapitest.Serve(t, fake)
	program := build(t)
	run := func() *exec.Cmd {
		c := exec.CommandContext(t.Context(), program, "--socket", socket, "--data", t.TempDir())
		c.Env = append(os.Environ(), "DBUS_SESSION_BUS_ADDRESS="+d.Address, "LC_ALL=C")
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
	case item = <-d.Items:
	case <-time.After(patience):
		t.Fatal("the tray has not registered with the panel")
	}
	has := func(label string, want func(panel.Entry) bool) func() bool {
		return func() bool {
			entries, err := d.Menu(item)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if strings.HasPrefix(e.Label, label) {
					return want(e)
				}
			}
			return false
		}
	}
	click := func(label string) {
		t.Helper()
		if err := d.Click(item, label); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the menu shows the download with its progress", has("debian.iso", func(e panel.Entry) bool { return strings.HasSuffix(e.Label, "42%") }))
	until(t, "Pause all can be clicked", has("Pause all", func(e panel.Entry) bool { return e.Enabled }))

	click("Pause all")
	until(t, "the service is asked to pause", func() bool { return strings.Contains(strings.Join(fake.Calls(), ","), "pause d1") })
	click("Resume all")
	until(t, "the service is asked to resume", func() bool { return strings.Contains(strings.Join(fake.Calls(), ","), "resume d2") })
	click("Give to others")
	until(t, "the service is asked to share", func() bool { return fake.Settings().Sharing == api.SharingOn })

	fake.Update("d1", func(x *api.Download) { x.State, x.VerifiedBytes, x.BytesFromPeers = api.StateComplete, 1000, 500 })
	select {
	case got := <-d.Notices:
		want := []string{"debian.iso is finished", "1\u00a0kB · 50% from peers", "default", "Open", "open", "Open", "folder", "Show in folder"}
		if diff := cmp.Diff(want, append([]string{got.Title, got.Text}, got.Actions...)); diff != "" {
			t.Error(diff)
		}
	case <-time.After(patience):
		t.Error("nothing was told of a finished download")
	}

	if err := run().Wait(); err != nil {
		t.Errorf("a second tray ends with %v", err)
	}
	click("Quit the tray")
	select {
	case got := <-d.Notices:
		if got.Title != "Downloads go on" {
			t.Errorf("quitting tells %+v", got)
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

//go:build desktop && linux

package main_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/app/desktop/screen"
	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/engine/api"
)

// patience bounds each wait; a busy machine draws a window in seconds.
const patience = 30 * time.Second

func build(t *testing.T, dir string) {
	t.Helper()
	for _, args := range [][]string{
		{"-o", filepath.Join(dir, "tributary-control"), "../../control"},
		{"-o", dir + "/", "../tributaryd", "../tributaryctl"},
		{"-tags", "desktop,migrated_fynedo", "-o", dir + "/", "."},
	} {
		c := exec.CommandContext(t.Context(), "go", append([]string{"build"}, args...)...)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("go build %v: %v\n%s", args, err, out)
		}
	}
}

// The real window on a screen, with the real service and a real edge: paste a link, watch it arrive, pause it, go on, look
// at it from close by, close the window. The download goes on without the window.
func TestWindow(t *testing.T) {
	if missing := screen.Missing(); len(missing) > 0 {
		t.Skipf("needs a screen: install %s", strings.Join(missing, " "))
	}
	bin, data := t.TempDir(), t.TempDir()
	build(t, bin)
	programs, err := fleet.FindPrograms(bin)
	if err != nil {
		t.Fatal(err)
	}
	control, err := programs.Control(fleet.ThisMachine{}, fleet.ControlOptions{Data: filepath.Join(data, "control"), Listen: "127.0.0.1:0", EdgeRate: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = control.Stop() })
	file := filepath.Join(data, "picture.iso")
	if err := os.WriteFile(file, make([]byte, 12<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	urls, err := control.Publish(t.Context(), "", file)
	if err != nil {
		t.Fatal(err)
	}
	daemon, err := programs.Daemon(fleet.ThisMachine{}, fleet.DaemonOptions{Data: filepath.Join(data, "d"), CA: control.CA(), Loopback: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = daemon.Stop() })
	downloads := filepath.Join(data, "downloads")
	if _, err := daemon.SetSettings(t.Context(), api.SettingsPatch{Dir: &downloads}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "d", "desktop.json"), []byte(`{"welcomed":true}`), 0o600); err != nil {
		t.Fatal(err)
	}

	s, err := screen.Open(filepath.Join(data, "screen"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	began := time.Now()
	window, err := s.Start(filepath.Join(bin, "tributary"), "--socket", daemon.Socket, "--data", filepath.Join(data, "d"), "--alone")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	id, err := s.Window(ctx, "Tributary")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the window was there after %v", time.Since(began).Round(10*time.Millisecond))
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// only waits until the one download is as it should be.
	only := func(what string, want func(api.Download) bool) api.Download {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		for event, err := range daemon.Watch(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			if d := event.Download; d != nil && want(*d) {
				return *d
			}
		}
		_ = s.Shot(t.Context(), id, filepath.Join(os.TempDir(), "tributary-window-test.png"))
		t.Fatalf("after %v not yet: %s; see tributary-window-test.png in %s", patience, what, os.TempDir())
		return api.Download{}
	}

	do(s.Focus(ctx, id))
	do(s.Clipboard(ctx, urls[0]))
	// A key that comes before the window listens is lost, so the paste is repeated until the dialog has taken it.
	added := false
	for try := 0; try < 5 && !added; try++ {
		do(s.Key(ctx, "Escape", "ctrl+v"))
		settle(ctx)
		do(s.Key(ctx, "shift+Return"))
		settle(ctx)
		all, err := daemon.Downloads(ctx)
		do(err)
		added = len(all) == 1
	}
	if !added {
		t.Fatal("a pasted link was not added")
	}
	only("bytes arrive", func(d api.Download) bool { return d.State == api.StateDownloading && d.VerifiedBytes > 0 })

	do(s.Key(ctx, "Down", "Home", "space"))
	only("Space pauses it", func(d api.Download) bool { return d.State == api.StatePaused })
	settle(ctx) // the window hears of it as we did
	do(s.Key(ctx, "space"))
	only("Space lets it go on", func(d api.Download) bool { return d.State == api.StateDownloading || d.State == api.StateComplete })

	// A second start hands over to the first and ends at once.
	second, err := s.Start(filepath.Join(bin, "tributary"), "--socket", daemon.Socket, "--data", filepath.Join(data, "d"), "--alone")
	do(err)
	if err := second.Wait(); err != nil {
		t.Errorf("a second start ends with %v", err)
	}

	do(s.CloseWindow(ctx, id))
	_ = window.Wait() // killed with its window by the X server, or ended by itself
	only("it is complete without the window", func(d api.Download) bool { return d.State == api.StateComplete })
	if info, err := os.Stat(filepath.Join(downloads, "picture.iso")); err != nil || info.Size() != 12<<20 {
		t.Errorf("the file: %v, %v", info, err)
	}
}

// settle gives the window the time of two of its pictures. There is nothing outside it to wait for.
func settle(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(1200 * time.Millisecond):
	}
}

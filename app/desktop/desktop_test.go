package desktop_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/app/desktop"
	"github.com/tributary-dl/tributary/ui/model"
)

func place(t *testing.T) desktop.Place {
	t.Helper()
	dir, err := os.MkdirTemp("", "desk") // short: sockets have short names
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p, err := desktop.Options{Socket: filepath.Join(dir, "d.sock"), Data: dir}.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The second start hands its links to the first, and a place left behind by a crash is taken over.
func TestOneInstance(t *testing.T) {
	p := place(t)
	dead, err := net.Listen("unix", filepath.Join(p.Data, "window.sock"))
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = dead.Close()

	first, err := p.Claim("window", desktop.Hello{})
	if err != nil {
		t.Fatalf("after a crash: %v", err)
	}
	got := make(chan desktop.Hello, 1)
	first.Serve(func(h desktop.Hello) { got <- h })
	want := desktop.Hello{Links: []string{"https://example.com/a"}, Show: true}
	if _, err := p.Claim("window", want); !errors.Is(err, desktop.ErrHandedOver) {
		t.Fatalf("a second start: %v; want ErrHandedOver", err)
	}
	if diff := cmp.Diff(want, <-got); diff != "" {
		t.Error(diff)
	}
	tray, err := p.Claim("tray", desktop.Hello{})
	if err != nil {
		t.Errorf("the tray beside the window: %v", err)
	} else if err := tray.Close(); err != nil {
		t.Error(err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	again, err := p.Claim("window", desktop.Hello{})
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// Whoever connects and talks nonsense, or says nothing, harms nobody.
func TestInstanceTakesNoNonsense(t *testing.T) {
	p := place(t)
	i, err := p.Claim("window", desktop.Hello{})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan desktop.Hello, 2)
	i.Serve(func(h desktop.Hello) { got <- h })
	for _, text := range []string{"", "hello", `{"links":5}`, "\x00\xff", strings.Repeat("[", 100_000)} {
		c, err := net.Dial("unix", filepath.Join(p.Data, "window.sock"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte(text))
		_ = c.Close()
	}
	if _, err := p.Claim("window", desktop.Hello{Show: true}); !errors.Is(err, desktop.ErrHandedOver) {
		t.Errorf("afterwards a real start gets %v", err)
	}
	if h := <-got; !h.Show {
		t.Errorf("nonsense was taken for %+v", h)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
}

func TestPreferences(t *testing.T) {
	p := place(t)
	if diff := cmp.Diff(model.Preferences{}, p.LoadPreferences()); diff != "" {
		t.Error("without a file:", diff)
	}
	want := model.Preferences{Theme: "light", Language: "ja", QuietFailed: true, Welcomed: true}
	if err := p.SavePreferences(want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, p.LoadPreferences()); diff != "" {
		t.Error(diff)
	}
	if err := os.WriteFile(filepath.Join(p.Data, "desktop.json"), []byte("{broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(model.Preferences{}, p.LoadPreferences()); diff != "" {
		t.Error("with a broken file:", diff)
	}
}

// A file that is gone is said to be gone, before any other program is started.
func TestOpenWhatIsGone(t *testing.T) {
	err := place(t).Open("/nowhere/at/all/file.iso")
	if err == nil || !strings.Contains(err.Error(), "file.iso is not there any more") {
		t.Errorf("Open() = %v", err)
	}
}

// What a second start hands over means the same in the first one's folder.
func TestAbsolute(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("a b.meta4", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	got := desktop.Absolute([]string{"a b.meta4", "https://example.com/a b.meta4", "file:///a.torrent", "missing.torrent"})
	want := []string{filepath.Join(here, "a b.meta4"), "https://example.com/a b.meta4", "file:///a.torrent", "missing.torrent"}
	if !slices.Equal(got, want) {
		t.Errorf("Absolute() = %q; want %q", got, want)
	}
}

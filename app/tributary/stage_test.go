//go:build desktop && linux

package main_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/app/desktop"
	"github.com/tributary-dl/tributary/app/desktop/panel"
	"github.com/tributary-dl/tributary/app/desktop/screen"
	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/engine/api"
)

// patience bounds each wait; a busy machine draws a window in seconds.
const patience = 40 * time.Second

// built is the folder of the programs, built once for all tests.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "tributary-window")
	if err != nil {
		return "", err
	}
	for _, args := range [][]string{
		{"-o", filepath.Join(dir, "tributary-control"), "../../control"},
		{"-o", dir + "/", "../tributaryd", "../tributaryctl", "../tributary-tray"},
		{"-tags", "desktop,migrated_fynedo", "-o", dir + "/", "."},
	} {
		if out, err := exec.Command("go", append([]string{"build"}, args...)...).CombinedOutput(); err != nil {
			return "", errors.Join(err, errors.New(string(out)))
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := built(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// stage is an edge, a service and a screen.
type stage struct {
	*testing.T
	programs fleet.Programs
	bin      string
	data     string // of the service
	control  *fleet.Control
	daemon   *fleet.Daemon
	screen   *screen.Screen
	window   string // its number on the screen
	files    string // folder of what is downloaded
}

// newStage sets everything up but the window. The edge sends at most so many bytes a second.
func newStage(t *testing.T, edgeRate int64) *stage {
	t.Helper()
	if missing := screen.Missing(); len(missing) > 0 {
		t.Skipf("needs a screen: install %s", strings.Join(missing, " "))
	}
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &stage{T: t, bin: bin, data: filepath.Join(dir, "d"), files: filepath.Join(dir, "downloads")}
	s.programs, err = fleet.FindPrograms(bin)
	s.must(err)
	s.control, err = s.programs.Control(fleet.ThisMachine{}, fleet.ControlOptions{Data: filepath.Join(dir, "control"), Listen: "127.0.0.1:0", EdgeRate: edgeRate})
	s.must(err)
	t.Cleanup(func() { _ = s.control.Stop() })
	s.startDaemon()
	t.Cleanup(func() { _ = s.daemon.Stop() })
	_, err = s.daemon.SetSettings(t.Context(), api.SettingsPatch{Dir: &s.files})
	s.must(err)
	s.must(os.WriteFile(filepath.Join(s.data, "desktop.json"), []byte(`{"welcomed":true}`), 0o600))
	s.screen, err = screen.Open(filepath.Join(dir, "screen"))
	s.must(err)
	t.Cleanup(func() { _ = s.screen.Close() })
	return s
}

func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *stage) startDaemon() {
	s.Helper()
	var err error
	s.daemon, err = s.programs.Daemon(fleet.ThisMachine{}, fleet.DaemonOptions{Data: s.data, CA: s.control.CA(), Loopback: true})
	s.must(err)
}

// publish offers a file of zeros and returns the link to it.
func (s *stage) publish(name string, size int64) string {
	s.Helper()
	file := filepath.Join(s.TempDir(), name)
	s.must(os.WriteFile(file, nil, 0o600))
	s.must(os.Truncate(file, size))
	links, err := s.control.Publish(s.Context(), "", file)
	s.must(err)
	return links[0]
}

// open starts the window and waits until it is there and listens.
func (s *stage) open(args ...string) *exec.Cmd {
	s.Helper()
	c, err := s.screen.StartLogged(s.Output(), filepath.Join(s.bin, "tributary"), append([]string{"--socket", s.daemon.Socket, "--data", s.data}, args...)...)
	s.must(err)
	s.find()
	return c
}

// find waits until the window is there, and gives it the keyboard.
func (s *stage) find() {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	var err error
	s.window, err = s.screen.Window(ctx, "Tributary")
	s.must(err)
	s.must(s.screen.Focus(ctx, s.window))
	s.settle()
}

// keys presses keys and lets the window draw what they do.
func (s *stage) keys(keys ...string) {
	s.Helper()
	s.must(s.screen.Key(s.Context(), keys...))
	s.settle()
}

// settle gives the window the time of two of its pictures. There is nothing outside it to wait for.
func (s *stage) settle() {
	select {
	case <-s.Context().Done():
	case <-time.After(1200 * time.Millisecond):
	}
}

// paste adds what is on the clipboard as a user does. A key that comes before the window listens is lost, so it is repeated
// until there is one download more.
func (s *stage) paste(text string) {
	s.Helper()
	before, err := s.daemon.Downloads(s.Context())
	s.must(err)
	s.must(s.screen.Clipboard(s.Context(), text))
	for range 5 {
		s.keys("Escape", "ctrl+v")
		s.keys("shift+Return")
		after, err := s.daemon.Downloads(s.Context())
		s.must(err)
		if len(after) > len(before) {
			return
		}
	}
	s.shot("paste")
	s.Fatalf("%q was pasted and not added", text)
}

// until waits for a download to be as it should.
func (s *stage) until(what string, want func(api.Download) bool) api.Download {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	var last api.Download
	for event, err := range s.daemon.Watch(ctx) {
		s.must(err)
		if event.Download == nil {
			continue
		}
		if last = *event.Download; want(last) {
			return last
		}
	}
	s.shot("late")
	s.Fatalf("after %v not yet: %s; last seen %+v", patience, what, last)
	return last
}

// eventually waits for something that happens in its own time.
func (s *stage) eventually(what string, done func() bool) {
	s.Helper()
	for end := time.Now().Add(patience); !done(); {
		if time.Now().After(end) {
			s.shot("late")
			s.Fatalf("after %v still not: %s", patience, what)
		}
		select {
		case <-s.Context().Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// shot keeps a picture of the window, for those who run the test with -artifacts.
func (s *stage) shot(name string) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience) // of a window that is gone, import asks for another one, for ever
	defer cancel()
	if err := s.screen.Shot(ctx, s.window, filepath.Join(s.ArtifactDir(), name+".png")); err != nil {
		s.Logf("no picture: %v", err)
	}
}

// ended waits until a window has closed by itself.
func (s *stage) ended(c *exec.Cmd) {
	s.Helper()
	end := make(chan error, 1)
	go func() { end <- c.Wait() }()
	select {
	case err := <-end:
		if err != nil {
			s.Errorf("the window ends with %v", err)
		}
	case <-time.After(patience):
		s.shot("open")
		s.Fatal("the window does not close")
	}
}

// withTray gives the screen a panel, and removes the tray that a window starts at the end.
func (s *stage) withTray() *panel.Panel {
	s.Helper()
	if pkg := panel.Missing(); pkg != "" {
		s.Skipf("needs a desktop's bus: install %s", pkg)
	}
	p, err := panel.Open()
	s.must(err)
	s.Cleanup(p.Close)
	s.screen.Bus = p.Address
	s.Cleanup(func() {
		place, err := desktop.Options{Socket: s.daemon.Socket, Data: s.data}.Resolve()
		if err != nil {
			s.Error(err)
			return
		}
		if i, err := place.Claim("tray", desktop.Hello{Quit: true}); err == nil {
			_ = i.Close() // it was gone already
		}
	})
	return p
}

// told waits for a notification.
func (s *stage) told(p *panel.Panel, title string) panel.Notice {
	s.Helper()
	for end := time.After(patience); ; {
		select {
		case n := <-p.Notices:
			if n.Title == title {
				return n
			}
			s.Logf("also told: %+v", n)
		case <-end:
			s.Fatalf("after %v nobody was told %q", patience, title)
		}
	}
}

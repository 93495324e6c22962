//go:build desktop && linux

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/localapi/localapitest"
)

// The service is killed while the window is open, and comes back: the window says so, keeps its list and steers again.
func TestTheServiceDies(t *testing.T) {
	s := newStage(t, 1<<20)
	s.open("--alone")
	s.paste(s.publish("long.iso", 60<<20))
	before := s.until("bytes arrive", downloading)
	s.daemon.Kill()
	s.settle()
	s.settle()
	s.shot("service-gone")
	s.startDaemon()
	after := s.until("the download goes on by itself", downloading)
	if after.ID != before.ID {
		t.Errorf("it is another download now: %s, not %s", after.ID, before.ID)
	}
	s.eventually("the window steers the new service", func() bool {
		s.keys("Escape", "Down", "Home", "space")
		all, err := s.daemon.Downloads(t.Context())
		s.must(err)
		return len(all) == 1 && all[0].State == api.StatePaused
	})
	s.shot("service-back")
}

// What goes wrong with a download is said in the list, in words that the service chooses; the pictures show them.
func TestDownloadsThatFail(t *testing.T) {
	s := newStage(t, 20<<20)
	s.open("--alone")
	s.must(s.screen.Clipboard(t.Context(), "ftp://example.com/x\njavascript:alert(1)\nnot a link"))
	s.keys("ctrl+v")
	s.keys("shift+Return")
	s.shot("bad-links")
	all, err := s.daemon.Downloads(t.Context())
	s.must(err)
	if len(all) != 0 {
		t.Errorf("bad links were added: %+v", all)
	}
	s.paste(strings.TrimSuffix(s.control.Edge, "/") + "/missing.iso")
	d := s.until("it fails", func(d api.Download) bool { return d.State == api.StateFailed })
	s.keys("Escape", "Down", "Home")
	s.shot("404")
	if d.Problem == nil || !strings.Contains(d.Problem.Text, "no such file") || d.Problem.Remedy == "" {
		t.Errorf("the problem is %+v; want that the file is not there and what to do", d.Problem)
	}
}

// The disk is full: the download waits, says why, and goes on by itself when there is room.
func TestTheDiskIsFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a small disk")
	}
	s := newStage(t, 20<<20)
	small := filepath.Join(t.TempDir(), "small")
	s.must(os.Mkdir(small, 0o700))
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(small, syscall.MNT_DETACH) })
	_, err := s.daemon.SetSettings(t.Context(), api.SettingsPatch{Dir: &small})
	s.must(err)
	s.open("--alone")
	s.paste(s.publish("large.iso", 30<<20))
	s.until("the window's service says that the disk is full", func(d api.Download) bool {
		return d.Problem != nil && d.Problem.Code == api.CodeDiskFull
	})
	s.keys("Escape", "Down", "Home")
	s.shot("disk-full")
	s.must(syscall.Mount("tmpfs", small, "tmpfs", syscall.MS_REMOUNT, "size=64m"))
	s.until("it goes on when there is room", complete)
	s.shot("disk-has-room")
}

// A service that speaks another version of the API is named as what it is.
func TestAnotherVersion(t *testing.T) {
	s := newStage(t, 1<<20)
	fake := localapitest.NewFake()
	fake.StatusNow = api.Status{Version: "9.0", API: 9}
	socket, _ := localapitest.Serve(t, fake)
	s.must(os.WriteFile(filepath.Join(filepath.Dir(socket), "desktop.json"), []byte(`{"welcomed":true}`), 0o600))
	_, err := s.screen.StartLogged(t.Output(), filepath.Join(s.bin, "tributary"), "--socket", socket, "--data", t.TempDir(), "--alone")
	s.must(err)
	s.find()
	s.settle()
	s.shot("other-version")
}

//go:build desktop && linux

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tributary-dl/tributary/engine/api"
)

func downloading(d api.Download) bool { return d.State == api.StateDownloading && d.VerifiedBytes > 0 }
func complete(d api.Download) bool    { return d.State == api.StateComplete }

// The real window on a screen, with the real service and a real edge: paste a link, watch it arrive, pause it, go on, open a
// second time, close. The download goes on without the window. This desktop has no tray, and the window says what that
// means before it closes.
func TestWindow(t *testing.T) {
	const size = 24 << 20
	s := newStage(t, 2<<20)
	window := s.open("--alone")
	s.paste(s.publish("picture.iso", size))
	s.until("bytes arrive", downloading)

	s.keys("Down", "Home", "space")
	s.until("Space pauses it", func(d api.Download) bool { return d.State == api.StatePaused })
	s.settle() // the window hears of it as we did
	s.keys("space")
	s.until("Space lets it go on", func(d api.Download) bool { return downloading(d) || complete(d) })

	second, err := s.screen.Start(filepath.Join(s.bin, "tributary"), "--socket", s.daemon.Socket, "--data", s.data, "--alone", s.publish("second.iso", 1<<20))
	s.must(err)
	s.ended(second)
	s.settle()
	s.shot("handed-over")
	s.keys("shift+Return") // in the dialog that the first window has opened for it
	s.until("what a second start brought is added in the first", func(d api.Download) bool { return strings.Contains(d.URL, "second.iso") })

	s.must(s.screen.CloseWindow(t.Context(), s.window))
	s.eventually("the window says that there is no tray", func() bool {
		raw, err := os.ReadFile(filepath.Join(s.data, "desktop.json"))
		return err == nil && strings.Contains(string(raw), `"told_about_close": true`)
	})
	s.settle()
	s.shot("no-tray")
	s.must(s.screen.CloseWindow(t.Context(), s.window))
	s.ended(window)
	s.until("it is complete without the window", func(d api.Download) bool { return complete(d) && d.TotalBytes == size })
	if info, err := os.Stat(filepath.Join(s.files, "picture.iso")); err != nil || info.Size() != size {
		t.Errorf("the file: %v, %v", info, err)
	}
}

// On a desktop with a tray the window goes without a word, the tray stays, tells what finished, opens the file and the
// window again, and goes when it is told to, leaving the service.
func TestCloseToTheTray(t *testing.T) {
	opened := filepath.Join(t.TempDir(), "opened")
	t.Setenv("PATH", fakeOpener(t, opened)+":"+os.Getenv("PATH"))
	s := newStage(t, 1<<20)
	p := s.withTray()
	window := s.open() // starts the tray, too
	item := <-p.Items
	s.paste(s.publish("picture.iso", 12<<20))
	s.until("bytes arrive", downloading)
	s.must(s.screen.CloseWindow(t.Context(), s.window))
	s.ended(window)

	notice := s.told(p, "picture.iso is finished")
	if want := "default Open open Open folder Show in folder"; strings.Join(notice.Actions, " ") != want {
		t.Errorf("a notification offers %q; want %q", notice.Actions, want)
	}
	s.must(p.Choose(notice, "open"))
	s.eventually("the file is opened", func() bool {
		raw, err := os.ReadFile(opened)
		return err == nil && strings.TrimSpace(string(raw)) == filepath.Join(s.files, "picture.iso")
	})

	s.must(p.Click(item, "Open Tributary"))
	s.find()
	s.shot("reopened")
	s.must(s.screen.CloseWindow(t.Context(), s.window))
	s.must(p.Tap(item)) // a click on the icon does the same as its first entry
	s.find()
	s.must(p.Click(item, "Quit the tray"))
	s.told(p, "Downloads go on")
	s.eventually("the tray is gone", func() bool { _, err := p.Menu(item); return err != nil })
	if _, err := s.daemon.Status(t.Context()); err != nil {
		t.Errorf("after the tray has quit the service says %v", err)
	}
	s.must(s.screen.CloseWindow(t.Context(), s.window))
}

// fakeOpener is a folder with the program that opens files on desktops, which writes down what it is to open.
func fakeOpener(t *testing.T, log string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte("#!/bin/sh\nprintf '%s\\n' \"$1\" >'"+log+"'\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	return dir
}

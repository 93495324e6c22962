//go:build unix && !darwin

package desktop

import (
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/godbus/dbus/v5"
)

// detach lets a program live on when this one's session of the terminal ends.
func detach(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func openFile(path string) error {
	out, err := exec.Command("xdg-open", path).CombinedOutput() //nolint:noctx // it ends at once, having told the program
	if err != nil {
		return fmt.Errorf("no program could open %s (%s)", filepath.Base(path), firstLine(out, err))
	}
	return nil
}

// revealFile asks the file manager to select the file (freedesktop.org, FileManager1). Where none answers, the folder is opened.
func revealFile(path string) error {
	bus, err := dbus.ConnectSessionBus()
	if err == nil {
		defer func() { _ = bus.Close() }() // what was to be said has been said
		uri := (&url.URL{Scheme: "file", Path: path}).String()
		err = bus.Object("org.freedesktop.FileManager1", "/org/freedesktop/FileManager1").
			Call("org.freedesktop.FileManager1.ShowItems", 0, []string{uri}, "").Err
	}
	if err != nil {
		return openFile(filepath.Dir(path))
	}
	return nil
}

// HasTray asks the desktop's bus whether somebody shows tray icons (KDE, StatusNotifierItem). GNOME does so only with an
// extension.
func (p Place) HasTray() bool {
	bus, err := dbus.ConnectSessionBus()
	if err != nil {
		return false
	}
	defer func() { _ = bus.Close() }() // what was asked has been answered
	const watcher = "org.kde.StatusNotifierWatcher"
	hosted, err := bus.Object(watcher, "/StatusNotifierWatcher").GetProperty(watcher + ".IsStatusNotifierHostRegistered")
	yes, _ := hosted.Value().(bool)
	return err == nil && yes
}

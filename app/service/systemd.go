package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const unitName = Name + ".service"

// systemd is the library's backend with what it lacks: it knows every state and whose unit it is, replaces what an
// installation left half done, and leaves nothing behind.
type systemd struct {
	library
	unit   string // where Install writes
	hidden string // why the service could not see the program that it is to run; "" if it can
	// control runs systemctl and returns what it prints.
	control func(arguments ...string) (string, error)
}

// unitState is what systemd says of the unit.
type unitState struct {
	load   string // loaded, not-found, masked, bad-setting …
	active string // active, inactive, activating, deactivating, reloading, failed …
	file   string // of the unit; "" if there is none
}

func (s *systemd) show() (unitState, error) {
	out, err := s.control("show", "--property=LoadState,ActiveState,FragmentPath", unitName)
	if err != nil {
		return unitState{}, err
	}
	var u unitState
	for line := range strings.Lines(out) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), "="); key {
		case "LoadState":
			u.load = value
		case "ActiveState":
			u.active = value
		case "FragmentPath":
			u.file = value
		}
	}
	if u.load == "" || u.active == "" {
		return unitState{}, fmt.Errorf("systemctl show %s says %q", unitName, out)
	}
	return u, nil
}

// State implements backend.
func (s *systemd) State() (State, error) {
	u, err := s.show()
	if err != nil {
		return "", err
	}
	if u.load == "not-found" {
		// A unit file that systemd has not read yet is an installation that was cut short; one that is gone while its
		// process lives on, an uninstallation.
		if _, err := os.Lstat(s.unit); errors.Is(err, fs.ErrNotExist) && u.active == "inactive" {
			return StateNotInstalled, nil
		}
	}
	switch u.active {
	case "active", "reloading", "refreshing":
		return StateRunning, nil
	case "activating":
		return StateStarting, nil
	case "deactivating":
		return StateStopping, nil
	case "failed":
		return StateFailed, nil
	}
	return StateStopped, nil
}

// foreign says why the unit is not ours to write or remove; nil: it is ours, or there is none.
func (s *systemd) foreign() error {
	u, err := s.show()
	if err != nil {
		return err
	}
	// To systemd an empty unit is a masked one; but it is also what an installation leaves that is cut short. Administrators
	// mask with a link.
	if info, err := os.Lstat(s.unit); u.load == "masked" && (err != nil || !info.Mode().IsRegular()) {
		return fmt.Errorf("the administrator has masked %s; \"systemctl unmask %s\" lifts that", unitName, unitName)
	}
	if u.file != "" && u.file != s.unit {
		return fmt.Errorf("a package has installed the service (%s), and its unit is left alone; use \"systemctl enable --now %s\", or remove the package", u.file, Name)
	}
	text, err := os.ReadFile(s.unit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(text) > 0 && !strings.HasPrefix(string(text), unitMark) {
		return fmt.Errorf("%s is not from \"tributaryd service install\" and is left alone; move it away first", s.unit)
	}
	return nil
}

// Install implements backend. A unit of ours is written anew, so that other arguments take hold with the next start and
// whatever an earlier attempt left is mended.
func (s *systemd) Install() error {
	if s.hidden != "" {
		return errors.New(s.hidden)
	}
	if err := s.foreign(); err != nil {
		return err
	}
	old, err := os.ReadFile(s.unit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := removeFile(s.unit); err != nil { // the library refuses to write over it
		return err
	}
	if err := s.library.Service.Install(); err != nil {
		return errors.Join(err, s.undo(old))
	}
	return nil
}

// undo brings back the unit that stood before an installation failed, or none.
func (s *systemd) undo(old []byte) error {
	err := removeFile(s.unit)
	if len(old) > 0 {
		err = errors.Join(err, os.WriteFile(s.unit, old, 0o644)) //nolint:gosec // units are for all to read
	}
	_, _ = s.control("daemon-reload") // where no manager answers, which is why it failed, none holds the unit
	return err
}

// Uninstall implements backend. The library leaves the process running, and the unit in place where it cannot be disabled.
func (s *systemd) Uninstall() error {
	if err := s.foreign(); err != nil {
		return err
	}
	if err := s.Stop(); err != nil {
		return err
	}
	_, disabled := s.control("disable", unitName)
	_, err := os.Lstat(s.unit)
	if errors.Is(err, fs.ErrNotExist) {
		disabled = nil // there was nothing to disable
	}
	if err := removeFile(s.unit); err != nil {
		return err
	}
	_, reloaded := s.control("daemon-reload")
	_, _ = s.control("reset-failed", unitName) // it complains when there is nothing to forget
	return errors.Join(disabled, reloaded)
}

// Start implements backend. It forgets earlier failures, too many of which would refuse the start.
func (s *systemd) Start() error {
	_, _ = s.control("reset-failed", unitName) // it complains when there is nothing to forget
	_, err := s.control("start", unitName)
	return err
}

// Stop implements backend. A unit that is not loaded has no process.
func (s *systemd) Stop() error {
	u, err := s.show()
	if err != nil || u.load == "not-found" && u.active == "inactive" {
		return err
	}
	_, err = s.control("stop", unitName)
	return err
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// unitPath is where the library writes the unit.
func unitPath(user bool) (string, error) {
	if !user {
		return "/etc/systemd/system/" + unitName, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the folder for the user's units: %w", err)
	}
	return filepath.Join(home, ".config/systemd/user", unitName), nil
}

// hiddenFolders are those that the hardened unit of the system's service does not see, and on macOS its account.
var hiddenFolders = []string{"/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/", "/Users/"}

func hiddenProgram(user bool, program string) string {
	for _, folder := range hiddenFolders {
		if !user && strings.HasPrefix(program, folder) {
			return fmt.Sprintf("the system's service may not look into %s, where this program is; move it to /usr/local/bin, or use --user", folder)
		}
	}
	return ""
}

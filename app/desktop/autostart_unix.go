//go:build unix && !darwin

package desktop

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// autostartName is the entry's name in each of the folders that desktops read at login (freedesktop.org, Desktop
// Application Autostart). The user's own entry takes the place of the one that the package brings.
const autostartName = "tributary-tray.desktop"

// hidden is the line by which an entry means "as if there were none".
const hidden = "Hidden=true"

// ownAutostart is the user's own entry.
func ownAutostart() (string, error) {
	dir, err := os.UserConfigDir()
	return filepath.Join(dir, "autostart", autostartName), err
}

// packagedAutostart says whether the system has an entry for every user.
func packagedAutostart() bool {
	for _, dir := range filepath.SplitList(cmp.Or(os.Getenv("XDG_CONFIG_DIRS"), "/etc/xdg")) {
		if _, err := os.Stat(filepath.Join(dir, "autostart", autostartName)); err == nil {
			return true
		}
	}
	return false
}

// StartsAtLogin says whether the tray starts when the user logs in.
func (p Place) StartsAtLogin() bool {
	file, err := ownAutostart()
	if err != nil {
		return packagedAutostart()
	}
	entry, err := os.ReadFile(file)
	if err != nil {
		return packagedAutostart()
	}
	return !strings.Contains(string(entry), "\n"+hidden)
}

// SetStartAtLogin changes it. The user's own entry is there only where it says something else than the system.
func (p Place) SetStartAtLogin(on bool) error {
	file, err := ownAutostart()
	if err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	if on == packagedAutostart() {
		return removeIfThere(file)
	}
	entry := "[Desktop Entry]\nType=Application\nName=Tributary\n"
	if on {
		program, err := find("tributary-tray")
		if err != nil {
			return err
		}
		entry += "Exec=\"" + program + "\"\nX-GNOME-Autostart-enabled=true\n"
	} else {
		entry += hidden + "\n"
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	if err := os.WriteFile(file, []byte(entry), 0o600); err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	return nil
}

package desktop

import (
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// detach lets a program live on when this one's session of the terminal ends.
func detach(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func openFile(path string) error   { return open(path) }
func revealFile(path string) error { return open("-R", path) }

func open(args ...string) error {
	if out, err := exec.Command("/usr/bin/open", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("no program could open %s (%s)", filepath.Base(args[len(args)-1]), firstLine(out, err))
	}
	return nil
}

// agent is the entry that launchd reads at login.
func agent() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, "Library", "LaunchAgents", ID+".plist")
}

// HasTray says whether the desktop shows tray icons: macOS always does.
func (p Place) HasTray() bool { return true }

// StartsAtLogin says whether the tray starts when the user logs in.
func (p Place) StartsAtLogin() bool {
	_, err := os.Stat(agent())
	return err == nil
}

// SetStartAtLogin changes it.
func (p Place) SetStartAtLogin(on bool) error {
	if !on {
		return removeIfThere(agent())
	}
	program, err := find("tributary-tray")
	if err != nil {
		return err
	}
	list := `<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict><key>Label</key><string>` + ID +
		`</string><key>ProgramArguments</key><array><string>` + html.EscapeString(program) + `</string></array><key>RunAtLoad</key><true/></dict></plist>`
	if err := os.WriteFile(agent(), []byte(list), 0o600); err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	return nil
}

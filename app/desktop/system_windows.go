package desktop

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// detach gives a program no console and no part in ours.
func detach(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.DETACHED_PROCESS | windows.CREATE_NEW_PROCESS_GROUP}
}

func openFile(path string) error {
	p, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return fmt.Errorf("open %q: %w", path, err)
	}
	if err := windows.ShellExecute(0, nil, p, nil, nil, windows.SW_SHOWNORMAL); err != nil {
		return fmt.Errorf("no program could open %s: %w", filepath.Base(path), err)
	}
	return nil
}

// revealFile: Explorer answers with an exit code that says nothing, so only a failed start is an error.
func revealFile(path string) error {
	c := exec.Command("explorer.exe")
	c.SysProcAttr = &syscall.SysProcAttr{CmdLine: `explorer.exe /select,"` + path + `"`}
	if err := c.Start(); err != nil {
		return fmt.Errorf("open the Explorer: %w", err)
	}
	return c.Process.Release()
}

const runKey = `Software\Microsoft\Windows\CurrentVersion\Run`

// HasTray says whether the desktop shows tray icons: Windows always does.
func (p Place) HasTray() bool { return true }

// StartsAtLogin says whether the tray starts when the user logs in.
func (p Place) StartsAtLogin() bool {
	k, err := registry.OpenKey(registry.CURRENT_USER, runKey, registry.QUERY_VALUE)
	if err != nil {
		return false
	}
	defer k.Close()
	_, _, err = k.GetStringValue("Tributary")
	return err == nil
}

// SetStartAtLogin changes it.
func (p Place) SetStartAtLogin(on bool) error {
	k, err := registry.OpenKey(registry.CURRENT_USER, runKey, registry.SET_VALUE)
	if err != nil {
		return fmt.Errorf("start at login: %w", err)
	}
	defer k.Close()
	if !on {
		if err := k.DeleteValue("Tributary"); err != nil && err != registry.ErrNotExist {
			return fmt.Errorf("start at login: %w", err)
		}
		return nil
	}
	program, err := find("tributary-tray")
	if err != nil {
		return err
	}
	return k.SetStringValue("Tributary", `"`+program+`"`)
}

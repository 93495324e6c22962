package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// launchd is macOS's service manager, in place of the library's use of it: that speaks the retired "load" and "unload", which
// report success whatever happens, starts a service again that was told to end, and has its output written to files
// that nothing ever shortens. See launchctl(1) and launchd.plist(5).
type launchd struct {
	domain string // "system", or "gui/UID" of a user
	file   string // the property list that describes the service
	text   string // of that file, as Install writes it
	// control runs launchctl and returns what it prints.
	control func(arguments ...string) (string, error)
}

// launchdMark is a comment in each property list that Install writes; one without it is a package's or an administrator's.
const launchdMark = "<!-- " + `Made by "tributaryd service install", which overwrites it; "tributaryd service uninstall" removes it.` + " -->"

// newLaunchd returns the service manager of the system or of this user.
func newLaunchd(user bool, program string, arguments []string) (*launchd, error) {
	l := &launchd{domain: "system", file: "/Library/LaunchDaemons/" + Name + ".plist", text: propertyList(program, arguments), control: launchctl}
	if user {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, fmt.Errorf("find the folder for the user's agents: %w", err)
		}
		l.domain, l.file = "gui/"+strconv.Itoa(os.Getuid()), filepath.Join(home, "Library/LaunchAgents", Name+".plist")
	}
	return l, nil
}

func launchctl(arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), actionTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, "launchctl", arguments...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(out), fmt.Errorf("launchctl %s: %w: %s", strings.Join(arguments, " "), exit, strings.TrimSpace(string(exit.Stderr)))
	}
	return string(out), err
}

func (l *launchd) target() string { return l.domain + "/" + Name }

// loaded tells whether launchd knows the service, and what it says of its state.
func (l *launchd) loaded() (known bool, state string) {
	out, err := l.control("print", l.target())
	if err != nil { // it knows no such service; there is no other way to learn that
		return false, ""
	}
	for line := range strings.Lines(out) {
		// The service's own line stands first; those of its parts are further in.
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "state = "); ok {
			return true, value
		}
	}
	return true, ""
}

// State implements backend.
func (l *launchd) State() (State, error) {
	known, state := l.loaded()
	switch {
	case state == "running":
		return StateRunning, nil
	case strings.HasPrefix(state, "spawn"): // scheduled, or held back after a crash
		return StateStarting, nil
	case known:
		return StateStopped, nil
	}
	if _, err := os.Lstat(l.file); errors.Is(err, fs.ErrNotExist) {
		return StateNotInstalled, nil
	}
	return StateStopped, nil
}

// foreign says why the property list is not ours to write or remove; nil: it is ours, cut short, or not there.
func (l *launchd) foreign() error {
	text, err := os.ReadFile(l.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(text) > 0 && !strings.Contains(string(text), launchdMark) {
		return fmt.Errorf("%s is not from \"tributaryd service install\" and is left alone; move it away first", l.file)
	}
	return nil
}

// Install implements backend. What is there of ours is written anew, whole: a process that dies leaves the old one.
func (l *launchd) Install() error {
	if err := l.foreign(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(l.file), 0o755); err != nil { //nolint:gosec // as the system makes this folder
		return err
	}
	next := l.file + ".new"
	if err := os.WriteFile(next, []byte(l.text), 0o644); err != nil { //nolint:gosec // launchd refuses one that others may write, not read
		return err
	}
	return os.Rename(next, l.file)
}

// Uninstall implements backend.
func (l *launchd) Uninstall() error {
	if err := l.foreign(); err != nil {
		return err
	}
	return errors.Join(l.Stop(), removeFile(l.file))
}

// Start implements backend. A service that launchd knows but that does not run has ended by itself; it is kicked.
func (l *launchd) Start() error {
	if known, _ := l.loaded(); known {
		_, err := l.control("kickstart", l.target())
		return err
	}
	if _, err := l.control("enable", l.target()); err != nil { // one that was disabled cannot be loaded
		return err
	}
	_, err := l.control("bootstrap", l.domain, l.file)
	return err
}

// Stop implements backend: launchd forgets the service until the next start, login or boot.
func (l *launchd) Stop() error {
	if known, _ := l.loaded(); !known {
		return nil
	}
	_, err := l.control("bootout", l.target())
	if known, _ := l.loaded(); !known {
		return nil // bootout complains of a service that takes its time to end
	}
	return err
}

// propertyList describes the service to launchd: started with the machine or at login, again after a crash but not after
// it was told to end, without files for its output, which it does not need.
func propertyList(program string, arguments []string) string {
	var words strings.Builder
	for _, word := range append([]string{program}, arguments...) {
		words.WriteString("\t\t<string>" + plistText.Replace(word) + "</string>\n")
	}
	return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
` + launchdMark + `
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>` + Name + `</string>
	<key>ProgramArguments</key>
	<array>
` + words.String() + `	</array>
	<key>RunAtLoad</key>
	<true/>
	<key>KeepAlive</key>
	<dict>
		<key>SuccessfulExit</key>
		<false/>
	</dict>
	<key>ThrottleInterval</key>
	<integer>2</integer>
	<key>ExitTimeOut</key>
	<integer>30</integer>
	<key>Umask</key>
	<integer>63</integer>
	<key>ProcessType</key>
	<string>Background</string>
</dict>
</plist>
`
}

var plistText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

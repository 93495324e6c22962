package service

import (
	"context"
	_ "embed"
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
	hidden string // why the service could not run the program; "": it can
	// account makes the service's account and folders; nil: it runs as the user.
	account func() error
	// control runs launchctl and returns what it prints.
	control func(arguments ...string) (string, error)
}

// launchdMark is a comment in each property list that Install writes; one without it is a package's or an administrator's.
const launchdMark = "<!-- " + `Made by "tributaryd service install", which overwrites it; "tributaryd service uninstall" removes it.` + " -->"

// accountName is the service's account on macOS, as accountScript makes it.
const accountName = "_tributary"

//go:embed account.sh
var accountScript string

// systemPath is where macOS has its own programs. It is no place for others.
const systemPath = "/usr/bin:/bin:/usr/sbin:/sbin"

// newLaunchd returns the service manager of the system or of this user.
func newLaunchd(user bool, program string, arguments []string) (*launchd, error) {
	l := &launchd{domain: "system", file: "/Library/LaunchDaemons/" + Name + ".plist", text: propertyList(accountName, program, arguments), control: launchctl,
		hidden: hiddenProgram(user, program), account: func() error { return makeAccount(systemPath) }}
	if user {
		l.account, l.text = nil, propertyList("", program, arguments)
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

// makeAccount runs accountScript with the programs of a path.
func makeAccount(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), actionTime)
	defer cancel()
	shell := exec.CommandContext(ctx, "/bin/sh", "-s")
	shell.Env, shell.Stdin = []string{"PATH=" + path}, strings.NewReader(accountScript)
	if said, err := shell.CombinedOutput(); err != nil {
		return fmt.Errorf("make the account %s and its folders: %w: %s", accountName, err, strings.TrimSpace(string(said)))
	}
	return nil
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
	if l.hidden != "" {
		return errors.New(l.hidden)
	}
	if err := l.foreign(); err != nil {
		return err
	}
	if l.account != nil {
		if err := l.account(); err != nil {
			return err
		}
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

// Uninstall implements backend. The account stays with the state, which is its.
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
// it was told to end, without files for its output, which it does not need. account is "" for a user's own.
func propertyList(account, program string, arguments []string) string {
	who := ""
	if account != "" {
		who = "\t<key>UserName</key>\n\t<string>" + account + "</string>\n\t<key>GroupName</key>\n\t<string>" + account + "</string>\n"
	}
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
` + who + `	<key>RunAtLoad</key>
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

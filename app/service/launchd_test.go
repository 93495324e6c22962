package service

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// launcher answers as launchctl does for one service.
type launcher struct {
	known, running bool
	said           []string
}

func (l *launcher) control(arguments ...string) (string, error) {
	if arguments[0] != "print" {
		l.said = append(l.said, strings.Join(arguments, " "))
	}
	switch verb := arguments[0]; {
	case verb == "bootstrap" && l.known, verb != "bootstrap" && verb != "enable" && !l.known:
		return "", errors.New("Bootstrap failed: 5: Input/output error")
	case verb == "bootstrap":
		l.known, l.running = true, true
	case verb == "kickstart":
		l.running = true
	case verb == "bootout":
		l.known, l.running = false, false
	case verb == "print" && l.running:
		return "system/tributaryd = {\n\tactive count = 1\n\tstate = running\n\tendpoints = {\n\t\tstate = waiting\n\t}\n}\n", nil
	case verb == "print":
		return "system/tributaryd = {\n\tactive count = 0\n\tstate = not running\n}\n", nil
	}
	return "", nil
}

func launchdOf(t *testing.T, l *launcher) *launchd {
	t.Helper()
	return &launchd{domain: "system", file: filepath.Join(t.TempDir(), "LaunchDaemons", Name+".plist"),
		text: propertyList(accountName, "/opt/a & b/tributaryd", []string{"run", "--log-level", "<info>"}), control: l.control}
}

// Every action may be repeated, and finds whatever was before.
func TestLaunchdActionsAreIdempotent(t *testing.T) {
	l := &launcher{}
	d := launchdOf(t, l)
	for _, step := range []struct {
		name string
		act  func() error
		want State
	}{
		{"stop what is not there", d.Stop, StateNotInstalled},
		{"uninstall what is not there", d.Uninstall, StateNotInstalled},
		{"install", d.Install, StateStopped},
		{"install again", d.Install, StateStopped},
		{"start", d.Start, StateRunning},
		{"start again", d.Start, StateRunning},
		{"it ends by itself", func() error { l.running = false; return nil }, StateStopped},
		{"start what has ended", d.Start, StateRunning},
		{"install while it runs", d.Install, StateRunning},
		{"stop", d.Stop, StateStopped},
		{"stop again", d.Stop, StateStopped},
		{"start once more", d.Start, StateRunning},
		{"uninstall while it runs", d.Uninstall, StateNotInstalled},
	} {
		if err := step.act(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got, err := d.State(); got != step.want || err != nil {
			t.Fatalf("%s: %q, %v; want %q", step.name, got, err, step.want)
		}
	}
	if !slices.Contains(l.said, "bootstrap system "+d.file) || !slices.Contains(l.said, "bootout system/"+Name) {
		t.Errorf("launchctl was told %q", l.said)
	}
	for _, said := range l.said {
		if strings.HasPrefix(said, "load") || strings.HasPrefix(said, "unload") {
			t.Errorf("launchctl was told %q, which is retired", said)
		}
	}
}

func TestLaunchdLeavesOthersPropertyListsAlone(t *testing.T) {
	d := launchdOf(t, &launcher{})
	if err := d.Install(); err != nil {
		t.Fatal(err)
	}
	const theirs = "<plist/>"
	if err := os.WriteFile(d.file, []byte(theirs), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, act := range map[string]func() error{"install": d.Install, "uninstall": d.Uninstall} {
		if err := act(); err == nil || !strings.Contains(err.Error(), "left alone") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if text, err := os.ReadFile(d.file); string(text) != theirs || err != nil {
		t.Errorf("it holds %q, %v", text, err)
	}
	if err := os.WriteFile(d.file, nil, 0o600); err != nil { // cut short
		t.Fatal(err)
	}
	if err := d.Install(); err != nil {
		t.Errorf("half an installation is not mended: %v", err)
	}
}

func TestPropertyListIsWellFormed(t *testing.T) {
	for account, then := range map[string][]string{accountName: {"UserName", accountName, "GroupName", accountName}, "": nil} {
		want := append([]string{"Label", Name, "ProgramArguments", "/opt/a & b/tributaryd", "run", "<info>"}, append(then, "RunAtLoad")...)
		words := wordsOf(t, propertyList(account, "/opt/a & b/tributaryd", []string{"run", "<info>"}))
		if len(words) < len(want) || !slices.Equal(words[:len(want)], want) {
			t.Errorf("it says %q", words)
		}
	}
}

// wordsOf returns what stands between the tags.
func wordsOf(t *testing.T, text string) (words []string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(text)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return words
		}
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := token.(xml.CharData); ok && strings.TrimSpace(string(data)) != "" {
			words = append(words, string(data))
		}
	}
}

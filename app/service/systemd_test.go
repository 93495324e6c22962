package service

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every state that systemd knows (systemctl(1), "list-units") has one of ours.
func TestSystemdStates(t *testing.T) {
	unit := filepath.Join(t.TempDir(), unitName)
	tests := []struct {
		load, active string
		want         State
	}{
		{"not-found", "inactive", StateNotInstalled},
		{"not-found", "active", StateRunning}, // its unit was removed under it
		{"not-found", "failed", StateFailed},
		{"loaded", "inactive", StateStopped},
		{"loaded", "active", StateRunning},
		{"loaded", "reloading", StateRunning},
		{"loaded", "activating", StateStarting},
		{"loaded", "deactivating", StateStopping},
		{"loaded", "failed", StateFailed},
		{"loaded", "maintenance", StateStopped},
		{"masked", "inactive", StateStopped},
	}
	says := func(load, active, file string) *systemd {
		return &systemd{unit: unit, control: func(...string) (string, error) {
			return "LoadState=" + load + "\nActiveState=" + active + "\nFragmentPath=" + file + "\n", nil
		}}
	}
	for _, tt := range tests {
		if got, err := says(tt.load, tt.active, "").State(); got != tt.want || err != nil {
			t.Errorf("%s, %s: %q, %v; want %q", tt.load, tt.active, got, err, tt.want)
		}
	}
	if _, err := says("", "", "").State(); err == nil {
		t.Error("an answer without a state is taken for one")
	}
	if err := os.WriteFile(unit, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := says("not-found", "inactive", "").State(); got != StateStopped || err != nil {
		t.Errorf("half an installation: %q, %v", got, err)
	}
	for name, tt := range map[string]struct{ load, file, text, says string }{
		"ours":          {"loaded", unit, unitMark + "\n[Unit]", ""},
		"cut short":     {"loaded", unit, "", ""},
		"a package's":   {"loaded", "/usr/lib/systemd/system/tributaryd.service", "", "a package has installed the service (/usr/lib/"},
		"somebody's":    {"loaded", unit, "[Unit]", "is not from"},
		"an unread one": {"not-found", "", "[Unit]", "is not from"},
		"ours, empty":   {"masked", unit, "", ""},
	} {
		if err := os.WriteFile(unit, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := says(tt.load, "inactive", tt.file).foreign(); (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v; want %q", name, err, tt.says)
		}
	}
}

func TestMaskedServiceIsLeftAlone(t *testing.T) {
	s := &systemd{unit: filepath.Join(t.TempDir(), unitName), control: func(...string) (string, error) {
		return "LoadState=masked\nActiveState=inactive\nFragmentPath=", nil
	}}
	if err := os.Symlink("/dev/null", s.unit); err != nil {
		t.Fatal(err)
	}
	if err := s.Install(); err == nil || !strings.Contains(err.Error(), "masked") {
		t.Errorf("Install() = %v", err)
	}
}

// An installation that fails leaves what was before.
func TestFailedInstallIsUndone(t *testing.T) {
	unit := filepath.Join(t.TempDir(), unitName)
	old := unitMark + "\nold"
	for _, before := range []string{"", old} {
		s := &systemd{unit: unit, library: library{Service: &leavesUnit{path: unit}}, control: func(...string) (string, error) {
			return "LoadState=loaded\nActiveState=active\nFragmentPath=" + unit, nil
		}}
		if before != "" {
			if err := os.WriteFile(unit, []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Install(); err == nil || !strings.Contains(err.Error(), "no bus") {
			t.Errorf("Install() = %v", err)
		}
		if text, err := os.ReadFile(unit); string(text) != before || (err == nil) != (before != "") {
			t.Errorf("after a failure the unit reads %q, %v; before it was %q", text, err, before)
		}
	}
	s := &systemd{hidden: "in a home"}
	if err := s.Install(); err == nil || err.Error() != "in a home" {
		t.Errorf("a program that the service may not see: %v", err)
	}
}

// leavesUnit writes half a unit and fails, as the library does where no manager answers.
type leavesUnit struct {
	fakeService
	path string
}

func (l *leavesUnit) Install() error {
	return errors.Join(os.WriteFile(l.path, []byte("[Unit]"), 0o600), errors.New("no bus"))
}

func TestSystemdUnit(t *testing.T) {
	program, arguments := `/opt/My "Apps"/tributaryd`, []string{"run", "--data", "/srv/100%/$HOME/{{Path}}\\x"}
	command := `ExecStart="/opt/My \"Apps\"/tributaryd" "run" "--data" "/srv/100%%/$$HOME/\x7b\x7bPath\x7d\x7d\\x"`
	for user, target := range map[bool]string{true: "WantedBy=default.target", false: "WantedBy=multi-user.target"} {
		unit := systemdUnit(user, program, arguments)
		for _, want := range []string{command, target, "RestartSec=2s", "RestartPreventExitStatus=2 78", "Type=notify"} {
			if !strings.Contains(unit, want+"\n") {
				t.Errorf("the unit (user %v) lacks %q:\n%s", user, want, unit)
			}
		}
		if !strings.HasPrefix(unit, unitMark) || strings.Contains(unit, "DynamicUser=yes") == user || strings.Contains(unit, "{{") {
			t.Errorf("the unit (user %v) is\n%s", user, unit)
		}
	}
	for program, user := range map[string]bool{"/root/tributaryd": false, "/home/ann/tributaryd": false, "/tmp/x/tributaryd": false} {
		if hiddenProgram(user, program) == "" || hiddenProgram(true, program) != "" {
			t.Errorf("%s: %q", program, hiddenProgram(user, program))
		}
	}
}

package service

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kardianos/service"
)

// fakeBackend is a service manager that does what it is told and writes it down.
type fakeBackend struct {
	state State
	fails map[string]error
	calls []string
}

func (f *fakeBackend) do(call string, to State) error {
	f.calls = append(f.calls, call)
	if err := f.fails[call]; err != nil {
		return err
	}
	f.state = to
	return nil
}

func (f *fakeBackend) Install() error   { return f.do("install", StateStopped) }
func (f *fakeBackend) Uninstall() error { return f.do("uninstall", StateNotInstalled) }
func (f *fakeBackend) Start() error     { return f.do("start", StateRunning) }
func (f *fakeBackend) Stop() error      { return f.do("stop", StateStopped) }

func (f *fakeBackend) Status() (service.Status, error) {
	if err := f.fails["status"]; err != nil {
		return service.StatusUnknown, err
	}
	switch f.state {
	case StateRunning:
		return service.StatusRunning, nil
	case StateStopped:
		return service.StatusStopped, nil
	}
	return service.StatusUnknown, service.ErrNotInstalled
}

func none() error { return nil }

// Every cell of state × action: what is asked of the service manager, and how it ends.
func TestActions(t *testing.T) {
	tests := []struct {
		state  State
		action string
		calls  string
		code   int
	}{
		{StateNotInstalled, "install", "install", ExitDone},
		{StateStopped, "install", "", ExitDone},
		{StateRunning, "install", "", ExitDone},
		{StateNotInstalled, "uninstall", "", ExitDone},
		{StateStopped, "uninstall", "uninstall", ExitDone},
		{StateRunning, "uninstall", "stop uninstall", ExitDone},
		{StateNotInstalled, "start", "", ExitNotInstalled},
		{StateStopped, "start", "start", ExitDone},
		{StateRunning, "start", "", ExitDone},
		{StateNotInstalled, "stop", "", ExitNotInstalled},
		{StateStopped, "stop", "", ExitDone},
		{StateRunning, "stop", "stop", ExitDone},
		{StateNotInstalled, "restart", "", ExitNotInstalled},
		{StateStopped, "restart", "start", ExitDone},
		{StateRunning, "restart", "stop start", ExitDone},
	}
	for _, tt := range tests {
		f := &fakeBackend{state: tt.state}
		m := &Manager{backend: f, patient: time.Minute, check: none, recovery: none}
		err := map[string]func() error{"install": m.Install, "uninstall": m.Uninstall, "start": m.Start, "stop": m.Stop, "restart": m.Restart}[tt.action]()
		if got := strings.Join(f.calls, " "); got != tt.calls || ExitCode(err) != tt.code {
			t.Errorf("%s when %s: asks for %q and exits with %d (%v); want %q and %d", tt.action, tt.state, got, ExitCode(err), err, tt.calls, tt.code)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, state := range []State{StateRunning, StateStopped, StateNotInstalled} {
		m := &Manager{backend: &fakeBackend{state: state}}
		if got, err := m.Status(); got != state || err != nil {
			t.Errorf("Status() = %q, %v; want %q", got, err, state)
		}
	}
	crashed := &Manager{backend: &fakeBackend{fails: map[string]error{"status": errors.New("service in failed state")}}}
	if got, err := crashed.Status(); got != StateStopped || err != nil {
		t.Errorf("Status() of a service that crashed = %q, %v", got, err)
	}
	script := filepath.Join(t.TempDir(), "tributaryd")
	systemV := &Manager{script: script, backend: &fakeBackend{fails: map[string]error{"status": errors.New("exit status 1")}}}
	if got, err := systemV.Status(); got != StateNotInstalled || err != nil {
		t.Errorf("Status() without a System V script = %q, %v", got, err)
	}
	if err := os.WriteFile(script, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := systemV.Status(); got != StateStopped || err != nil {
		t.Errorf("Status() with a System V script = %q, %v", got, err)
	}
}

func TestFailedInstallLeavesNothing(t *testing.T) {
	f := &fakeBackend{state: StateNotInstalled, fails: map[string]error{"install": errors.New("no bus")}}
	m := &Manager{backend: f, patient: time.Minute, check: none, leavesUnit: true}
	if err := m.Install(); ExitCode(err) != ExitError || !strings.Contains(err.Error(), "install the service: no bus") {
		t.Errorf("Install() = %v", err)
	}
	if diff := cmp.Diff([]string{"install", "uninstall"}, f.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestRightsAreCheckedFirst(t *testing.T) {
	f := &fakeBackend{state: StateRunning}
	m := &Manager{backend: f, patient: time.Minute, check: func() error { return ErrNeedsAdmin }}
	for _, action := range []func() error{m.Install, m.Uninstall, m.Start, m.Stop, m.Restart} {
		if err := action(); ExitCode(err) != ExitNeedsAdmin {
			t.Errorf("without rights: %v", err)
		}
	}
	if len(f.calls) > 0 {
		t.Errorf("without rights the service manager is asked to %q", f.calls)
	}
	f = &fakeBackend{state: StateStopped, fails: map[string]error{"start": fs.ErrPermission}}
	m = &Manager{backend: f, patient: time.Minute, check: none}
	if err := m.Start(); ExitCode(err) != ExitNeedsAdmin {
		t.Errorf("a service manager that refuses: %v", err)
	}
}

func TestActionThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Manager{patient: time.Minute}
		stuck := make(chan struct{})
		began := time.Now()
		err := m.perform("stop", func() error { <-stuck; return nil })
		if err == nil || !strings.Contains(err.Error(), "within 1m0s") || time.Since(began) != time.Minute {
			t.Errorf("perform() = %v after %v", err, time.Since(began))
		}
		close(stuck)
	})
}

// The units of our template start the program with its arguments, again soon after a crash, and at the right time.
func TestSystemdUnit(t *testing.T) {
	for user, target := range map[bool]string{true: "WantedBy=default.target", false: "WantedBy=multi-user.target"} {
		unit := systemdUnit(user)
		for _, want := range []string{"RestartSec=2s", "{{range Arguments}} {{. | cmd}}{{end}}", target} {
			if !strings.Contains(unit, want) {
				t.Errorf("the unit (user %v) lacks %q", user, want)
			}
		}
	}
}

func TestRunStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	path := filepath.Join(t.TempDir(), "state")
	err := Run(ctx, io.Discard, func(ctx context.Context, _ io.Writer) error {
		cancel()
		<-ctx.Done()
		return os.WriteFile(path, []byte("saved"), 0o600)
	})
	if _, missing := os.Stat(path); err != nil || missing != nil {
		t.Errorf("Run() = %v and did not wait for the program: %v", err, missing)
	}
}

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

func none() error { return nil }

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

func (f *fakeBackend) Install() error {
	if f.state != StateNotInstalled {
		return f.do("install", f.state)
	}
	return f.do("install", StateStopped)
}
func (f *fakeBackend) Uninstall() error      { return f.do("uninstall", StateNotInstalled) }
func (f *fakeBackend) Start() error          { return f.do("start", StateRunning) }
func (f *fakeBackend) Stop() error           { return f.do("stop", StateStopped) }
func (f *fakeBackend) State() (State, error) { return f.state, f.fails["state"] }

// Every cell of state × action: what is asked of the service manager, and how it ends.
func TestActions(t *testing.T) {
	tests := []struct {
		state  State
		action string
		calls  string
		code   int
	}{
		{StateNotInstalled, "install", "install", ExitDone},
		{StateStopped, "install", "install", ExitDone},
		{StateRunning, "install", "install", ExitDone},
		{StateStarting, "install", "install", ExitDone},
		{StateStopping, "install", "install", ExitDone},
		{StateFailed, "install", "install", ExitDone},
		{StateNotInstalled, "uninstall", "", ExitDone},
		{StateStopped, "uninstall", "uninstall", ExitDone},
		{StateRunning, "uninstall", "stop uninstall", ExitDone},
		{StateStarting, "uninstall", "stop uninstall", ExitDone},
		{StateStopping, "uninstall", "stop uninstall", ExitDone},
		{StateFailed, "uninstall", "stop uninstall", ExitDone},
		{StateNotInstalled, "start", "", ExitNotInstalled},
		{StateStopped, "start", "start", ExitDone},
		{StateRunning, "start", "", ExitDone},
		{StateStarting, "start", "start", ExitDone}, // it may be waiting for its next attempt; start waits for none
		{StateStopping, "start", "start", ExitDone},
		{StateFailed, "start", "start", ExitDone},
		{StateNotInstalled, "stop", "", ExitNotInstalled},
		{StateStopped, "stop", "", ExitDone},
		{StateRunning, "stop", "stop", ExitDone},
		{StateStarting, "stop", "stop", ExitDone},
		{StateStopping, "stop", "stop", ExitDone},
		{StateFailed, "stop", "", ExitDone},
		{StateNotInstalled, "restart", "", ExitNotInstalled},
		{StateStopped, "restart", "start", ExitDone},
		{StateRunning, "restart", "stop start", ExitDone},
		{StateStarting, "restart", "stop start", ExitDone},
		{StateStopping, "restart", "stop start", ExitDone},
		{StateFailed, "restart", "start", ExitDone},
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

// fakeService is a service of the library in a given state.
type fakeService struct {
	service.Service
	status service.Status
	err    error
	fails  error // of Install
	calls  []string
}

func (f *fakeService) Status() (service.Status, error) { return f.status, f.err }
func (f *fakeService) Install() error                  { f.calls = append(f.calls, "install"); return f.fails }
func (f *fakeService) Uninstall() error                { f.calls = append(f.calls, "uninstall"); return nil }

func TestLibraryStates(t *testing.T) {
	script := filepath.Join(t.TempDir(), "tributaryd")
	if err := os.WriteFile(script, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	exit := errors.New("exit status 1")
	tests := []struct {
		name    string
		library library
		want    State
		fails   bool
	}{
		{"runs", library{Service: &fakeService{status: service.StatusRunning}}, StateRunning, false},
		{"rests", library{Service: &fakeService{status: service.StatusStopped}}, StateStopped, false},
		{"is not there", library{Service: &fakeService{err: service.ErrNotInstalled}}, StateNotInstalled, false},
		{"cannot be told", library{Service: &fakeService{err: exit}}, "", true},
		{"is not told", library{Service: &fakeService{}}, "", true},
		{"has no script", library{Service: &fakeService{err: exit}, script: script + ".gone"}, StateNotInstalled, false},
		{"has a script", library{Service: &fakeService{err: exit}, script: script}, StateStopped, false},
	}
	for _, tt := range tests {
		if got, err := tt.library.State(); got != tt.want || (err != nil) != tt.fails {
			t.Errorf("a service that %s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestFailedInstallLeavesNothing(t *testing.T) {
	f := &fakeService{err: service.ErrNotInstalled, fails: errors.New("no bus")}
	m := &Manager{backend: &library{Service: f, leavesUnit: true}, patient: time.Minute, check: none}
	if err := m.Install(); ExitCode(err) != ExitError || !strings.Contains(err.Error(), "install the service: no bus") {
		t.Errorf("Install() = %v", err)
	}
	if diff := cmp.Diff([]string{"install", "uninstall"}, f.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	f = &fakeService{status: service.StatusStopped}
	if err := (&library{Service: f}).Install(); err != nil || f.calls != nil {
		t.Errorf("installing it again: %v, %q", err, f.calls)
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

// Package service registers tributaryd with the system's service manager, and runs it under one. It is the
// only importer of kardianos/service, and puts right what that library leaves to its callers: every action
// is idempotent, stops before it uninstalls, and ends with one of a few exit codes. It must never ask the
// user anything, and knows nothing of what the service does. Packages for package managers ship static units
// and do not come through here.
package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"

	"github.com/kardianos/service"
)

// Name of the service at the service manager.
const Name = "tributaryd"

// Exit codes of `tributaryd service` are a contract with installers and never change.
const (
	ExitDone         = 0  // done, or it was so already
	ExitError        = 1  // the reason is on standard error
	ExitUsage        = 2  // the command line makes no sense
	ExitNotRunning   = 3  // as systemctl's
	ExitNotInstalled = 4  // as systemctl's
	ExitNeedsAdmin   = 77 // EX_NOPERM of sysexits.h
)

// Errors that have an exit code of their own.
var (
	ErrNotRunning   = errors.New("the service is not running")
	ErrNotInstalled = errors.New("the service is not installed; install it with \"tributaryd service install\"")
	ErrNeedsAdmin   = errors.New("this needs administrator rights; run it as root or from an elevated prompt, or use --user")
)

// ExitCode returns the exit code that tells of err.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return ExitDone
	case errors.Is(err, ErrNotRunning):
		return ExitNotRunning
	case errors.Is(err, ErrNotInstalled):
		return ExitNotInstalled
	case errors.Is(err, ErrNeedsAdmin):
		return ExitNeedsAdmin
	}
	return ExitError
}

// State is what the service manager says of the service.
type State string

const (
	StateRunning      State = "running"
	StateStopped      State = "stopped"
	StateNotInstalled State = "not installed"
)

// backend is what is used of kardianos/service.
type backend interface {
	Install() error
	Uninstall() error
	Start() error
	Stop() error
	Status() (service.Status, error)
}

// Manager acts on the service. Make one with NewManager.
type Manager struct {
	backend backend
	patient time.Duration // how long one action may take
	check   func() error  // whether this user may change anything
	// recovery makes the service manager start the installed service again after a failure, where installing it has not.
	recovery func() error
	// leavesUnit: an installation that fails leaves its unit behind, on which every later one would fail.
	leavesUnit bool
	script     string // where a System V service would be; "" with any other service manager
}

// Options say which service is meant, and how it is installed.
type Options struct {
	User      bool     // a service of this user alone, started at login; otherwise of the whole system, started at boot
	Arguments []string // of tributaryd, for Install
}

// actionTime bounds one action: on Windows the library waits without end for a service that does not stop.
const actionTime = 60 * time.Second

// NewManager returns a manager of the service that o means.
func NewManager(o Options) (*Manager, error) {
	if o.User && runtime.GOOS == "windows" {
		return nil, errors.New("Windows has no services of one user; leave out --user")
	}
	s, err := service.New(unused{}, &service.Config{
		Name:        Name,
		DisplayName: "Tributary",
		Description: "Tributary download service",
		Arguments:   o.Arguments,
		Option: service.KeyValue{
			"UserService":   o.User,
			"SystemdScript": systemdUnit(o.User),
			"KeepAlive":     true,
			"RunAtLoad":     true,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("find the service manager of this system: %w", err)
	}
	m := &Manager{backend: s, patient: actionTime, check: func() error { return checkRights(o.User) }, recovery: recoverAfterFailure}
	m.leavesUnit = runtime.GOOS != "windows" // which would take a service away that somebody else installed meanwhile
	if s.Platform() == "unix-systemv" {
		m.script = "/etc/init.d/" + Name
	}
	return m, nil
}

// unused stands for the program, which this library does not run; see Run.
type unused struct{}

func (unused) Start(service.Service) error { return nil }
func (unused) Stop(service.Service) error  { return nil }

func checkRights(user bool) error {
	if !user && runtime.GOOS != "windows" && os.Geteuid() != 0 {
		return ErrNeedsAdmin
	}
	return nil // Windows says so itself, see perform
}

// Status returns what the service manager says.
func (m *Manager) Status() (State, error) {
	status, err := m.backend.Status()
	switch {
	case errors.Is(err, service.ErrNotInstalled):
		return StateNotInstalled, nil
	case errors.Is(err, fs.ErrPermission):
		return "", ErrNeedsAdmin
	case status == service.StatusRunning:
		return StateRunning, nil
	case status == service.StatusStopped, err != nil && err.Error() == "service in failed state":
		return StateStopped, nil
	case m.script != "": // System V says nothing but that the script failed
		return scriptState(m.script), nil
	case err != nil:
		return "", fmt.Errorf("ask for the state of the service: %w", err)
	}
	return "", errors.New("the service manager does not say how the service is")
}

func scriptState(script string) State {
	if _, err := os.Stat(script); err != nil {
		return StateNotInstalled
	}
	return StateStopped
}

// Install registers the service, to be started at boot or login; it does not start it now. A service that is
// installed already stays as it is, save that it is made to start again after a failure.
func (m *Manager) Install() error {
	state, err := m.begin()
	if err != nil {
		return err
	}
	if state == StateNotInstalled {
		if err := m.perform("install", m.backend.Install); err != nil {
			if m.leavesUnit {
				_ = m.backend.Uninstall()
			}
			return err
		}
	}
	return m.perform("set the recovery of", m.recovery)
}

// Uninstall stops the service and takes it off the service manager. State and downloads stay.
func (m *Manager) Uninstall() error {
	state, err := m.begin()
	if err != nil || state == StateNotInstalled {
		return err
	}
	if state == StateRunning {
		if err := m.perform("stop", m.backend.Stop); err != nil {
			return err
		}
	}
	return m.perform("uninstall", m.backend.Uninstall)
}

// Start starts the service if it does not run.
func (m *Manager) Start() error {
	state, err := m.beginInstalled()
	if err != nil || state == StateRunning {
		return err
	}
	return m.perform("start", m.backend.Start)
}

// Stop stops the service if it runs.
func (m *Manager) Stop() error {
	state, err := m.beginInstalled()
	if err != nil || state == StateStopped {
		return err
	}
	return m.perform("stop", m.backend.Stop)
}

// Restart stops the service if it runs, and starts it.
func (m *Manager) Restart() error {
	if err := m.Stop(); err != nil {
		return err
	}
	return m.perform("start", m.backend.Start)
}

// begin checks the rights and returns the state before an action.
func (m *Manager) begin() (State, error) {
	if err := m.check(); err != nil {
		return "", err
	}
	return m.Status()
}

func (m *Manager) beginInstalled() (State, error) {
	state, err := m.begin()
	if err == nil && state == StateNotInstalled {
		err = ErrNotInstalled
	}
	return state, err
}

// perform runs one action of the library, which takes no context, and gives up after a while. The goroutine
// of an action that hangs ends with this short program.
func (m *Manager) perform(verb string, action func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), m.patient)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- action() }()
	select {
	case err := <-ended:
		if errors.Is(err, fs.ErrPermission) {
			return ErrNeedsAdmin
		}
		if err != nil {
			return fmt.Errorf("%s the service: %w", verb, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s the service: the service manager has not done so within %s", verb, m.patient)
	}
}

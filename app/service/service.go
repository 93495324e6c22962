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

// windowsAccount is the account of the service on Windows, as in the installer: one without rights to users' files, in place of
// the system's own, which has all. On Linux the unit says the like of it.
const windowsAccount = `NT AUTHORITY\LocalService`

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
	StateStarting     State = "starting" // or waiting to be started again after a crash
	StateStopping     State = "stopping"
	StateStopped      State = "stopped"
	StateFailed       State = "failed" // it ended badly and is not started again
	StateNotInstalled State = "not installed"
)

// backend is a service manager. Its actions end when what they ask for is so, whatever was before.
type backend interface {
	State() (State, error)
	Install() error
	Uninstall() error
	Start() error
	Stop() error
}

// Manager acts on the service. Make one with NewManager.
type Manager struct {
	backend backend
	patient time.Duration // how long one action may take
	check   func() error  // whether this user may change anything
	// recovery makes the service manager start the installed service again after a failure, where installing it has not.
	recovery func() error
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
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	account := "" // what the service manager takes by itself
	if runtime.GOOS == "windows" {
		account = windowsAccount
	}
	s, err := service.New(unused{}, &service.Config{
		Name:        Name,
		DisplayName: "Tributary",
		Description: "Tributary download service",
		Arguments:   o.Arguments,
		UserName:    account,
		Option: service.KeyValue{
			"UserService":   o.User,
			"SystemdScript": systemdUnit(o.User, program, o.Arguments),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("find the service manager of this system: %w", err)
	}
	backend, err := backendOf(s, o, program)
	if err != nil {
		return nil, err
	}
	m := &Manager{backend: backend, patient: actionTime, check: func() error { return checkRights(o.User) }, recovery: recoverAfterFailure}
	return m, nil
}

// backendOf puts right what is wrong with the library's service on this system's service manager.
func backendOf(s service.Service, o Options, program string) (backend, error) {
	switch s.Platform() {
	case "darwin-launchd":
		return newLaunchd(o.User, program, o.Arguments)
	case "linux-systemd":
		unit, err := unitPath(o.User)
		if err != nil {
			return nil, err
		}
		return &systemd{library: library{Service: s}, unit: unit, hidden: hiddenProgram(o.User, program), control: systemctl(o.User)}, nil
	case "unix-systemv":
		return &library{Service: s, leavesUnit: true, script: "/etc/init.d/" + Name}, nil
	}
	// On Windows it would take a service away that somebody else installed meanwhile.
	return &library{Service: s, leavesUnit: runtime.GOOS != "windows"}, nil
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
	state, err := m.backend.State()
	if errors.Is(err, fs.ErrPermission) {
		return "", ErrNeedsAdmin
	}
	if err != nil {
		return "", fmt.Errorf("ask for the state of the service: %w", err)
	}
	return state, nil
}

// Install registers the service, to be started at boot or login; it does not start it now. It may be installed already,
// wholly or in part: afterwards it is.
func (m *Manager) Install() error {
	if err := m.check(); err != nil {
		return err
	}
	if err := m.perform("install", m.backend.Install); err != nil {
		return err
	}
	return m.perform("set the recovery of", m.recovery)
}

// Uninstall stops the service and takes it off the service manager. State and downloads stay.
func (m *Manager) Uninstall() error {
	state, err := m.begin()
	if err != nil || state == StateNotInstalled {
		return err
	}
	if state != StateStopped {
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

// Stop stops the service if it does anything but rest.
func (m *Manager) Stop() error {
	state, err := m.beginInstalled()
	if err != nil || state == StateStopped || state == StateFailed {
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

package service

import (
	"errors"
	"os"

	"github.com/kardianos/service"
)

// library is a service of kardianos/service on any service manager.
type library struct {
	service.Service
	// leavesUnit: an installation that fails leaves its unit behind, on which every later one would fail.
	leavesUnit bool
	script     string // where a System V service would be; "" with any other service manager
}

// State implements backend.
func (l *library) State() (State, error) {
	status, err := l.Status()
	switch {
	case errors.Is(err, service.ErrNotInstalled):
		return StateNotInstalled, nil
	case status == service.StatusRunning:
		return StateRunning, nil
	case status == service.StatusStopped:
		return StateStopped, nil
	case l.script != "": // System V says nothing but that the script failed
		return scriptState(l.script), nil
	case err != nil:
		return "", err
	}
	return "", errors.New("the service manager does not say how the service is")
}

func scriptState(script string) State {
	if _, err := os.Stat(script); err != nil {
		return StateNotInstalled
	}
	return StateStopped
}

// Install implements backend. A service that is installed already stays as it is.
func (l *library) Install() error {
	state, err := l.State()
	if err != nil || state != StateNotInstalled {
		return err
	}
	if err := l.Service.Install(); err != nil {
		if l.leavesUnit {
			_ = l.Service.Uninstall()
		}
		return err
	}
	return nil
}

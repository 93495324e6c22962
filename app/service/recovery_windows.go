package service

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"
)

// restarts are the pauses before the service is started again after its first, second and any later failure.
var restarts = []mgr.RecoveryAction{
	{Type: mgr.ServiceRestart, Delay: 2 * time.Second},
	{Type: mgr.ServiceRestart, Delay: 5 * time.Second},
	{Type: mgr.ServiceRestart, Delay: 30 * time.Second},
}

// forgetFailures is the number of seconds without a failure after which the next one is the first again.
const forgetFailures = 24 * 60 * 60

// recoverAfterFailure has the service manager restart the service when it crashes or ends with an error. It needs an
// administrator's rights: the service's own account may not change how the service is configured.
func recoverAfterFailure() (err error) {
	manager, err := mgr.Connect()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, manager.Disconnect()) }()
	service, err := manager.OpenService(Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	if err := service.SetRecoveryActions(restarts, forgetFailures); err != nil {
		return fmt.Errorf("set the recovery actions: %w", err)
	}
	err = service.SetRecoveryActionsOnNonCrashFailures(true)
	if err != nil && !errors.Is(err, windows.ERROR_INVALID_LEVEL) { // Wine knows crashes alone
		return fmt.Errorf("restart after errors as after crashes: %w", err)
	}
	return nil
}

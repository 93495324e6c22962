package service

import (
	"context"
	"errors"
	"os"
	"os/signal"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
)

// stopHint tells the service manager how long a clean stop may take, in milliseconds.
const stopHint = 25_000

// Run runs the program until it ends by itself, or the service manager or the user asks it to end: then
// its context ends, and Run waits for it. Instead of guessing whether a service manager started this
// process, it tries to speak to one.
func Run(ctx context.Context, program func(context.Context) error) error {
	h := &handler{ctx: ctx, program: program}
	err := svc.Run(Name, h)
	if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
		return program(ctx)
	}
	return errors.Join(err, h.ended)
}

type handler struct {
	ctx     context.Context // of Run; svc.Handler's Execute takes none
	program func(context.Context) error
	ended   error // how program ended
}

// Execute implements svc.Handler.
func (h *handler) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (specific bool, code uint32) {
	ctx, stop := context.WithCancel(h.ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- h.program(ctx) }()
	running := svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown}
	status <- running
	for {
		select {
		case h.ended = <-done:
			if h.ended != nil {
				return true, ExitError // the service manager restarts it
			}
			return false, 0
		case request := <-requests:
			switch request.Cmd {
			case svc.Interrogate:
				status <- request.CurrentStatus
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending, WaitHint: stopHint}
				stop()
			}
		}
	}
}

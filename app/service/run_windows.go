package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
)

// Times of the service under the service manager, which are bounds: it starts and stops within a second or two.
const (
	startTime = 25 * time.Second // an installer gives up after 30
	stopTime  = 25 * time.Second
)

// Run runs the program until it ends by itself, or the service manager or the user asks it to end: then
// its context ends, and Run waits for it. The program writes a line to ready when it answers: out gets it, or the
// service manager learns that the service runs, since a service has no output. Instead of guessing whether a service
// manager started this process, it tries to speak to one.
func Run(ctx context.Context, out io.Writer, program func(ctx context.Context, ready io.Writer) error) error {
	h := &handler{ctx: ctx, program: program}
	err := svc.Run(Name, h)
	if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
		ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
		defer stop()
		return program(ctx, out)
	}
	return errors.Join(err, h.ended)
}

type handler struct {
	ctx     context.Context // of Run; svc.Handler's Execute takes none
	program func(ctx context.Context, ready io.Writer) error
	ended   error // how program ended
}

// Execute implements svc.Handler. A service that was asked to stop ends without an error code whatever happens: the
// service manager would start it again.
func (h *handler) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (specific bool, code uint32) {
	ctx, stop := context.WithCancel(h.ctx)
	defer stop()
	status <- svc.Status{State: svc.StartPending, WaitHint: milliseconds(startTime)}
	done := make(chan error, 1)
	answers := make(chan struct{})
	go func() { done <- h.program(ctx, &announcer{answers: answers}) }()
	for {
		select {
		case h.ended = <-done:
			if h.ended != nil {
				return true, ExitError // the service manager restarts it
			}
			return false, 0
		case <-answers:
			answers = nil
			status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptPreShutdown}
		case request := <-requests:
			switch request.Cmd {
			case svc.Interrogate:
				status <- request.CurrentStatus
			case svc.Stop, svc.Shutdown, svc.PreShutdown:
				status <- svc.Status{State: svc.StopPending, WaitHint: milliseconds(stopTime)}
				stop()
				h.ended = waitFor(done)
				return false, 0
			}
		}
	}
}

// waitFor bounds the wait for a program that was told to stop. One that does not is left to end with the process: what
// it had on disk is then what a power cut would leave.
func waitFor(done <-chan error) error {
	late := time.NewTimer(stopTime)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return fmt.Errorf("the service did not stop within %s and was cut off", stopTime)
	}
}

func milliseconds(d time.Duration) uint32 { return uint32(d.Milliseconds()) }

// announcer closes its channel at the first write.
type announcer struct {
	once    sync.Once
	answers chan struct{}
}

func (a *announcer) Write(b []byte) (int, error) {
	a.once.Do(func() { close(a.answers) })
	return len(b), nil
}

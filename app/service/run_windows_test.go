package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/windows/svc"
)

// execute runs a program under a service manager of the test's, and returns it and what the service's end looks like.
func execute(t *testing.T, program func(ctx context.Context, ready io.Writer) error) (requests chan<- svc.ChangeRequest, status <-chan svc.Status, ended <-chan string) {
	r, s, e := make(chan svc.ChangeRequest), make(chan svc.Status), make(chan string, 1)
	go func() {
		h := &handler{ctx: t.Context(), program: program}
		specific, code := h.Execute(nil, r, s)
		e <- fmt.Sprintf("%v %d %v", specific, code, h.ended)
	}()
	return r, s, e
}

// The service manager hears of each state in its turn: it starts, it answers, it stops.
func TestServiceStates(t *testing.T) {
	for _, command := range []svc.Cmd{svc.Stop, svc.PreShutdown, svc.Shutdown} {
		synctest.Test(t, func(t *testing.T) {
			answer := make(chan struct{})
			requests, status, ended := execute(t, func(ctx context.Context, ready io.Writer) error {
				<-answer
				for range 2 {
					_, _ = io.WriteString(ready, "it answers\n")
				}
				<-ctx.Done()
				return nil
			})
			if s := <-status; s.State != svc.StartPending || s.WaitHint != 25_000 {
				t.Errorf("at first the service manager hears of %+v", s)
			}
			synctest.Wait()
			close(answer)
			running := <-status
			if running.State != svc.Running || running.Accepts != svc.AcceptStop|svc.AcceptPreShutdown {
				t.Errorf("of a program that answers the service manager hears %+v", running)
			}
			requests <- svc.ChangeRequest{Cmd: svc.Interrogate, CurrentStatus: running}
			if s := <-status; s != running {
				t.Errorf("asked for its state it says %+v", s)
			}
			requests <- svc.ChangeRequest{Cmd: command}
			if s := <-status; s.State != svc.StopPending || s.WaitHint != 25_000 {
				t.Errorf("asked to stop it says %+v", s)
			}
			if got := <-ended; got != "false 0 <nil>" {
				t.Errorf("it ends with %s", got)
			}
		})
	}
}

// A service that fails says so, and is restarted; one that was to stop and hangs is cut off and not restarted.
func TestServiceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, status, ended := execute(t, func(context.Context, io.Writer) error { return errors.New("the disk is gone") })
		<-status
		if got := <-ended; got != "true 1 the disk is gone" {
			t.Errorf("a service that fails ends with %s", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		requests, status, ended := execute(t, func(context.Context, io.Writer) error { <-stuck; return nil })
		<-status
		began := time.Now()
		requests <- svc.ChangeRequest{Cmd: svc.Stop}
		<-status
		if got := <-ended; !strings.HasPrefix(got, "false 0 the service did not stop") || time.Since(began) != 25*time.Second {
			t.Errorf("a service that hangs ends after %v with %s", time.Since(began), got)
		}
		close(stuck)
	})
}

package fleet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Place is where a program runs: this machine, or a host of a laboratory.
type Place interface {
	Command(ctx context.Context, name string, args ...string) *exec.Cmd
}

// ThisMachine runs programs beside the caller.
type ThisMachine struct{}

// Command implements Place.
func (ThisMachine) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, name, args...)
}

const (
	startTime = 20 * time.Second // a program must be ready by then, on a busy machine too
	stopTime  = 15 * time.Second // and gone by then, when asked
)

// Process is one running program. It ends by Stop or Kill; the caller must call one of them.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  *tail
	done chan struct{} // closed when the program has ended
	err  error         // of its end; read only after done
}

// start runs a program until its first line of output, which is JSON and is decoded into ready.
func start(place Place, name, path string, ready any, args ...string) (*Process, error) {
	p := &Process{name: name, log: &tail{}, done: make(chan struct{})}
	// The program outlives the context of whoever asks for it; Stop and Kill end it.
	p.cmd = place.Command(context.Background(), path, args...)
	ownGroup(p.cmd)
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	first := make(chan []byte, 1)
	go p.follow(stdout, first)
	select {
	case line := <-first:
		if err := json.Unmarshal(line, ready); err != nil {
			p.Kill()
			if exit, ok := errors.AsType[*exec.ExitError](p.err); ok && exit.Exited() {
				return nil, &ExitError{Program: name, Code: exit.ExitCode(), Complaint: strings.Join(p.log.lines(), "\n")}
			}
			return nil, p.trouble(fmt.Errorf("%s did not become ready: %w", name, err))
		}
		return p, nil
	case <-time.After(startTime):
		p.Kill()
		return nil, p.trouble(fmt.Errorf("%s was not ready after %s", name, startTime))
	}
}

// follow hands over the first line, keeps the rest as log, and waits for the end. It is p's only
// goroutine, and ends with the program.
func (p *Process) follow(stdout io.Reader, first chan<- []byte) {
	lines := bufio.NewReader(stdout)
	line, _ := lines.ReadBytes('\n')
	first <- line
	_, _ = io.Copy(p.log, lines) // Wait tells how it ended
	p.err = p.cmd.Wait()
	close(p.done)
}

// PID returns the process ID of the program.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the program has ended, by whatever cause.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop asks the program to end and waits. A program that does not end cleanly is an error.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !p.ended() {
		p.Kill()
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-p.done:
	case <-time.After(stopTime):
		p.Kill()
		return p.trouble(fmt.Errorf("%s did not end within %s of being asked", p.name, stopTime))
	}
	if p.err != nil {
		return p.trouble(fmt.Errorf("%s ended badly: %w", p.name, p.err))
	}
	return nil
}

// Kill ends the program without warning (SIGKILL) and waits until it is gone.
func (p *Process) Kill() {
	// The only error is that the program has ended already.
	_ = p.cmd.Process.Kill()
	<-p.done
}

func (p *Process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Log returns the last lines that the program wrote.
func (p *Process) Log() []string { return p.log.lines() }

// trouble adds the end of the program's log to an error.
func (p *Process) trouble(err error) error {
	const shown = 12
	lines := p.log.lines()
	lines = lines[max(0, len(lines)-shown):]
	if len(lines) == 0 {
		return err
	}
	return fmt.Errorf("%w; the last lines of its log:\n  %s", err, strings.Join(lines, "\n  "))
}

// tail keeps the last lines that are written to it.
type tail struct {
	mu   sync.Mutex
	kept []string
	rest string // the line that is not complete
}

const tailLines = 400

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(t.rest+string(b), "\n")
	t.rest = lines[len(lines)-1]
	t.kept = append(t.kept, lines[:len(lines)-1]...)
	t.kept = append([]string(nil), t.kept[max(0, len(t.kept)-tailLines):]...)
	return len(b), nil
}

func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := append([]string(nil), t.kept...)
	if t.rest != "" {
		lines = append(lines, t.rest)
	}
	return lines
}

// output runs a program to its end and returns what it printed. A bad end is an *ExitError of ours.
func output(ctx context.Context, place Place, name, path string, args ...string) ([]byte, error) {
	cmd := place.Command(ctx, path, args...)
	ownGroup(cmd)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out, &ExitError{Program: name, Code: exit.ExitCode(), Complaint: strings.TrimSpace(complaint.String())}
	}
	if err != nil {
		return out, fmt.Errorf("run %s: %w", name, err)
	}
	return out, nil
}

// ExitError says that a program ended with a code other than 0.
type ExitError struct {
	Program   string
	Code      int
	Complaint string // what it wrote to standard error
}

func (e *ExitError) Error() string {
	return fmt.Sprintf("%s ended with code %d: %s", e.Program, e.Code, e.Complaint)
}

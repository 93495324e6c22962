// Package desktop is what the window and the tray share besides their views: where their files are, one instance each,
// preferences, starting the service and each other, opening files. The compositions are below it: window links the
// toolkit and needs cgo and the build tag desktop, tray does not. It must never import the engine.
package desktop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/tributary-dl/tributary/app/config/places"
	"github.com/tributary-dl/tributary/engine/client"
)

// ID names the program to desktops, in reverse order of its domain.
const ID = "io.tributary.Tributary"

// Options are what window and tray are started with.
type Options struct {
	Socket string // of the service; empty: the user's own
	Data   string // of the service that is started if none answers; empty: the user's own
	Alone  bool   // start no other program of ours: neither the service nor the tray
	Paste  bool   // offer what is on the clipboard for download
}

// Place is an Options with every path known.
type Place struct {
	Options
	dir     string   // for our own sockets and preferences
	machine string   // the socket of the machine's service, which will do; "": nobody but Socket will
	given   []string // the words that gave us Options, for other programs of ours
}

// Resolve fills in the paths that hold for this user.
func (o Options) Resolve() (Place, error) {
	at, err := places.Default()
	if err != nil {
		return Place{}, err
	}
	own := o.Data == "" && o.Socket == ""
	machine, given := "", o.words()
	if o.Data == "" {
		o.Data = at.Data
	}
	if o.Socket == "" {
		o.Socket, machine = at.Socket, places.MachineSocket()
	}
	dir := filepath.Dir(o.Socket)
	if own || runtime.GOOS == "windows" {
		dir = o.Data
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Place{}, fmt.Errorf("make the folder of the window: %w", err)
	}
	return Place{Options: o, dir: dir, machine: machine, given: given}, nil
}

// words are the command line that says where the service is, as far as it was said to us.
func (o Options) words() (words []string) {
	if o.Socket != "" {
		words = append(words, "--socket", o.Socket)
	}
	if o.Data != "" {
		words = append(words, "--data", o.Data)
	}
	return words
}

// Client returns a client of the service.
func (p Place) Client() *client.Client { return &client.Client{Socket: p.Socket, Else: p.machine} }

// errandsEvery is how long a finished download may wait for its name, so that window and tray are seldom woken.
const errandsEvery = time.Second

// RunErrands does what a service for the whole machine waits for this user to do, until ctx ends.
func (p Place) RunErrands(ctx context.Context, log *slog.Logger) {
	(&client.Agent{Client: p.Client(), Log: log, Every: errandsEvery}).Run(ctx)
}

// startTime bounds how long a service may take until it answers.
const startTime = 20 * time.Second

// StartService starts tributaryd for this user, unless one answers, and waits until it does.
func (p Place) StartService(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	c := p.Client()
	if answers(ctx, c) {
		return nil
	}
	program, err := find("tributaryd")
	if err != nil {
		return err
	}
	ended, err := start(program, "run", "--socket", p.Socket, "--data", p.Data)
	if err != nil {
		return err
	}
	const pause = 100 * time.Millisecond
	for tick := time.NewTicker(pause); ; {
		select {
		case err := <-ended:
			tick.Stop()
			return fmt.Errorf("the service ended at once (%w); run %q in a terminal to see why", err, program+" run")
		case <-ctx.Done():
			tick.Stop()
			return fmt.Errorf("the service was started but does not answer at %s; run %q to see why", p.Socket, "tributaryctl doctor")
		case <-tick.C:
			if answers(ctx, c) {
				tick.Stop()
				return nil
			}
		}
	}
}

func answers(ctx context.Context, c *client.Client) bool {
	_, err := c.Status(ctx)
	return !errors.Is(err, client.ErrUnreachable) && ctx.Err() == nil
}

// StartOther starts another program of ours, which goes on when this one ends.
func (p Place) StartOther(name string, args ...string) error {
	program, err := find(name)
	if err != nil {
		return err
	}
	_, err = start(program, append(slices.Clone(p.given), args...)...)
	return err
}

// find looks for a program of ours beside this one, then where the user's shell looks.
func find(name string) (string, error) {
	if self, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), name)); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is not installed beside this program; install Tributary again", name)
	}
	return path, nil
}

// start runs a program that outlives this one. ended yields how it ended, if it does while we are here.
func start(program string, args ...string) (ended <-chan error, err error) {
	c := exec.Command(program, args...) //nolint:noctx // nothing of ours may end it
	detach(c)
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(program), err)
	}
	end := make(chan error, 1)
	// This goroutine has no owner to wait for it: it ends with the program, which may outlive us.
	go func() {
		err := c.Wait()
		if err == nil {
			err = errors.New("without an error")
		}
		end <- err
	}()
	return end, nil
}

// Open opens a file or folder with the program that the user has for it.
func (p Place) Open(path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%s is not there any more; it was moved or deleted", filepath.Base(path))
	}
	return openFile(path)
}

// Reveal shows a file in the user's file manager, or its folder while it has no name yet.
func (p Place) Reveal(path string) error {
	if _, err := os.Stat(path); err != nil {
		return p.Open(filepath.Dir(path))
	}
	return revealFile(path)
}

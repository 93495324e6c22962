package fleet

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/client"
)

// DaemonOptions start a service; Data is needed.
type DaemonOptions struct {
	Data        string // folder of its state; the socket is in it too
	CA          string // certificate to trust beside the system's
	Control     string // control plane instead of the manifest's
	ListenPeers string // ADDR:PORT for peers; "" picks one
	Loopback    bool   // peers on loopback addresses are taken for real ones
	LogLevel    string // "" is the default
	Policies    []string
}

// Daemon is a running service, and a client of it.
type Daemon struct {
	*Process
	*client.Client

	programs Programs
	place    Place
	logFile  string
}

// Daemon starts a service. One that refuses to start is an *ExitError.
func (p Programs) Daemon(place Place, o DaemonOptions) (*Daemon, error) {
	socket := filepath.Join(o.Data, "socket")
	args := []string{"run", "--data", o.Data, "--socket", socket}
	for flag, value := range map[string]string{"--ca": o.CA, "--control": o.Control, "--listen-peers": o.ListenPeers,
		"--log-level": o.LogLevel} {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	for _, path := range o.Policies {
		args = append(args, "--policy", path)
	}
	if o.Loopback {
		args = append(args, "--allow-loopback-peers")
	}
	var ready struct{ Socket string }
	process, err := start(place, daemonProgram, p.path(daemonProgram), &ready, args...)
	if err != nil {
		return nil, err
	}
	return &Daemon{Process: process, Client: &client.Client{Socket: ready.Socket}, programs: p, place: place,
		logFile: filepath.Join(o.Data, "tributaryd.log")}, nil
}

// Log returns the last lines of the service's log file and of what it wrote to the terminal.
func (d *Daemon) Log() []string {
	var log tail
	if file, err := os.Open(d.logFile); err == nil { // a service that broke at once has none
		_, _ = io.Copy(&log, file) // what can be read of a log is better than nothing
		file.Close()
	}
	return append(log.lines(), d.Process.Log()...)
}

// Ctl runs the command line on the service and returns what it printed.
func (d *Daemon) Ctl(ctx context.Context, args ...string) ([]byte, error) {
	return output(ctx, d.place, ctlProgram, d.programs.path(ctlProgram), append([]string{"--socket", d.Socket}, args...)...)
}

// Until watches the service until want accepts a snapshot of the download, and returns that.
func (d *Daemon) Until(ctx context.Context, id string, want func(api.Download) bool) (api.Download, error) {
	var last api.Download
	for event, err := range d.Watch(ctx) {
		if err != nil {
			return last, fmt.Errorf("watch download %s: %w", id, err)
		}
		if event.Download == nil || event.Download.ID != id {
			continue
		}
		if last = *event.Download; want(last) {
			return last, nil
		}
	}
	return last, fmt.Errorf("watch download %s, last seen %s (%s): %w", id, last.State, last.Note, context.Cause(ctx))
}

// Ended accepts a download that is complete or has failed.
func Ended(d api.Download) bool { return d.State == api.StateComplete || d.State == api.StateFailed }

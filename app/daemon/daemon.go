// Package daemon is the composition root of the background service: it opens what the service is made of,
// in order, serves the local API, and closes everything in the opposite order. It must never hold behaviour
// of its own, nor know how it was started.
package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/tributary-dl/tributary/app/config"
	"github.com/tributary-dl/tributary/app/daemon/internal/logs"
	"github.com/tributary-dl/tributary/app/daemon/internal/manager"
	"github.com/tributary-dl/tributary/app/policy"
	"github.com/tributary-dl/tributary/engine"
	"github.com/tributary-dl/tributary/engine/localapi"
)

// Sizes of the log.
const (
	logFileBytes = 5 << 20
	logFiles     = 3
	ringLines    = 2000 // shown by `tributaryctl diagnostics`
)

// stopTime bounds a clean stop; after it the state on disk is what a power cut would leave, which is safe.
const stopTime = 20 * time.Second

// Config is what a service runs with.
type Config struct {
	config.Daemon
	// NoSystemPolicy leaves out the policies of this computer's administrator, for tests.
	NoSystemPolicy bool
	// Ready gets one line, {"socket":PATH}, when the local API answers.
	Ready io.Writer
	// Console gets the log beside the log file; nil: nobody looks.
	Console io.Writer
}

// Run is the service: it returns nil after a clean stop, once ctx has ended, and an error if the service
// could not start or broke.
func Run(ctx context.Context, c Config) (err error) {
	// A malformed policy refuses the start before anything is touched.
	reader := &policy.Reader{Paths: c.Policies, System: !c.NoSystemPolicy}
	decided, err := reader.Load()
	if err != nil {
		return fmt.Errorf("read the administrator's policy: %w", err)
	}
	started, kept := manager.Find()
	if err := makePrivate(c.Data); err != nil {
		return err
	}
	release, err := lockData(c.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()

	ring := logs.NewRing(ringLines)
	file, err := logs.OpenFile(c.LogFile, logFileBytes, logFiles)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	log := newLogger(c, file, ring)
	if err := catchCrashes(c.Data, log); err != nil {
		return err
	}
	return serve(ctx, c, surroundings{started, kept, log, ring, reader, decided})
}

// surroundings is what a service is started into.
type surroundings struct {
	manager manager.Manager
	kept    []manager.Kept // files that the service manager kept for us; the engine takes them over
	log     *slog.Logger
	ring    *logs.Ring
	policy  *policy.Reader
	decided policy.Policy
}

// serve runs the engine and its API until ctx ends.
func serve(ctx context.Context, c Config, in surroundings) (err error) {
	log := in.log
	listen := localapi.Listen
	if c.Machine {
		listen = localapi.ListenMachine
	}
	listener, err := listen(c.Socket)
	if err != nil {
		return err
	}
	e, err := engine.Open(ctx, engine.Config{
		DataDir:            c.Data,
		Roots:              c.Roots,
		Control:            c.Control,
		ListenPeers:        c.ListenPeers,
		AllowLoopbackPeers: c.AllowLoopbackPeers,
		Machine:            c.Machine,
		Keeper:             in.manager,
		Kept:               keptFiles(in.kept),
		Policy:             engine.Policy(in.decided),
		LoadPolicy: func() (engine.Policy, error) {
			p, err := in.policy.Load()
			return engine.Policy(p), err
		},
		Version:     config.Version(),
		Diagnostics: in.ring.Lines,
		Log:         log,
	})
	if err != nil {
		return errors.Join(fmt.Errorf("open the engine: %w", err), listener.Close())
	}
	defer func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		if closed := e.Close(bounded); closed != nil {
			err = errors.Join(err, fmt.Errorf("close the engine: %w", closed))
		}
		log.Info("stopped")
	}()
	defer followPolicy(ctx, in.policy, e)()
	// The socket listens already, so a caller who reads this line is answered.
	if err := json.NewEncoder(c.Ready).Encode(map[string]string{"socket": c.Socket}); err != nil {
		return errors.Join(fmt.Errorf("say that the service is ready: %w", err), listener.Close())
	}
	if err := in.manager.Ready(); err != nil {
		return errors.Join(err, listener.Close())
	}
	defer context.AfterFunc(ctx, func() {
		if err := in.manager.Stopping(); err != nil {
			log.Warn("the service manager does not listen", "err", err)
		}
	})()
	log.Info("ready", "version", config.Version(), "socket", c.Socket, "data", c.Data)
	server := localapi.New
	if c.Machine {
		server = localapi.ForMachine
	}
	return server(e, log).Serve(ctx, listener)
}

// keptFiles hands on what the service manager kept.
func keptFiles(kept []manager.Kept) []engine.Kept {
	files := make([]engine.Kept, len(kept))
	for i, k := range kept {
		files[i] = engine.Kept(k)
	}
	return files
}

// newLogger writes every line to the file, the ring and, if there is one, the console.
func newLogger(c Config, file, ring io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	handlers := []slog.Handler{slog.NewTextHandler(file, options), slog.NewTextHandler(ring, options)}
	if c.Console != nil {
		handlers = append(handlers, slog.NewTextHandler(c.Console, options))
	}
	return slog.New(slog.NewMultiHandler(handlers...))
}

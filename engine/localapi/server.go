package localapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Limits on what one caller can hold. A request's body has its own deadline, see guard.
const (
	maxConnections = 256
	maxHeaderBytes = 64 << 10
	headerTimeout  = 5 * time.Second
	bodyTimeout    = 10 * time.Second
	idleTimeout    = 90 * time.Second
	shutdownGrace  = 2 * time.Second
)

// Server answers the local API. Make one with New.
type Server struct {
	service  Service
	log      *slog.Logger
	machine  bool // it works for every user of the machine
	handler  http.Handler
	identify func(net.Conn) (caller, error) // who is at the other end; tests without a socket replace it
}

// New returns a server of service for the user who runs it. It logs only what a caller is not told.
func New(service Service, log *slog.Logger) *Server {
	return newServer(Server{service: service, log: log}, ofOneUser)
}

// ForMachine returns a server of service for every user of the machine; see the table in routes.go.
func ForMachine(service Service, log *slog.Logger) *Server {
	return newServer(Server{service: service, log: log, machine: true}, ofTheMachine)
}

func newServer(s Server, admit func(peer) caller) *Server {
	s.log = s.log.With("component", "localapi")
	s.identify = func(c net.Conn) (caller, error) {
		p, err := identify(c)
		if err != nil {
			return caller{}, err
		}
		return admit(p), nil
	}
	s.handler = guard(s.routes())
	return &s
}

// Serve answers on l, which should come from Listen, until ctx ends or l fails. It closes l, ends every
// watch and returns once each request has been answered or cut off; nil if ctx ended it.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	requests, endRequests := context.WithCancel(context.WithoutCancel(ctx))
	defer endRequests()
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ConnContext:       withCaller,
	}
	failed := make(chan error, 1)
	go func() {
		failed <- server.Serve(&gate{Listener: l, slots: make(chan struct{}, maxConnections), identify: s.identify, held: map[string]int{}})
	}()

	select {
	case err := <-failed:
		endRequests()
		return fmt.Errorf("serve the local API: %w", errors.Join(err, server.Close()))
	case <-ctx.Done():
	}
	endRequests() // watches end; everything else is short
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close() // someone does not read our answer
	}
	if served := <-failed; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return fmt.Errorf("stop the local API: %w", err)
	}
	return nil
}

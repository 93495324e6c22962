package swarm

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"sync"

	"github.com/tributary-dl/tributary/control/protocol"
	_ "github.com/tributary-dl/tributary/engine/internal/swarm/quietenv" // before the library reads its environment
)

// PeerID names a peer for as long as it is connected: a session's ID, never the GUID. It is the caller's
// name for the peer and does not travel.
type PeerID [16]byte

func (p PeerID) String() string { return hex.EncodeToString(p[:]) }

// Limiter says when n more bytes may pass. WaitN returns early only with ctx's error.
type Limiter interface {
	WaitN(ctx context.Context, n int) error
}

// Config of an Engine.
type Config struct {
	Log             *slog.Logger
	UploadLimiter   Limiter // of all swarms together; nil: no limit
	DownloadLimiter Limiter // likewise
}

// Engine holds the swarms of this process. Without a swarm it has no goroutine, no timer and hardly
// any memory.
type Engine struct {
	cfg Config

	mu     sync.Mutex // guards the fields below
	closed bool
	swarms map[protocol.ContentID]*Swarm
	banned map[PeerID]struct{} // sent bad pieces; forgotten with the process, as a PeerID is
}

// Errors of Join and Offer that callers tell apart.
var (
	ErrClosed    = errors.New("swarm is closed")
	ErrJoined    = errors.New("object has a swarm already")
	ErrConnected = errors.New("peer is connected already")
	ErrBanned    = errors.New("peer sent bad pieces")
	ErrFull      = errors.New("swarm has enough peers")
)

// New returns an engine. It fails only if the configuration is incomplete.
func New(cfg Config) (*Engine, error) {
	if cfg.Log == nil {
		return nil, errors.New("swarm engine: no logger")
	}
	cfg.Log = cfg.Log.With("component", "swarm")
	return &Engine{cfg: cfg, swarms: map[protocol.ContentID]*Swarm{}, banned: map[PeerID]struct{}{}}, nil
}

// Join makes a swarm for c, which exchanges with peers what is in p, from now until Leave. It asks
// peers for nothing until Want, serves nobody until SetUpload, and knows nobody until Offer. It costs
// some 5 ms and 100 KB, so join what is in use, not all that is there.
func (e *Engine) Join(c Content, p Pieces, o Observer) (*Swarm, error) {
	layout, err := layOut(c)
	if err != nil {
		return nil, err
	}
	s := newSwarm(e, c, layout, p, o)
	e.mu.Lock()
	switch {
	case e.closed:
		err = ErrClosed
	case e.swarms[c.ID] != nil:
		err = ErrJoined
	default:
		e.swarms[c.ID] = s
	}
	e.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := s.start(c); err != nil {
		s.Leave()
		return nil, err
	}
	return s, nil
}

// Close leaves all swarms. It returns within about leaveTimeout, whatever connections and storage do.
func (e *Engine) Close() {
	e.mu.Lock()
	e.closed = true
	var left sync.WaitGroup
	for _, s := range e.swarms {
		left.Go(s.Leave)
	}
	e.mu.Unlock()
	left.Wait()
}

func (e *Engine) forget(s *Swarm) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.swarms[s.id] == s {
		delete(e.swarms, s.id)
	}
}

func (e *Engine) ban(p PeerID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.banned[p] = struct{}{}
}

func (e *Engine) isBanned(p PeerID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, banned := e.banned[p]
	return banned
}

// acceptor hands connected links to the library, which takes it for a listening socket.
type acceptor struct {
	links  chan *link
	closed <-chan struct{}
}

func (a *acceptor) Accept() (net.Conn, error) {
	select {
	case l := <-a.links:
		return l, nil
	case <-a.closed:
		return nil, net.ErrClosed
	}
}

func (a *acceptor) Close() error   { return nil } // closes with its swarm
func (a *acceptor) Addr() net.Addr { return &net.TCPAddr{IP: net.IP{0: 0xfd, 15: 1}, Port: 1} }

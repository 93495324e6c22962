// Package node is the connection node: it holds one session with each running service, answers its
// look-ups from the directory, introduces peers to each other, relays what they need to connect, and
// hands their reports to the ledger. It must never carry content, trust a client's word beyond its own
// session, or wait for a slow client.
package node

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/tributary-dl/tributary/control/internal/directory"
	"github.com/tributary-dl/tributary/control/internal/ledger"
	"github.com/tributary-dl/tributary/control/internal/selection"
	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

// Config is what a node needs; all fields without a default are required.
type Config struct {
	Directory *directory.Directory
	Ledger    *ledger.Ledger
	GrantKeys []ed25519.PublicKey // of the edges whose grants count
	Network   func(netip.Addr) selection.Network
	Known     func(protocol.ContentID) (bool, error) // whether an object was published here: nothing else is accounted for
	STUN      []string                               // host:port of two ports of one STUN server, told to clients
	Log       *slog.Logger

	Epoch            uint64        // of the directory, see wire.Welcome
	AnnounceInterval time.Duration // default one hour; what is not repeated for twice as long expires
	AdmissionRate    float64       // logins a second that the machine can take; default 400
}

const (
	loginDeadline = 5 * time.Second
	writeDeadline = 10 * time.Second // for one message to a client that does not read
	sweepInterval = time.Minute
	expireEvery   = 24 * time.Hour  // what is old in the ledger; it is looked through from end to end
	minReconnect  = 5 * time.Second // shortest reconnect window
)

// Node is an http.Handler for protocol.SessionPath.
type Node struct {
	cfg           Config
	peerSecret    [32]byte // makes peer IDs of this epoch
	introductions *introductions
	seekers       *seekers
	newcomers     *newcomers
	stop          context.CancelFunc // ends the sweepers
	work          sync.WaitGroup     // requests, sessions, their writers and pings, and the sweepers

	mu       sync.Mutex
	sessions map[selection.PeerID]*session
	closing  bool
}

// New starts a node. Close it.
func New(cfg Config) *Node {
	if cfg.AnnounceInterval == 0 {
		cfg.AnnounceInterval = time.Hour
	}
	if cfg.AdmissionRate == 0 {
		cfg.AdmissionRate = 400
	}
	n := &Node{
		cfg: cfg, introductions: newIntroductions(), seekers: newSeekers(), newcomers: newNewcomers(),
		sessions: make(map[selection.PeerID]*session),
	}
	rand.Read(n.peerSecret[:])
	var ctx context.Context
	ctx, n.stop = context.WithCancel(context.Background())
	n.work.Go(func() { n.sweep(ctx) })
	n.work.Go(func() { n.expire(ctx) })
	return n
}

func (n *Node) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			n.cfg.Directory.Sweep(now)
			n.introductions.expire(now)
			n.seekers.expire(now)
			n.tellRefused()
		}
	}
}

// Close says good-bye to all sessions and waits until they have ended; when ctx ends first, it cuts
// them off.
func (n *Node) Close(ctx context.Context) error {
	n.stop()
	n.mu.Lock()
	n.closing = true
	sessions := n.all()
	n.mu.Unlock()
	for _, s := range sessions {
		s.end(websocket.StatusGoingAway, "the node is shutting down")
	}
	ended := make(chan struct{})
	go func() { n.work.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		for _, s := range sessions {
			s.conn.cut()
		}
		<-ended
		return ctx.Err()
	}
}

// Push sends a notice for the log to all clients.
func (n *Node) Push(notice string) {
	n.mu.Lock()
	sessions := n.all()
	n.mu.Unlock()
	for _, s := range sessions {
		s.send(&wire.NodeMessage{Body: &wire.NodeMessage_Push{Push: &wire.Push{Notice: notice, EdgeOnly: s.edgeOnly}}})
	}
}

// Sessions returns how many clients are connected.
func (n *Node) Sessions() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.sessions)
}

// all needs n.mu.
func (n *Node) all() []*session {
	all := make([]*session, 0, len(n.sessions))
	for _, s := range n.sessions {
		all = append(all, s)
	}
	return all
}

var errClosing = errors.New("the node is shutting down")

// register makes s the session of its device. An older one is told off: a device that connects again
// knows better than we whether the old connection still lives.
func (n *Node) register(s *session) error {
	n.mu.Lock()
	older := n.sessions[s.peer]
	if n.closing {
		n.mu.Unlock()
		return errClosing
	}
	n.sessions[s.peer] = s
	n.mu.Unlock()
	if older != nil {
		older.end(websocket.StatusPolicyViolation, "the device has connected again")
	}
	return nil
}

func (n *Node) unregister(s *session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.sessions[s.peer] == s {
		delete(n.sessions, s.peer)
	}
}

func (n *Node) session(peer selection.PeerID) *session {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sessions[peer]
}

// begin counts a request in, unless the node is closing.
func (n *Node) begin() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closing {
		return false
	}
	n.work.Add(1)
	return true
}

// peerID names a device for this epoch. It cannot be traced to the device's lasting name.
func (n *Node) peerID(device protocol.DeviceKey) (id selection.PeerID) {
	mac := hmac.New(sha256.New, n.peerSecret[:])
	mac.Write(device[:])
	copy(id[:], mac.Sum(nil))
	return id
}

// reconnectWindow is the time over which clients must spread if all of them lose us at once.
func (n *Node) reconnectWindow() time.Duration {
	needed := time.Duration(float64(n.Sessions()) / n.cfg.AdmissionRate * float64(time.Second))
	return max(minReconnect, needed)
}

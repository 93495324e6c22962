// Package session is the service's side of the session with a connection node: it logs in, keeps the
// node informed of what this device offers, asks for peers, and passes on introductions and signals. It
// reconnects by itself. Nothing may wait for it: without a session, downloads go on from the edge alone.
// It must never open a path to a peer, nor import what does.
package session

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

// Config is what a session needs. Fields without a default are required; none may be changed later.
type Config struct {
	URL      string                                                               // https base URL of the control plane
	Key      ed25519.PrivateKey                                                   // the device's
	Roots    *x509.CertPool                                                       // that vouch for the node; nil: the system's
	Dial     func(ctx context.Context, network, address string) (net.Conn, error) // nil: a plain dial
	Proxy    func(*http.Request) (*url.URL, error)                                // nil: none
	Software string                                                               // "tributaryd/1.0 linux/amd64", at most 100 bytes
	Log      *slog.Logger
	Login    func() LoginInfo // asked at each connection and after Relogin; must not block
	Handler  Handler
}

// Handler is told what the node says, from one goroutine, in order. It must not block: until it returns
// nothing else of the session is read.
type Handler interface {
	Welcomed(Welcome) // at each login
	Introduced(Introduction)
	Signalled(Signal)
	Pushed(Push)
}

// maxUrgent is how many look-ups and signals may wait for the writer.
const maxUrgent = 1000

// Session is a session that outlives connections. Its methods are safe for concurrent use.
type Session struct {
	cfg  Config
	wake chan struct{} // has room for one signal to the writer

	mu       sync.Mutex // guards what follows; held for a few lines only
	status   Status
	urgent   []*wire.ClientMessage
	changed  bool // what LoginInfo says, since the node was told
	lookups  map[uint32]chan answer
	request  uint32 // number of the last look-up
	holdings *holdings
	reports  *reports
}

// answer is what became of a look-up.
type answer struct {
	found Found
	err   error
}

// New makes a session. It does nothing until Run.
func New(cfg Config) *Session {
	return &Session{
		cfg: cfg, wake: make(chan struct{}, 1), lookups: make(map[uint32]chan answer),
		holdings: newHoldings(), reports: newReports(),
	}
}

// Run connects, and connects again whenever the connection is lost, until ctx ends. It returns an error
// only if the configuration can never work.
func (s *Session) Run(ctx context.Context) error {
	dialer, err := newDialer(s.cfg)
	if err != nil {
		return err
	}
	var retry retry
	for {
		began := time.Now()
		window, err := s.connect(ctx, dialer)
		if ctx.Err() != nil {
			s.disconnected(nil, time.Time{})
			return nil //nolint:nilerr // err says only that ctx ended, which the caller wanted
		}
		wait := retry.next(time.Since(began), window, rand.Float64)
		s.disconnected(err, time.Now().Add(wait))
		s.cfg.Log.Info("no session with the control plane", "err", err, "retry_in", wait.Round(time.Millisecond))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// connected makes the session usable.
func (s *Session) connected(w Welcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = Status{Connected: true, Since: time.Now(), Welcome: w}
	s.holdings.relist()
	clear(s.holdings.revoked) // the node dropped everything with the last session
	s.reports.resend()
	s.signal()
}

// disconnected fails what waits for the node.
func (s *Session) disconnected(err error, retryAt time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = Status{Welcome: s.status.Welcome, Err: err, RetryAt: retryAt}
	s.urgent = nil
	for request, waiting := range s.lookups {
		waiting <- answer{err: ErrDisconnected}
		delete(s.lookups, request)
	}
}

// Status tells how the session is doing.
func (s *Session) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.Holdings, status.PendingReports = len(s.holdings.have), len(s.reports.latest)
	return status
}

// Announce offers an object of which percent is here, now and after every reconnect.
func (s *Session) Announce(content protocol.ContentID, percent int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holdings.announce(content, percent) {
		s.signal()
	}
}

// Withdraw ends the offer.
func (s *Session) Withdraw(content protocol.ContentID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holdings.withdraw(content) {
		s.signal()
	}
}

// Report hands in what a download has done. The latest report of each download is kept until the node
// has it on its disk.
func (s *Session) Report(r Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports.add(r)
	s.signal()
}

// Lookup asks for at most want peers of an object, without those in exclude. The peers arrive as
// introductions, before or after Lookup returns. It fails at once with ErrDisconnected when there is no
// session, and with *RefusedError when the node refuses.
func (s *Session) Lookup(ctx context.Context, content protocol.ContentID, grant []byte, want int, exclude []PeerID) (Found, error) {
	request, waiting, err := s.ask(content, grant, want, exclude)
	if err != nil {
		return Found{}, err
	}
	select {
	case a := <-waiting:
		return a.found, a.err
	case <-ctx.Done():
		s.mu.Lock()
		delete(s.lookups, request)
		s.mu.Unlock()
		return Found{}, ctx.Err()
	}
}

func (s *Session) ask(content protocol.ContentID, grant []byte, want int, exclude []PeerID) (uint32, <-chan answer, error) {
	l := &wire.Lookup{Content: content[:], Grant: grant, Want: uint32(min(max(want, 0), protocol.MaxPeers))}
	for _, peer := range exclude {
		l.Exclude = append(l.Exclude, peer[:])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.request++
	l.Request = s.request
	if err := s.post(&wire.ClientMessage{Body: &wire.ClientMessage_Lookup{Lookup: l}}); err != nil {
		return 0, nil, err
	}
	waiting := make(chan answer, 1)
	s.lookups[l.Request] = waiting
	return l.Request, waiting, nil
}

// Signal sends to the other end of an introduction.
func (s *Session) Signal(g Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.post(&wire.ClientMessage{Body: &wire.ClientMessage_Signal{Signal: &wire.Signal{
		Introduction: g.Introduction[:], Ufrag: g.Ufrag, Password: g.Password, Candidates: g.Candidates, Failed: g.Failed,
	}}})
}

// Relogin has the LoginInfo asked for again, and the node told: sharing, NAT or LAN address may have
// changed.
func (s *Session) Relogin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed = true
	s.signal()
}

// post queues a message that goes before announcements and reports. It needs s.mu.
func (s *Session) post(message *wire.ClientMessage) error {
	switch {
	case !s.status.Connected:
		return ErrDisconnected
	case len(s.urgent) >= maxUrgent:
		return errQueueFull
	}
	s.urgent = append(s.urgent, message)
	s.signal()
	return nil
}

// signal wakes the writer.
func (s *Session) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

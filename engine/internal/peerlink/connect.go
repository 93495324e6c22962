package peerlink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/tributary-dl/tributary/control/protocol"
)

// Introduction is the node's order to meet a peer about an object. Both ends get one and call Connect.
type Introduction struct {
	ID                [16]byte
	Content           protocol.ContentID
	PeerKey           protocol.DeviceKey // the only key that is believed
	Peer              [16]byte           // names the peer in this epoch
	Controlling       bool               // ICE role; the controlling end dials
	PeerAddress       string             // public IP address as the node sees it
	SamePublicAddress bool               // the two may be in one network: private addresses are acceptable
	PeerLocal         string             // the peer's host:port in that network; "" if not told
}

// attemptTime is all that an attempt gets, with the wait for the other end.
const attemptTime = 5 * time.Second

// ErrNoPath says that no candidate of the peer answered in time.
var ErrNoPath = errors.New("no path to the peer")

// Connect meets the introduced peer: it finds a path, opens an encrypted stream to the device whose key
// the introduction names, and exchanges hellos. It takes at most five seconds; when it fails, the other
// end is told. The caller owns the Link and must Close it. It returns ErrBusy when the limits of Config
// are reached.
func (e *Endpoint) Connect(ctx context.Context, in Introduction, signaller Signaller, hello Hello) (*Link, error) {
	if err := e.begin(); err != nil {
		return nil, err
	}
	defer e.running.Done()
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()

	began := time.Now()
	link, err := e.attempt(ctx, in, signaller, hello)
	if err == nil {
		e.log.Debug("link is up", "path", link.Kind(), "after", time.Since(began))
		return link, nil
	}
	if e.ctx.Err() != nil {
		return nil, net.ErrClosed
	}
	if _, ok := errors.AsType[*gaveUpError](err); ok {
		return nil, err
	}
	_ = signaller.Signal(Signal{Introduction: in.ID, Failed: "no link"}) // a courtesy; the peer's time runs out anyway
	return nil, err
}

// gaveUpError is the error that a peer's Signal.Failed turns into.
type gaveUpError struct{ reason string }

func (e *gaveUpError) Error() string { return fmt.Sprintf("the peer gave up: %q", e.reason) }

func (e *Endpoint) attempt(ctx context.Context, in Introduction, signaller Signaller, hello Hello) (*Link, error) {
	if hello.Content != in.Content || hello.Check == nil {
		return nil, errors.New("the hello does not fit the introduction, or has no Check")
	}
	words, err := helloMessage{introduction: in.ID, content: hello.Content, grant: hello.Grant}.encode()
	if err != nil {
		return nil, err
	}
	box, ok := e.signals.receive(in.ID, time.Now())
	if !ok {
		return nil, errors.New("this introduction is being worked on")
	}
	defer e.signals.close(in.ID)
	if err := e.attempts.count(time.Now()); err != nil {
		return nil, err
	}
	local := e.addresses()
	remotes := newRemotes(in, e.loopback)
	agent, err := newAgent(ctx, e.stun.newAgentSocket(e.withPort(local.routes), remotes))
	if err != nil {
		return nil, err
	}
	defer agent.close()
	if err := e.introduce(ctx, in, local, agent, signaller); err != nil {
		return nil, err
	}

	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	first, err := firstSignal(ctx, box)
	if err != nil {
		return nil, err
	}
	if err := e.attempts.begin(ctx); err != nil {
		return nil, err
	}
	defer e.attempts.end()
	e.addCandidates(agent, remotes, first.Candidates)
	e.addPeerLocal(agent, remotes, in)

	var helping sync.WaitGroup
	defer helping.Wait()
	defer fail(nil)
	helping.Go(func() { e.follow(ctx, fail, box, agent, remotes) })

	var a arrival
	if in.Controlling {
		a, err = e.dial(ctx, agent, first, in, words)
	} else {
		a, err = e.await(ctx, &helping, agent, first, in)
	}
	if err == nil {
		err = judge(a.hello, in, hello)
	}
	if err == nil && !in.Controlling {
		_, err = a.stream.Write(append([]byte{accepted}, words...))
	}
	if err != nil {
		gaveUp, theirs := errors.AsType[*gaveUpError](context.Cause(ctx)) // asked first: a peer that is refused gives up
		if a.conn != nil {
			a.refuse(codeRefused, "hello refused")
		}
		if theirs {
			return nil, gaveUp
		}
		return nil, err
	}
	return e.newLink(a, in, hello, local)
}

func (e *Endpoint) withPort(routes []netip.Addr) (list []netip.AddrPort) {
	for _, a := range routes {
		list = append(list, netip.AddrPortFrom(a, e.port))
	}
	return list
}

// introduce tells the peer how to reach us. Private addresses go only to a peer that may be in the same
// network; others could not use them and need not know them.
func (e *Endpoint) introduce(ctx context.Context, in Introduction, local addresses, agent *agent, signaller Signaller) error {
	ufrag, password, err := agent.credentials()
	if err != nil {
		return err
	}
	s := Signal{Introduction: in.ID, Ufrag: ufrag, Password: password}
	known := map[netip.AddrPort]bool{}
	for _, a := range e.withPort(local.routes) {
		if in.SamePublicAddress || !isPrivate(a.Addr()) {
			known[a] = true
			s.Candidates = append(s.Candidates, candidate{addr: a}.line())
		}
	}
	if public := e.publicAddress(ctx); public.IsValid() && !known[public] {
		s.Candidates = append(s.Candidates, candidate{addr: public, reflexive: true}.line())
	}
	if err := signaller.Signal(s); err != nil {
		return fmt.Errorf("signal: %w", err)
	}
	return nil
}

func firstSignal(ctx context.Context, box <-chan Signal) (Signal, error) {
	select {
	case s := <-box:
		if s.Failed != "" {
			return s, &gaveUpError{s.Failed}
		}
		return s, nil
	case <-ctx.Done():
		return Signal{}, fmt.Errorf("wait for the peer: %w", ctx.Err())
	}
}

// follow takes what the peer says after its first signal: more candidates, or that it gave up.
func (e *Endpoint) follow(ctx context.Context, fail context.CancelCauseFunc, box <-chan Signal, agent *agent, r *remotes) {
	for {
		s, err := firstSignal(ctx, box)
		if err != nil {
			fail(err)
			return
		}
		e.addCandidates(agent, r, s.Candidates)
	}
}

func (e *Endpoint) addCandidates(agent *agent, r *remotes, lines []string) {
	for _, line := range lines {
		c, err := parseCandidate(line)
		if err == nil {
			err = r.addCandidate(c)
		}
		if err == nil {
			err = agent.add(c)
		}
		if err != nil {
			e.log.Debug("candidate refused", "err", err)
		}
	}
}

// addPeerLocal saves a round of signals when the peer's own candidates lack its address in the LAN.
func (e *Endpoint) addPeerLocal(agent *agent, r *remotes, in Introduction) {
	at, err := netip.ParseAddrPort(in.PeerLocal)
	if err != nil || !in.SamePublicAddress {
		return
	}
	e.addCandidates(agent, r, []string{candidate{addr: unmapped(at)}.line()})
}

// dial is the controlling end: find a path, open the connection on it, and believe it when the acceptor
// has answered.
func (e *Endpoint) dial(ctx context.Context, agent *agent, peer Signal, in Introduction, words []byte) (a arrival, err error) {
	at, err := agent.connect(ctx, true, peer.Ufrag, peer.Password)
	if err != nil {
		return a, fmt.Errorf("%w: %w", ErrNoPath, err)
	}
	config := e.identity.tlsConfig(func(key protocol.DeviceKey) error {
		if key != in.PeerKey {
			return errOtherPeer
		}
		return nil
	})
	a.conn, err = e.transport.Dial(ctx, net.UDPAddrFromAddrPort(at), config, quicConfig())
	if err != nil {
		return a, fmt.Errorf("dial the peer: %w", err)
	}
	if a.stream, err = a.conn.OpenStream(); err != nil {
		return a, fmt.Errorf("open the stream: %w", err)
	}
	defer limit(ctx, a.stream)()
	if _, err := a.stream.Write(words); err != nil {
		return a, fmt.Errorf("send hello: %w", err)
	}
	var verdict [1]byte
	if _, err := io.ReadFull(a.stream, verdict[:]); err != nil {
		return a, fmt.Errorf("wait for acceptance: %w", err)
	}
	if verdict[0] != accepted {
		return a, errHello
	}
	a.hello, err = readHello(a.stream)
	return a, err
}

// await is the accepting end. ICE runs so that packets of the dialer get in; that the dialer comes
// through is the only proof of a path that counts.
func (e *Endpoint) await(ctx context.Context, helping *sync.WaitGroup, agent *agent, peer Signal, in Introduction) (arrival, error) {
	x := expectation{in.PeerKey, in.ID}
	arrivals := e.expect(x)
	defer e.unexpect(x)
	helping.Go(func() { _, _ = agent.connect(ctx, false, peer.Ufrag, peer.Password) })
	select {
	case a := <-arrivals:
		return a, nil
	case <-ctx.Done():
		return arrival{}, fmt.Errorf("%w: %w", ErrNoPath, ctx.Err())
	}
}

// limit ties a stream's deadline to ctx, which may end early, until the returned function is called.
func limit(ctx context.Context, stream *quic.Stream) (stop func()) {
	ended := make(chan struct{})
	unhook := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = stream.SetDeadline(time.Unix(1, 0)) // long ago; always nil
	})
	return func() {
		if !unhook() {
			<-ended
		}
	}
}

// judge checks what the peer said against the introduction, and its grant.
func judge(peer helloMessage, in Introduction, own Hello) error {
	if peer.introduction != in.ID || peer.content != in.Content {
		return fmt.Errorf("%w: it is about something else", errHello)
	}
	if len(peer.grant) == 0 {
		return nil
	}
	if err := own.Check(peer.grant, in.PeerKey); err != nil {
		return fmt.Errorf("the peer's grant: %w", err)
	}
	return nil
}

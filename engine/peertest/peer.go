// Package peertest is a peer that keeps to no rule of ours, for tests of the programs: it meets a service over the
// real control plane and the real encrypted link, shows whatever grant it is told to, and asks for payload without
// waiting to be let. It must never be part of a program.
package peertest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/engine/internal/identity"
	"github.com/tributary-dl/tributary/engine/internal/peerlink"
	"github.com/tributary-dl/tributary/engine/internal/session"
)

const (
	askAgain  = 200 * time.Millisecond // while the control plane introduces nobody
	listening = 3 * time.Second        // for payload, before it is taken for refused
	block     = 16 << 10               // bytes of a request (BEP 3)
	maxFrame  = 1 << 20
)

// Numbers of BEP 3's messages.
const (
	msgInterested = 2
	msgRequest    = 6
	msgPiece      = 7
)

// Peer is a device of its own on the loopback interface.
type Peer struct {
	endpoint   *peerlink.Endpoint
	session    *session.Session
	welcome    sync.Once
	welcomed   chan struct{}
	introduced chan session.Introduction
	cancel     context.CancelFunc
	running    sync.WaitGroup
}

// Open makes a device and logs it in at the control plane, an https URL that roots vouch for. The caller closes it.
func Open(control string, roots *x509.CertPool, log *slog.Logger) (*Peer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	p := &Peer{welcomed: make(chan struct{}), introduced: make(chan session.Introduction, 100)}
	p.endpoint, err = peerlink.Listen(peerlink.Config{Listen: "127.0.0.1:0", Device: key, Log: log, AllowLoopback: true})
	if err != nil {
		return nil, err
	}
	local, err := netip.ParseAddrPort(p.endpoint.LocalAddress())
	if err != nil {
		return nil, errors.Join(err, p.endpoint.Close())
	}
	login := session.LoginInfo{NAT: session.NATOpen, Starts: []identity.SecondaryGUID{{1}}, LocalAddress: local}
	p.session = session.New(session.Config{URL: control, Key: key, Roots: roots, Software: "peertest", Log: log,
		Login: func() session.LoginInfo { return login }, Handler: handler{p}})
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.running.Go(func() {
		if err := p.session.Run(ctx); err != nil {
			log.Error("the control plane cannot be used", "err", err)
		}
	})
	return p, nil
}

// Close ends all it does.
func (p *Peer) Close() error {
	p.cancel()
	p.running.Wait()
	return p.endpoint.Close()
}

// Device is who it is, as grants name it.
func (p *Peer) Device() protocol.DeviceKey { return p.endpoint.DeviceKey() }

// Take has itself introduced to a holder of the object with the grant lookUp, shows that holder the grant shown (none
// if it is empty) and asks for the first bytes. It returns how many bytes of payload came; an error means that there was
// no link, or that it was ended.
func (p *Peer) Take(ctx context.Context, object protocol.ContentID, lookUp, shown []byte) (payload int, err error) {
	in, err := p.lookUp(ctx, object, lookUp)
	if err != nil {
		return 0, fmt.Errorf("look up: %w", err)
	}
	link, err := p.endpoint.Connect(ctx, peerlink.Introduction{ID: in.ID, Content: in.Content, PeerKey: in.PeerKey, Peer: in.Peer,
		Controlling: in.Controlling, PeerAddress: in.PeerAddress.String(), SamePublicAddress: in.SamePublicAddress,
		PeerLocal: in.PeerLocalAddress.String()}, signaller{p},
		peerlink.Hello{Content: in.Content, Grant: shown, Check: func([]byte, protocol.DeviceKey) error { return nil }})
	if err != nil {
		return 0, fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = link.Close() }() // nothing more is to be said on it
	return ask(link, object)
}

// lookUp asks until somebody is introduced.
func (p *Peer) lookUp(ctx context.Context, object protocol.ContentID, grant []byte) (in session.Introduction, err error) {
	select {
	case <-p.welcomed:
	case <-ctx.Done():
		return in, ctx.Err()
	}
	for {
		if _, err := p.session.Lookup(ctx, object, grant, 1, nil); err != nil {
			return in, err
		}
		select {
		case in = <-p.introduced:
			return in, nil
		case <-time.After(askAgain):
		case <-ctx.Done():
			return in, ctx.Err()
		}
	}
}

// ask shakes hands (BEP 3), requests the first two blocks at once, choked or not, and listens for payload.
func ask(link net.Conn, object protocol.ContentID) (payload int, err error) {
	words := append([]byte("\x13BitTorrent protocol"), make([]byte, 8)...)
	words = append(words, object[:20]...) // a v2 info hash is cut to 20 bytes (BEP 52)
	words = append(words, "-hostile-----------1"...)
	theirs := make([]byte, len(words))
	words = append(words, 0, 0, 0, 1, msgInterested)
	for i := range uint32(2) {
		words = append(words, 0, 0, 0, 13, msgRequest)
		for _, n := range []uint32{0, i * block, block} { // piece, offset, length
			words = binary.BigEndian.AppendUint32(words, n)
		}
	}
	if err := link.SetDeadline(time.Now().Add(listening)); err != nil {
		return 0, err
	}
	if _, err := link.Write(words); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(link, theirs); err != nil {
		return 0, fmt.Errorf("handshake: %w", err)
	}
	for payload < 2*block {
		n, err := frame(link)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return payload, nil
		}
		if err != nil {
			return payload, err
		}
		payload += n
	}
	return payload, nil
}

// frame reads one message and returns how much payload is in it.
func frame(link io.Reader) (payload int, err error) {
	var length [4]byte
	if _, err := io.ReadFull(link, length[:]); err != nil {
		return 0, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxFrame {
		return 0, fmt.Errorf("a message of %d bytes", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(link, body); err != nil {
		return 0, err
	}
	if n > 9 && body[0] == msgPiece { // behind it: piece and offset
		return int(n) - 9, nil
	}
	return 0, nil
}

// handler hears the control plane for a peer.
type handler struct{ *Peer }

func (h handler) Welcomed(session.Welcome) { h.welcome.Do(func() { close(h.welcomed) }) }

func (h handler) Introduced(in session.Introduction) {
	select {
	case h.introduced <- in:
	default: // nobody asked for so many
	}
}

func (h handler) Signalled(g session.Signal) {
	h.endpoint.Deliver(peerlink.Signal{Introduction: g.Introduction, Ufrag: g.Ufrag, Password: g.Password,
		Candidates: g.Candidates, Failed: g.Failed})
}

func (h handler) Pushed(session.Push) {}

// signaller sends the signals of introductions.
type signaller struct{ *Peer }

func (s signaller) Signal(g peerlink.Signal) error {
	return s.session.Signal(session.Signal{Introduction: g.Introduction, Ufrag: g.Ufrag, Password: g.Password,
		Candidates: g.Candidates, Failed: g.Failed})
}

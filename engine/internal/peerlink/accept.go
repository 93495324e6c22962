package peerlink

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/tributary-dl/tributary/control/protocol"
)

// Why a QUIC connection between peers is closed.
const (
	codeDone      quic.ApplicationErrorCode = 0 // the owner of the link closed it
	codeUnknown   quic.ApplicationErrorCode = 1 // no attempt waits for this introduction
	codeRefused   quic.ApplicationErrorCode = 2 // the hello is not acceptable
	codeGoingAway quic.ApplicationErrorCode = 3 // the endpoint closes
)

// expectation is a connection that a Connect call in the accepting role waits for.
type expectation struct {
	peer         protocol.DeviceKey
	introduction [16]byte
}

// arrival is a connection whose TLS is done and whose hello has been read, but not yet judged.
type arrival struct {
	conn   *quic.Conn
	stream *quic.Stream
	hello  helloMessage
}

func (a arrival) refuse(code quic.ApplicationErrorCode, why string) {
	_ = a.conn.CloseWithError(code, why) // always nil
}

// expect announces a connection; the caller calls unexpect.
func (e *Endpoint) expect(x expectation) <-chan arrival {
	c := make(chan arrival, 1)
	e.mu.Lock()
	e.expected[x] = c
	e.mu.Unlock()
	return c
}

// unexpect also closes a connection that came too late to be taken.
func (e *Endpoint) unexpect(x expectation) {
	e.mu.Lock()
	c := e.expected[x]
	delete(e.expected, x)
	e.mu.Unlock()
	select {
	case a := <-c:
		a.refuse(codeUnknown, "")
	default:
	}
}

// hand gives an arrival to the attempt that expects it, once.
func (e *Endpoint) hand(x expectation, a arrival) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case e.expected[x] <- a: // a nil channel if nobody expects it
		return true
	default:
		return false
	}
}

var errUnexpected = errors.New("nobody is expected")

// expectAny is the transport's first look at an unknown connection, before any cryptography.
func (e *Endpoint) expectAny(ctx context.Context, _ *quic.ClientInfo) (context.Context, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.expected) == 0 {
		return nil, errUnexpected
	}
	return ctx, nil
}

// acceptTLS lets in the devices that are expected at that moment.
func (e *Endpoint) acceptTLS() *tls.Config {
	return e.identity.tlsConfig(func(key protocol.DeviceKey) error {
		e.mu.Lock()
		defer e.mu.Unlock()
		for x := range e.expected {
			if x.peer == key {
				return nil
			}
		}
		return errOtherPeer
	})
}

// acceptLinks runs until the listener closes. Only introduced devices get here, so there are no more
// greetings at once than connections that introduced devices open.
func (e *Endpoint) acceptLinks() {
	for {
		conn, err := e.listener.Accept(e.ctx)
		if err != nil {
			return
		}
		e.running.Go(func() { e.greet(conn) })
	}
}

// greet reads the dialer's hello and finds the attempt that it belongs to.
func (e *Endpoint) greet(conn *quic.Conn) {
	a := arrival{conn: conn}
	ctx, cancel := context.WithTimeout(e.ctx, attemptTime)
	defer cancel()
	key, err := peerKey(conn.ConnectionState().TLS)
	if err == nil {
		a.stream, err = conn.AcceptStream(ctx)
	}
	if err == nil {
		deadline, _ := ctx.Deadline()
		_ = a.stream.SetReadDeadline(deadline) // always nil
		a.hello, err = readHello(a.stream)
	}
	if err != nil {
		a.refuse(codeRefused, "no hello")
		return
	}
	_ = a.stream.SetReadDeadline(time.Time{})
	if !e.hand(expectation{key, a.hello.introduction}, a) {
		a.refuse(codeUnknown, "unknown introduction")
	}
}

package peerlink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/engine/api"
)

// Link is an encrypted stream to the introduced peer. It is a net.Conn with real deadlines; Read, Write
// and Close may be called concurrently, Writes one after the other.
type Link struct {
	endpoint *Endpoint
	conn     *quic.Conn
	stream   *quic.Stream
	kind     api.PathKind
	path     netip.AddrPort // the peer's address when the link came up, which kind is about
	about    Introduction
	check    func(grant []byte, peer protocol.DeviceKey) error // see Hello

	closed    chan struct{}
	closeOnce sync.Once
	peerEnded atomic.Bool // Read has seen the end of the peer's stream

	writing       sync.Mutex // held by a Write
	way           *path      // over the endpoint's uplink; nil on a LAN, where nobody else's traffic is in the way
	writeDeadline atomic.Pointer[time.Time]
}

var _ net.Conn = (*Link)(nil)

func (e *Endpoint) newLink(a arrival, in Introduction, hello Hello, local addresses) (*Link, error) {
	l := &Link{
		endpoint: e,
		conn:     a.conn,
		stream:   a.stream,
		about:    in,
		check:    hello.Check,
		closed:   make(chan struct{}),
	}
	l.path = remoteOf(a.conn)
	l.kind = local.kindOf(l.path.Addr())
	if l.kind != api.PathLAN {
		l.way = newPath(time.Now(), l.sample)
	}
	_ = a.stream.SetDeadline(time.Time{}) // the attempt's is over; always nil
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		a.refuse(codeGoingAway, "")
		return nil, net.ErrClosed
	}
	e.links[l] = struct{}{}
	if l.way != nil {
		e.uplink.join(l.way)
	}
	e.running.Go(l.seeGrants)
	return l, nil
}

// Kind says how the peer was reached when the link came up.
func (l *Link) Kind() api.PathKind { return l.kind }

// Peer is the peer's name in this epoch.
func (l *Link) Peer() [16]byte { return l.about.Peer }

// PeerKey is the peer's device key, which TLS has proved.
func (l *Link) PeerKey() protocol.DeviceKey { return l.about.PeerKey }

// RTT is the smoothed round-trip time.
func (l *Link) RTT() time.Duration { return l.conn.ConnectionStats().SmoothedRTT }

// Read reads from the peer. It returns io.EOF when the peer has closed the link.
func (l *Link) Read(b []byte) (int, error) {
	n, err := l.stream.Read(b)
	if errors.Is(err, io.EOF) {
		l.peerEnded.Store(true)
	}
	return n, l.explain(err)
}

// smallWrite is below any block of payload. Shorter writes are requests and the like, which are too little
// to be in the user's way and make downloads faster when they go at once.
const smallWrite = 1 << 10

var errMoved = errors.New("the peer has left the local network")

// stayed makes sure that a link in a LAN still leads through it. QUIC lets a dialer move to another address
// (RFC 9000 section 9), and what may be sent depends on where it goes.
func (l *Link) stayed() error {
	if l.kind == api.PathLAN && remoteOf(l.conn) != l.path {
		l.abort(codeGoingAway)
		return errMoved
	}
	return nil
}

func remoteOf(c *quic.Conn) netip.AddrPort { return c.RemoteAddr().(*net.UDPAddr).AddrPort() }

// Write sends to the peer. Where the way leads over the Internet, large writes are paced so that the
// user's own traffic goes first.
func (l *Link) Write(b []byte) (int, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.stayed(); err != nil {
		return 0, err
	}
	if l.way == nil || len(b) < smallWrite {
		n, err := l.stream.Write(b)
		return n, l.explain(err)
	}
	sent := 0
	for sent < len(b) {
		n, err := l.granted(len(b) - sent)
		if err != nil {
			return sent, err
		}
		n, err = l.stream.Write(b[sent : sent+n])
		sent += n
		if err != nil {
			return sent, l.explain(err)
		}
	}
	return sent, nil
}

// granted waits for the link's turn on the uplink, and until some of the bytes may leave. The turn ends before they
// do, so that a peer that takes them slowly keeps nobody waiting.
func (l *Link) granted(want int) (int, error) {
	u := l.endpoint.uplink
	for mine := false; !mine; {
		var err error
		if mine, err = l.await(u.turn, turnPause); err != nil {
			return 0, err
		}
	}
	defer func() { <-u.turn }()
	for {
		now := time.Now()
		n, wait := u.grant(now, l.way, want)
		u.sound(now)
		if n > 0 {
			return n, nil
		}
		if _, err := l.await(nil, wait); err != nil {
			return 0, err
		}
	}
}

// turnPause is how long a link waits for its turn before it looks at its deadline again, and goes to the end of the line.
const turnPause = time.Second

// await waits for the turn, or for a while, but not beyond the write deadline of that moment or the end of the link. It
// tells whether the link has the turn now.
func (l *Link) await(turn chan<- struct{}, pause time.Duration) (mine bool, err error) {
	if d := l.writeDeadline.Load(); d != nil && !d.IsZero() {
		left := time.Until(*d)
		if left <= 0 {
			return false, os.ErrDeadlineExceeded
		}
		pause = min(pause, left)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case turn <- struct{}{}:
		return true, nil
	case <-timer.C:
		return false, nil
	case <-l.closed:
		return false, net.ErrClosed
	case <-l.conn.Context().Done():
		return false, l.explain(context.Cause(l.conn.Context()))
	}
}

// sample is what the uplink looks at.
func (l *Link) sample() sample {
	s := l.conn.ConnectionStats()
	return sample{rtt: s.LatestRTT, sentBytes: s.BytesSent, gotBytes: s.BytesReceived, sentPackets: s.PacketsSent, lostPackets: s.PacketsLost}
}

// explain turns QUIC's errors into those that users of a net.Conn know.
func (l *Link) explain(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	select {
	case <-l.closed: // first: Close ends a Write by a deadline
		return net.ErrClosed
	default:
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if closed, ok := errors.AsType[*quic.ApplicationError](err); ok && closed.Remote &&
		(closed.ErrorCode == codeDone || closed.ErrorCode == codeGoingAway) {
		return io.EOF
	}
	return fmt.Errorf("link: %w", err)
}

// LocalAddr is the address of the shared socket.
func (l *Link) LocalAddr() net.Addr { return l.conn.LocalAddr() }

// RemoteAddr is the peer's address on the path in use.
func (l *Link) RemoteAddr() net.Addr { return l.conn.RemoteAddr() }

// SetDeadline sets both deadlines.
func (l *Link) SetDeadline(t time.Time) error {
	l.writeDeadline.Store(&t)
	return l.stream.SetDeadline(t)
}

// SetReadDeadline sets the deadline of Read.
func (l *Link) SetReadDeadline(t time.Time) error { return l.stream.SetReadDeadline(t) }

// SetWriteDeadline sets the deadline of Write. A Write that the uplink holds back notices an earlier one
// within turnPause.
func (l *Link) SetWriteDeadline(t time.Time) error {
	l.writeDeadline.Store(&t)
	return l.stream.SetWriteDeadline(t)
}

// lingerTime is how long what was written before Close may take to arrive.
const lingerTime = 2 * time.Second

// Close ends the link. It does not wait: what was written before is delivered in the background.
func (l *Link) Close() error {
	l.closeOnce.Do(func() {
		close(l.closed)
		l.forget()
		_ = l.stream.SetWriteDeadline(time.Unix(1, 0)) // ends a Write under way, which Close must not meet
		l.writing.Lock()
		defer l.writing.Unlock()
		_ = l.stream.Close()
		l.stream.CancelRead(quic.StreamErrorCode(codeDone))
		if l.peerEnded.Load() { // nobody is there to read the rest
			_ = l.conn.CloseWithError(codeDone, "") // always nil
			return
		}
		if l.endpoint.begin() != nil {
			return // the endpoint ends the connection
		}
		go l.linger()
	})
	return nil
}

// linger waits until the peer, which has seen the end of the stream, closes the connection.
func (l *Link) linger() {
	defer l.endpoint.running.Done()
	timer := time.NewTimer(lingerTime)
	defer timer.Stop()
	select {
	case <-l.conn.Context().Done():
	case <-l.endpoint.ctx.Done():
	case <-timer.C:
	}
	_ = l.conn.CloseWithError(codeDone, "") // always nil
}

// abort ends the link at once.
func (l *Link) abort(code quic.ApplicationErrorCode) {
	l.closeOnce.Do(func() {
		close(l.closed)
		l.forget()
		_ = l.conn.CloseWithError(code, "") // always nil
	})
}

func (l *Link) forget() {
	l.endpoint.mu.Lock()
	delete(l.endpoint.links, l)
	l.endpoint.mu.Unlock()
	if l.way != nil {
		l.endpoint.uplink.leave(l.way)
	}
}

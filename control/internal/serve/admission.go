package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"time"
)

const (
	// handshakesPerCore bounds the TLS handshakes under way. When all clients come back at once, a few
	// that succeed are worth more than thousands that time out half done.
	handshakesPerCore = 32
	handshakeDeadline = 5 * time.Second
	acceptPause       = 50 * time.Millisecond // after an error, such as too many open files
)

// admission is a listener whose connections have their TLS handshake behind them. A connection that comes
// while too many handshakes are under way is reset at once; a reset costs nearly nothing, and the client
// tries again later.
type admission struct {
	listener net.Listener
	config   *tls.Config
	log      *slog.Logger
	slots    chan struct{}
	admitted chan net.Conn
	ctx      context.Context
	stop     context.CancelFunc
	work     sync.WaitGroup
}

func admit(l net.Listener, config *tls.Config, log *slog.Logger) *admission {
	return admitAtMost(handshakesPerCore*runtime.GOMAXPROCS(0), l, config, log)
}

func admitAtMost(limit int, l net.Listener, config *tls.Config, log *slog.Logger) *admission {
	a := &admission{listener: l, config: config, log: log, slots: make(chan struct{}, limit), admitted: make(chan net.Conn)}
	a.ctx, a.stop = context.WithCancel(context.Background())
	a.work.Go(a.run)
	return a
}

// Accept returns the next connection, a *tls.Conn.
func (a *admission) Accept() (net.Conn, error) {
	select {
	case conn := <-a.admitted:
		return conn, nil
	case <-a.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (a *admission) Addr() net.Addr { return a.listener.Addr() }

// Close stops listening and waits for the handshakes under way, which it cuts off.
func (a *admission) Close() error {
	a.stop()
	err := a.listener.Close()
	a.work.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (a *admission) run() {
	for {
		conn, err := a.listener.Accept()
		switch {
		case a.ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return
		case err != nil:
			a.log.Warn("connection could not be accepted", "err", err)
			select {
			case <-a.ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		select {
		case a.slots <- struct{}{}:
			a.work.Go(func() { a.handshake(conn) })
		default:
			reset(conn)
		}
	}
}

// handshake gives its slot back before it hands the connection over.
func (a *admission) handshake(raw net.Conn) {
	ctx, cancel := context.WithTimeout(a.ctx, handshakeDeadline)
	conn := tls.Server(raw, a.config)
	err := conn.HandshakeContext(ctx)
	cancel()
	<-a.slots
	if err != nil {
		raw.Close()
		a.log.Debug("TLS handshake", "remote", raw.RemoteAddr(), "err", err)
		return
	}
	select {
	case a.admitted <- conn:
	case <-a.ctx.Done():
		raw.Close()
	}
}

// reset closes without the exchange of a polite close, and without leaving a trace in the kernel.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // best effort: the connection is closed in any case
	}
	conn.Close()
}

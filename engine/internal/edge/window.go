package edge

import (
	"context"
	"net"
	"net/http/httptrace"
	"sync"
	"time"
)

// MostWindow is the most that can be asked for in SourceOptions.Window, in bytes: what Linux lets a program without privileges
// set (net.core.rmem_max). Who needs more leaves the size to the system.
const MostWindow = 208 << 10

// NoWindowYet is asked for in SourceOptions.Window by who may want a bound later: the connection is one that can have it.
const NoWindowYet = MostWindow + 1

// window keeps what a server may have under way for one request as small as the caller wants it. It does so by the
// connection's receive buffer, which TCP tells the server of. A buffer whose size was set keeps it, since systems do not go back to
// sizes of their own; so only connections of the pool for that are ever touched, and whether a request uses one is decided before it is sent.
type window struct {
	want    func() int
	bounded bool // the connection is of that pool

	mu   sync.Mutex
	conn *sizedConn // that the request uses; nil: not known
}

// sizedConn is a connection of the pool for windows. It belongs to one request at a time.
type sizedConn struct {
	*net.TCPConn
	size int // to which its buffer was last set, in bytes; 0: never, so the system sizes it
}

// sized dials connections of the pool for windows.
func sized(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
			return &sizedConn{TCPConn: tcp}, nil
		}
		return conn, err
	}
}

// newWindow asks want, which may be nil for never, whether this request is to be bounded.
func newWindow(want func() int) *window {
	return &window{want: want, bounded: want != nil && want() > 0}
}

// adjust sets the size if another one is wanted. A system that refuses lets the server run ahead, no more.
func (w *window) adjust() {
	if !w.bounded {
		return
	}
	size := w.want()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn == nil {
		return
	}
	if size <= 0 || size > MostWindow { // no bound is wanted
		if w.conn.size == 0 {
			return
		}
		size = MostWindow // the nearest to it that can be had
	}
	if size != w.conn.size {
		w.conn.size = size
		_ = w.conn.SetReadBuffer(size)
	}
}

// trace makes the window learn which connection a request uses, and the mirror how far away its server is.
func (s *Source) trace(ctx context.Context, m *mirror, w *window) context.Context {
	var mu sync.Mutex // several addresses may be tried at once
	began := map[string]time.Time{}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		ConnectStart: func(_, address string) {
			mu.Lock()
			defer mu.Unlock()
			began[address] = time.Now()
		},
		ConnectDone: func(_, address string, err error) {
			mu.Lock()
			took := time.Since(began[address])
			mu.Unlock()
			if err == nil {
				s.connected(m, took)
			}
		},
		GotConn: func(info httptrace.GotConnInfo) {
			w.mu.Lock()
			w.conn = sizedOf(info.Conn)
			w.mu.Unlock()
			w.adjust()
		},
	})
}

// sizedOf is the connection below TLS, if it is one of the pool for windows.
func sizedOf(c net.Conn) *sizedConn {
	for {
		switch layer := c.(type) {
		case *sizedConn:
			return layer
		case interface{ NetConn() net.Conn }:
			c = layer.NetConn()
		default:
			return nil
		}
	}
}

// connected notes how long a connection took to come up, which is one round trip (RFC 9293 section 3.5).
func (s *Source) connected(m *mirror, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.rtt == 0 || took < m.rtt {
		m.rtt = took
	}
}

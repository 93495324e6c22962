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

// window keeps what a server may have under way on one connection as small as the caller wants it. It does so by the
// connection's receive buffer, which TCP tells the server of.
type window struct {
	want func() int // nil: never
	size int        // that was last set

	mu   sync.Mutex
	conn *net.TCPConn // that the request uses; nil: not known
}

// wanted is what the caller wants now; 0: as large as the system likes.
func (w *window) wanted() int {
	if w.want == nil {
		return 0
	}
	return min(w.want(), MostWindow)
}

// adjust sets the size if another one is wanted. A system that refuses is less smooth, no more. A connection whose size was set keeps it:
// systems do not go back to sizes of their own.
func (w *window) adjust() {
	size := w.wanted()
	if size <= 0 || size == w.size {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		w.size = size
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
			w.conn = tcpOf(info.Conn)
			w.mu.Unlock()
			w.adjust()
		},
	})
}

// tcpOf is the TCP connection below TLS.
func tcpOf(c net.Conn) *net.TCPConn {
	for {
		switch layer := c.(type) {
		case *net.TCPConn:
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

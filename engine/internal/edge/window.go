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

// window keeps what a server may have under way for one request as small as the caller wants it. It does so by the
// connection's receive buffer, which TCP tells the server of. A buffer whose size was set keeps it, since systems do not go back to
// sizes of their own; so only connections of the pool for that are ever touched, and whether a request uses one is decided before it is sent.
type window struct {
	want    func() int
	bounded bool // the connection is of that pool
	size    int  // that was last set

	mu   sync.Mutex
	conn *net.TCPConn // that the request uses; nil: not known
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
	size := min(w.want(), MostWindow)
	if size <= 0 { // no bound is wanted any more: the nearest to it, until the next request
		size = MostWindow
	}
	if size == w.size {
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

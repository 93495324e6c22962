package arena

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/app/lab"
	"github.com/tributary-dl/tributary/app/scenario"
)

// front stands before the edge, under its address and certificate, and breaks what the scenario wants broken: only
// requests for the object's bytes, so that grants and sessions go on. It is what a tired disk, a full server or
// a broken load balancer does.
type front struct {
	server  *http.Server
	serving sync.WaitGroup

	mu      sync.Mutex
	trouble string        // one of the scenario's Do constants; "" while all is well
	begins  chan struct{} // closed when trouble begins
	conns   map[net.Conn]bool
}

// openFront listens at the edge's port and hands everything to where the real edge listens.
func openFront(edge *lab.Host, certificate, behind string) (*front, error) {
	pair, err := tls.LoadX509KeyPair(certificate, certificate)
	if err != nil {
		return nil, fmt.Errorf("certificate of the edge: %w", err)
	}
	l, err := edge.Listen(edgePort)
	if err != nil {
		return nil, fmt.Errorf("open front: %w", err)
	}
	f := &front{begins: make(chan struct{}), conns: map[net.Conn]bool{}}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "https", Host: behind})
	proxy.Transport = &http.Transport{
		Dial: func(_, address string) (net.Conn, error) { return edge.Dial(address) }, //nolint:staticcheck // no context is needed to dial a neighbour
		// The hop is within this machine; the certificate is checked by those who come from outside.
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		MaxIdleConnsPerHost: 64,
	}
	f.server = &http.Server{
		Handler:           f.breaking(proxy),
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}},
		ReadHeaderTimeout: 10 * time.Second,
		ConnState:         f.follow,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // broken answers are what is wanted
	}
	proxy.ErrorLog = f.server.ErrorLog
	f.serving.Go(func() { _ = f.server.ServeTLS(l, "", "") }) // ends with close
	return f, nil
}

func (f *front) close() {
	_ = f.server.Close() // its only error is the listener's, which is gone either way
	f.serving.Wait()
}

// breakWith begins a trouble, which stays.
func (f *front) breakWith(trouble string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trouble = trouble
	close(f.begins)
	if trouble == scenario.DoEdgeReset {
		for c := range f.conns {
			reset(c)
		}
	}
}

func (f *front) state() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.trouble
}

// follow knows the connections, and resets new ones once that is the trouble.
func (f *front) follow(c net.Conn, state http.ConnState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch state {
	case http.StateNew:
		f.conns[c] = true
		if f.trouble == scenario.DoEdgeReset {
			reset(c)
		}
	case http.StateClosed, http.StateHijacked:
		delete(f.conns, c)
	}
}

// reset ends a connection with RST instead of FIN.
func reset(c net.Conn) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // its only error is that the connection is closed, which is what is wanted
	}
	c.Close()
}

// breaking puts the trouble before requests for the object.
func (f *front) breaking(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/.") { // grants, manifests
			next.ServeHTTP(w, r)
			return
		}
		if f.state() == scenario.DoEdge503 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(&brokenWriter{ResponseWriter: w, front: f, request: r}, r)
	})
}

// brokenWriter is an answer under way when trouble may begin.
type brokenWriter struct {
	http.ResponseWriter
	front   *front
	request *http.Request
}

var errBroken = errors.New("the scenario broke the edge")

func (w *brokenWriter) Write(b []byte) (int, error) {
	select {
	case <-w.front.begins:
	default:
		return w.ResponseWriter.Write(b)
	}
	if w.front.state() != scenario.DoEdgeTrickle {
		return 0, errBroken // the proxy breaks the answer off
	}
	for n := range b {
		if err := pause(w.request.Context(), time.Second); err != nil {
			return n, err
		}
		if _, err := w.ResponseWriter.Write(b[n : n+1]); err != nil {
			return n, err
		}
		_ = http.NewResponseController(w.ResponseWriter).Flush() // if it cannot be flushed, it comes even later
	}
	return len(b), nil
}

// Unwrap lets the proxy flush.
func (w *brokenWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

package session

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

// pipeListener is a network of one server, inside a bubble.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.done); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return newRoomy(near), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// roomy is an end of a pipe whose writes do not wait for the reader, as on a network. Without it both ends' farewells
// would wait for each other, and in a bubble, where somebody waits for a lock meanwhile, time would stand still.
type roomy struct {
	net.Conn
	writes chan []byte
	closed chan struct{}
	once   sync.Once
}

func newRoomy(c net.Conn) *roomy {
	r := &roomy{Conn: c, writes: make(chan []byte, 64), closed: make(chan struct{})}
	go func() {
		for {
			select {
			case b := <-r.writes:
				_, _ = c.Write(b) // it fails only when the pipe is closed, which closes r too
			case <-r.closed:
				return
			}
		}
	}()
	return r
}

func (r *roomy) Write(b []byte) (int, error) {
	select {
	case r.writes <- bytes.Clone(b):
		return len(b), nil
	case <-r.closed:
		return 0, net.ErrClosed
	}
}

func (r *roomy) Close() error {
	r.once.Do(func() { close(r.closed) })
	return r.Conn.Close()
}

// A node that dies without a word leaves a connection that looks alive. Only silence tells.
func TestSilentNodeIsGivenUp(t *testing.T) {
	borrowed := httptest.NewTLSServer(nil) // for its certificate; real sockets stay outside the bubble
	borrowed.Close()
	for _, test := range []struct {
		name  string
		pings int // each after protocol.KeepAlive
		lives time.Duration
	}{
		{"silent from the start", 0, silence},
		{"silent after two pings", 2, 2*protocol.KeepAlive + silence},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { silentNode(t, borrowed, test.pings, test.lives) })
		})
	}
}

func silentNode(t *testing.T, borrowed *httptest.Server, pings int, lives time.Duration) {
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	logins := make(chan time.Time, 10)
	server := &http.Server{
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{protocol.Subprotocol}})
			if err != nil {
				return
			}
			defer ws.CloseNow()
			if _, _, err := ws.Read(ctx); err != nil {
				return
			}
			data, _ := proto.Marshal(&wire.NodeMessage{Body: &wire.NodeMessage_Welcome{Welcome: &wire.Welcome{AnnounceIntervalS: 3600}}})
			ws.Write(ctx, websocket.MessageBinary, data)
			logins <- time.Now()
			closed := ws.CloseRead(ctx)
			for range pings {
				select {
				case <-time.After(protocol.KeepAlive): // the rhythm of a node that lives
					ws.Ping(ctx)
				case <-ctx.Done():
				}
			}
			<-closed.Done()
		}),
	}
	certificate := &tls.Config{Certificates: borrowed.TLS.Certificates, MinVersion: tls.VersionTLS13}
	served := make(chan error, 1)
	go func() { served <- server.Serve(tls.NewListener(l, certificate)) }()

	h := newHeard()
	s := New(Config{
		URL: borrowed.URL, Key: key, Roots: borrowed.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, Dial: l.dial,
		Log: slog.New(slog.DiscardHandler), Login: func() LoginInfo { return LoginInfo{} }, Handler: h,
	})
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()

	first := <-logins
	again := <-logins
	// The session lives exactly that long; then comes the back-off: nothing after a lasting session.
	if got := again.Sub(first); got < lives || got > lives+firstRetry {
		t.Errorf("connected again after %v; want %v", got, lives)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	server.Close()
	<-served
}

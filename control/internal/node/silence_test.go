package node

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"github.com/tributary-dl/tributary/control/internal/directory"
	"github.com/tributary-dl/tributary/control/internal/ledger"
	"github.com/tributary-dl/tributary/control/internal/selection"
	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

// addressed is a pipe that has an address, as the node wants to know one.
type addressed struct{ net.Conn }

func (addressed) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 7} }

// oneConnection is a listener that accepts what it is given.
type oneConnection struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *oneConnection) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *oneConnection) Close() error   { close(l.done); return nil }
func (l *oneConnection) Addr() net.Addr { return &net.TCPAddr{} }

// inBubble runs a node and one WebSocket to it, over pipes and in fake time.
func inBubble(t *testing.T, run func(t *testing.T, n *Node, ws *websocket.Conn)) {
	borrowed := httptest.NewTLSServer(nil) // for its certificate; real sockets stay outside the bubble
	borrowed.Close()
	l, err := ledger.Open(filepath.Join(t.TempDir(), ledger.FileName))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := newDevice(t, "anna")
	synctest.Test(t, func(t *testing.T) {
		n := New(Config{Directory: directory.New(), Ledger: l, Network: selection.ByPrefix, Known: published, Log: slog.New(slog.DiscardHandler)})
		listener := &oneConnection{conns: make(chan net.Conn), done: make(chan struct{})}
		server := &http.Server{Handler: n, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
		served := make(chan error, 1)
		config := &tls.Config{Certificates: borrowed.TLS.Certificates, ClientAuth: tls.RequestClientCert}
		go func() { served <- server.Serve(tls.NewListener(listener, config)) }()

		roots := x509.NewCertPool()
		roots.AddCert(borrowed.Certificate())
		transport := &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{d.certificate()}},
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				listener.conns <- addressed{far}
				return near, nil
			},
		}
		ws, _, err := websocket.Dial(t.Context(), borrowed.URL+protocol.SessionPath, &websocket.DialOptions{
			HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{protocol.Subprotocol},
		})
		if err != nil {
			t.Fatal(err)
		}
		run(t, n, ws)
		ws.CloseNow()
		if err := n.Close(t.Context()); err != nil {
			t.Error(err)
		}
		server.Close()
		<-served
	})
}

func TestClientThatDoesNotLogInIsDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, n *Node, ws *websocket.Conn) {
		began := time.Now()
		if _, _, err := ws.Read(t.Context()); err == nil {
			t.Error("the node sent something")
		}
		if waited := time.Since(began); waited != loginDeadline {
			t.Errorf("dropped after %v; want %v", waited, loginDeadline)
		}
	})
}

func TestSilentClientIsDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, n *Node, ws *websocket.Conn) {
		data, _ := proto.Marshal(&wire.ClientMessage{Body: &wire.ClientMessage_Login{Login: &wire.Login{Version: 1, SecondaryGuids: [][]byte{make([]byte, 16)}}}})
		if err := ws.Write(t.Context(), websocket.MessageBinary, data); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ws.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		// Who does not read does not see pings, and so does not answer them.
		time.Sleep(protocol.KeepAlive - time.Millisecond) // fake time
		synctest.Wait()
		if n.Sessions() != 1 {
			t.Error("dropped too early")
		}
		time.Sleep(writeDeadline + 2*time.Millisecond)
		synctest.Wait()
		if n.Sessions() != 0 {
			t.Error("a client that answers no pings is still there")
		}
	})
}

// Whatever a client sends, the node obeys, refuses or ends that session; it never falls over.
func FuzzObey(f *testing.F) {
	l, err := ledger.Open(filepath.Join(f.TempDir(), ledger.FileName))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { l.Close() })
	public, _, _ := ed25519.GenerateKey(nil)
	n := New(Config{Directory: directory.New(), Ledger: l, GrantKeys: []ed25519.PublicKey{public}, Network: selection.ByPrefix, Known: published, Log: slog.New(slog.DiscardHandler)})
	f.Cleanup(func() { n.Close(context.Background()) })
	for _, m := range []*wire.ClientMessage{
		{Body: &wire.ClientMessage_Announce{Announce: &wire.Announce{Holdings: []*wire.Announce_Holding{{Content: film[:], CompletePercent: 5}}}}},
		{Body: &wire.ClientMessage_Withdraw{Withdraw: &wire.Withdraw{Content: [][]byte{film[:]}}}},
		{Body: &wire.ClientMessage_Lookup{Lookup: &wire.Lookup{Content: film[:], Grant: make([]byte, 200), Exclude: [][]byte{make([]byte, 16)}}}},
		{Body: &wire.ClientMessage_Signal{Signal: &wire.Signal{Introduction: make([]byte, 16), Candidates: []string{"c"}}}},
		{Body: &wire.ClientMessage_Report{Report: &wire.Report{Content: film[:], Download: make([]byte, 16)}}},
		{Body: &wire.ClientMessage_Update{Update: &wire.Update{LocalAddress: "192.168.1.1:5"}}},
	} {
		data, _ := proto.Marshal(m)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		message := &wire.ClientMessage{}
		if proto.Unmarshal(data, message) != nil {
			return
		}
		s := newSession(n, nil, nil, protocol.DeviceKey{1}, netip.MustParseAddrPort("192.0.2.1:7"), false)
		s.out.writing = true // nobody takes what it is sent
		s.holder = directory.NewHolder(selection.End{Peer: s.peer})
		s.setLocalAddress("")
		s.obey(message)
		n.cfg.Directory.Leave(s.holder)
		if objects, _ := n.cfg.Directory.Size(); objects != 0 {
			t.Error("the session left something in the directory")
		}
	})
}

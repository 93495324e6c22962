package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

const (
	loginDeadline = 20 * time.Second // as the service has it
	firstRetry    = time.Second
	maxRetry      = time.Minute
	networks      = 40 // that the crowd comes from
)

// client is one device. After the loss of its session it comes back as the service does: after a random part of the
// window that the node gave it, and after failures a back-off with full jitter.
type client struct {
	crowd   *crowd
	random  *mrand.Rand // of its goroutine only
	address net.IP      // it connects from
	key     ed25519.PrivateKey
	start   [16]byte // secondary GUID
	http    *http.Client
	mine    []int // numbers of the objects that it holds, drawn as needed
	choice  *mrand.Rand
	wanted  protocol.ContentID
	grant   []byte

	loggedIn chan struct{} // closed at the first login

	// One question is asked at a time.
	number  uint32                 // of the last look-up
	asked   atomic.Uint32          // the number of the question that waits for an answer
	answers chan *wire.NodeMessage // Found or Refused

	mu       sync.Mutex
	ws       *websocket.Conn // nil while there is no session
	epoch    uint64          // of the node that it had a session with last
	lost     time.Time
	back     chan struct{} // closed when a session begins
	away     time.Duration // that it was without, the last time
	window   time.Duration // of the last Welcome
	failures int
}

func newClient(c *crowd, number int) *client {
	one := &client{
		crowd: c, random: chance(number), choice: chance(-1 - number),
		loggedIn: make(chan struct{}), back: make(chan struct{}), answers: make(chan *wire.NodeMessage, 1),
	}
	// Every device lives in a block of addresses of its own (of 256), a network is a block of 65536.
	one.address = net.IPv4(127, byte(1+one.random.IntN(networks)), byte(number%250), byte(1+number/250%250))
	_, one.key, _ = ed25519.GenerateKey(rand.Reader) // never fails
	rand.Read(one.start[:])
	one.wanted = c.object(one.random.IntN(c.objects))
	return one
}

// object is the k-th object that the client holds.
func (one *client) object(k int) protocol.ContentID {
	for len(one.mine) <= k {
		one.mine = append(one.mine, one.choice.IntN(one.crowd.objects))
	}
	return one.crowd.object(one.mine[k])
}

// live holds a session until ctx ends.
func (one *client) live(ctx context.Context) {
	for {
		err := one.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			one.crowd.counts.failed.Add(1)
		}
		select {
		case <-time.After(one.pause()):
		case <-ctx.Done():
			return
		}
	}
}

// pause is how long to wait before the next attempt.
func (one *client) pause() time.Duration {
	one.mu.Lock()
	defer one.mu.Unlock()
	wait := time.Duration(one.random.Float64() * float64(one.window))
	one.window = 0
	if one.failures > 0 {
		wait += time.Duration(one.random.Float64() * float64(min(maxRetry, firstRetry<<min(one.failures-1, 10))))
	}
	one.failures++
	return wait
}

// session logs in and reads until the session is lost. An error says that there was none.
func (one *client) session(ctx context.Context) error {
	login, cancel := context.WithTimeout(ctx, loginDeadline)
	defer cancel()
	ws, welcome, err := one.logIn(login)
	if err != nil {
		return err
	}
	defer ws.CloseNow()
	one.begins(ws, welcome)
	defer one.ends()
	for {
		_, data, err := ws.Read(ctx)
		if err != nil {
			return nil // there was a session; how it ended makes no difference
		}
		if err := one.take(ctx, data); err != nil {
			return nil // as above
		}
	}
}

func (one *client) begins(ws *websocket.Conn, w *wire.Welcome) {
	one.mu.Lock()
	defer one.mu.Unlock()
	one.ws, one.epoch, one.failures = ws, w.Epoch, 0
	one.window = time.Duration(w.ReconnectWindowMs) * time.Millisecond
	if one.lost.IsZero() {
		close(one.loggedIn)
	} else {
		one.away = time.Since(one.lost)
	}
	close(one.back)
	one.back = make(chan struct{})
}

func (one *client) ends() {
	one.mu.Lock()
	defer one.mu.Unlock()
	one.ws, one.lost = nil, time.Now()
}

// returned waits for a session of another epoch than the one given, and tells how long the client was without.
func (one *client) returned(ctx context.Context, old uint64) (away time.Duration, epoch uint64, err error) {
	for {
		one.mu.Lock()
		away, epoch, back := one.away, one.epoch, one.back
		one.mu.Unlock()
		if epoch != old {
			return away, epoch, nil
		}
		select {
		case <-back:
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
}

func (one *client) logIn(ctx context.Context) (*websocket.Conn, *wire.Welcome, error) {
	client, err := one.httpClient()
	if err != nil {
		return nil, nil, err
	}
	ws, _, err := websocket.Dial(ctx, one.crowd.url+protocol.SessionPath, &websocket.DialOptions{ //nolint:bodyclose // the library closes it
		HTTPClient: client, Subprotocols: []string{protocol.Subprotocol},
	})
	if err != nil {
		return nil, nil, err
	}
	ws.SetReadLimit(protocol.MaxMessage)
	welcome, err := one.introduceItself(ctx, ws)
	if err != nil {
		ws.CloseNow()
		return nil, nil, err
	}
	return ws, welcome, nil
}

func (one *client) introduceItself(ctx context.Context, ws *websocket.Conn) (*wire.Welcome, error) {
	err := write(ctx, ws, &wire.ClientMessage{Body: &wire.ClientMessage_Login{Login: &wire.Login{
		Version: protocol.Version, Software: "load/1 linux/amd64", Sharing: wire.Sharing_SHARING_ON,
		Nat: wire.NatKind_NAT_ENDPOINT_INDEPENDENT, LocalAddress: "192.168.1.10:40000", SecondaryGuids: [][]byte{one.start[:]},
	}}})
	if err != nil {
		return nil, err
	}
	_, data, err := ws.Read(ctx)
	if err != nil {
		return nil, err
	}
	message := &wire.NodeMessage{}
	if err := proto.Unmarshal(data, message); err != nil {
		return nil, err
	}
	if message.GetWelcome() == nil {
		return nil, fmt.Errorf("the login was answered with %v", message)
	}
	return message.GetWelcome(), nil
}

// httpClient connects from the client's address with its key. It is made once.
func (one *client) httpClient() (*http.Client, error) {
	if one.http != nil {
		return one.http, nil
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, one.key.Public(), one.key)
	if err != nil {
		return nil, err
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: one.address}}
	one.http = &http.Client{Transport: &http.Transport{
		DialContext: dialer.DialContext, DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS13, RootCAs: one.crowd.roots, NextProtos: []string{"http/1.1"},
			Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: one.key}},
		},
	}}
	return one.http, nil
}

var errNoSession = errors.New("a session was lost while it was measured")

func (one *client) send(ctx context.Context, message *wire.ClientMessage) error {
	one.mu.Lock()
	ws := one.ws
	one.mu.Unlock()
	if ws == nil {
		return errNoSession
	}
	return write(ctx, ws, message)
}

func write(ctx context.Context, ws *websocket.Conn, message *wire.ClientMessage) error {
	data, err := proto.Marshal(message)
	if err != nil {
		return err
	}
	return ws.Write(ctx, websocket.MessageBinary, data)
}

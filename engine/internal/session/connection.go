package session

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
	"github.com/tributary-dl/tributary/engine/internal/identity"
)

const (
	loginDeadline = 20 * time.Second // from the dial to the Welcome
	writeDeadline = 10 * time.Second
	silence       = 3 * protocol.KeepAlive // after which the node is taken for dead
	// bulkPause lies between two messages that nobody waits for, so that neither a long list of holdings
	// nor many reports keep the node from serving others.
	bulkPause = 100 * time.Millisecond
)

// dialer opens connections to the node.
type dialer struct {
	url       string
	transport *http.Transport
}

func newDialer(cfg Config) (*dialer, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("control plane's address: %w", err)
	}
	if base.Scheme != "https" || base.Host == "" {
		return nil, fmt.Errorf("control plane's address %q is not an https URL", base.Redacted())
	}
	certificate, err := identity.DeviceCertificate(cfg.Key)
	if err != nil {
		return nil, err
	}
	return &dialer{
		url: base.JoinPath(protocol.SessionPath).String(),
		transport: &http.Transport{
			DialContext: cfg.Dial, Proxy: cfg.Proxy, DisableKeepAlives: true,
			TLSClientConfig: &tls.Config{
				MinVersion: tls.VersionTLS13, RootCAs: cfg.Roots, Certificates: []tls.Certificate{certificate},
				NextProtos: []string{"http/1.1"}, // a WebSocket upgrades HTTP/1.1
			},
		},
	}, nil
}

// connection is one WebSocket while it lives.
type connection struct {
	session *Session
	ws      *websocket.Conn
	alive   *time.Timer // cuts the connection off when it fires
}

// connect logs in and serves the connection until it is lost. window is the node's reconnect window,
// zero if the login did not get through.
func (s *Session) connect(ctx context.Context, d *dialer) (window time.Duration, err error) {
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	c := &connection{session: s, alive: time.AfterFunc(loginDeadline, func() { cut(errSilent) })}
	defer c.alive.Stop()
	defer func() {
		if errors.Is(context.Cause(ctx), errSilent) {
			err = errSilent
		}
	}()
	c.ws, _, err = websocket.Dial(ctx, d.url, &websocket.DialOptions{ //nolint:bodyclose // the library closes it
		HTTPClient:     &http.Client{Transport: d.transport, CheckRedirect: refuseRedirect},
		Subprotocols:   []string{protocol.Subprotocol},
		OnPingReceived: func(context.Context, []byte) bool { c.heard(); return true },
	})
	if err != nil {
		return 0, fmt.Errorf("connect to %s: %w", d.url, err)
	}
	defer c.ws.CloseNow()
	c.ws.SetReadLimit(protocol.MaxMessage)
	welcome, err := c.login(ctx)
	if err != nil {
		return 0, fmt.Errorf("log in: %w", err)
	}
	c.heard()
	w := welcomeFrom(welcome)
	window = time.Duration(welcome.ReconnectWindowMs) * time.Millisecond
	s.connected(w)
	s.cfg.Log.Info("session with the control plane", "url", d.url, "edge_only", w.EdgeOnly)
	s.cfg.Handler.Welcomed(w)

	var writer sync.WaitGroup
	defer writer.Wait()
	defer cut(nil)
	writer.Go(func() {
		interval := max(time.Duration(welcome.AnnounceIntervalS)*time.Second, time.Minute)
		cut(c.write(ctx, interval))
	})
	err = c.read(ctx)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	return window, err
}

var errSilent = errors.New("the node is silent")

func refuseRedirect(*http.Request, []*http.Request) error {
	return errors.New("a control plane must not redirect")
}

// heard puts off the end of patience.
func (c *connection) heard() { c.alive.Reset(silence) }

func (c *connection) login(ctx context.Context) (*wire.Welcome, error) {
	info := c.session.cfg.Login()
	l := &wire.Login{
		Version: protocol.Version, Software: c.session.cfg.Software,
		Sharing: wire.Sharing(info.Sharing), Nat: wire.NatKind(info.NAT), LocalAddress: addressText(info.LocalAddress),
	}
	for _, start := range info.Starts {
		l.SecondaryGuids = append(l.SecondaryGuids, start[:])
	}
	if err := c.send(ctx, &wire.ClientMessage{Body: &wire.ClientMessage_Login{Login: l}}); err != nil {
		return nil, err
	}
	message, err := c.next(ctx)
	if err != nil {
		return nil, err
	}
	if r := message.GetRefused(); r != nil {
		return nil, refusedFrom(r)
	}
	if message.GetWelcome() == nil {
		return nil, errors.New("the node did not answer the login")
	}
	return message.GetWelcome(), nil
}

func (c *connection) next(ctx context.Context) (*wire.NodeMessage, error) {
	kind, data, err := c.ws.Read(ctx)
	if err != nil {
		return nil, err
	}
	if kind != websocket.MessageBinary {
		return nil, errors.New("a message of the node is not binary")
	}
	message := &wire.NodeMessage{}
	if err := proto.Unmarshal(data, message); err != nil {
		return nil, fmt.Errorf("decode message of the node: %w", err)
	}
	return message, nil
}

func (c *connection) send(ctx context.Context, message *wire.ClientMessage) error {
	data, err := proto.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, writeDeadline)
	defer cancel()
	return c.ws.Write(ctx, websocket.MessageBinary, data)
}

func (c *connection) read(ctx context.Context) error {
	for {
		message, err := c.next(ctx)
		if err != nil {
			return err
		}
		c.heard()
		if err := c.session.take(message); err != nil {
			return err
		}
	}
}

// write sends what there is to send until it fails: what somebody waits for at once, the rest in turn.
func (c *connection) write(ctx context.Context, interval time.Duration) error {
	repeat := time.NewTimer(jittered(interval, rand.Float64))
	defer repeat.Stop()
	var nextBulk time.Time
	for {
		var bulk <-chan time.Time // never ready while there is nothing to send
		if c.session.hasBulk() {
			bulk = time.After(time.Until(nextBulk))
		}
		var messages []*wire.ClientMessage
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-repeat.C:
			c.session.relist()
			repeat.Reset(jittered(interval, rand.Float64))
		case <-c.session.wake:
			messages = c.session.takeUrgent()
		case <-bulk:
			messages = c.session.takeBulk()
			nextBulk = time.Now().Add(bulkPause)
		}
		for _, message := range messages {
			if err := c.send(ctx, message); err != nil {
				return err
			}
		}
	}
}

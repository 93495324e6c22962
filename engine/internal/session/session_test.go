package session

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
	"github.com/tributary-dl/tributary/engine/internal/identity"
)

// fakeNode accepts sessions over real TLS and lets the test be the node: the real one lives in a program
// that this module's engine may not import.
type fakeNode struct {
	t        *testing.T
	server   *httptest.Server
	sessions chan *nodeEnd
}

// nodeEnd is the node's end of one session.
type nodeEnd struct {
	t   *testing.T
	ws  *websocket.Conn
	key ed25519.PublicKey
}

func newFakeNode(t *testing.T) *fakeNode {
	n := &fakeNode{t: t, sessions: make(chan *nodeEnd)}
	n.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{protocol.Subprotocol}})
		if err != nil || r.URL.Path != protocol.SessionPath {
			return
		}
		key, _ := r.TLS.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
		select {
		case n.sessions <- &nodeEnd{t: t, ws: ws, key: key}:
		case <-t.Context().Done():
		}
	}))
	n.server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}
	n.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	n.server.StartTLS()
	t.Cleanup(n.server.Close)
	return n
}

func (n *fakeNode) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(n.server.Certificate())
	return pool
}

// next waits for a session and answers its login.
func (n *fakeNode) next(w *wire.Welcome) (*nodeEnd, *wire.Login) {
	n.t.Helper()
	select {
	case e := <-n.sessions:
		login := receive[*wire.ClientMessage_Login](e).Login
		e.send(&wire.NodeMessage{Body: &wire.NodeMessage_Welcome{Welcome: w}})
		return e, login
	case <-time.After(20 * time.Second):
		n.t.Fatal("no session")
		return nil, nil
	}
}

func (e *nodeEnd) send(m *wire.NodeMessage) {
	e.t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		e.t.Fatal(err)
	}
	if err := e.ws.Write(e.t.Context(), websocket.MessageBinary, data); err != nil {
		e.t.Fatal(err)
	}
}

// receive receives one message, which must be of type T.
func receive[T any](e *nodeEnd) T {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), 20*time.Second)
	defer cancel()
	_, data, err := e.ws.Read(ctx)
	if err != nil {
		e.t.Fatalf("receive: %v", err)
	}
	m := &wire.ClientMessage{}
	if err := proto.Unmarshal(data, m); err != nil {
		e.t.Fatal(err)
	}
	body, ok := any(m.Body).(T)
	if !ok {
		e.t.Fatalf("received %v; want a %T", m, body)
	}
	return body
}

// heard is a Handler that passes on what it is told.
type heard struct {
	welcomes      chan Welcome
	introductions chan Introduction
	signals       chan Signal
	pushes        chan Push
}

func newHeard() heard {
	return heard{make(chan Welcome, 10), make(chan Introduction, 10), make(chan Signal, 10), make(chan Push, 10)}
}

func (h heard) Welcomed(w Welcome)        { h.welcomes <- w }
func (h heard) Introduced(i Introduction) { h.introductions <- i }
func (h heard) Signalled(s Signal)        { h.signals <- s }
func (h heard) Pushed(p Push)             { h.pushes <- p }

var (
	key   = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32))
	start = identity.SecondaryGUID{1, 2}
	film  = protocol.ContentID{1}
	song  = protocol.ContentID{2}
)

// run starts a session with the node and ends it with the test.
func run(t *testing.T, n *fakeNode, h heard, change func(*Config)) *Session {
	t.Helper()
	cfg := Config{
		URL: n.server.URL, Key: key, Roots: n.roots(), Software: "test", Handler: h, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Login: func() LoginInfo {
			return LoginInfo{Sharing: SharingOn, NAT: NATSymmetric, Starts: []identity.SecondaryGUID{start}, LocalAddress: netip.MustParseAddrPort("192.168.0.2:5")}
		},
	}
	if change != nil {
		change(&cfg)
	}
	s := New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
	return s
}

func welcome() *wire.Welcome {
	return &wire.Welcome{Epoch: 3, AnnounceIntervalS: 3600, PublicAddress: "192.0.2.1:99", Stun: []string{"a:1", "a:2"}}
}

func TestLoginProvesTheDeviceKeyAndTellsTheSituation(t *testing.T) {
	n, h := newFakeNode(t), newHeard()
	s := run(t, n, h, nil)
	e, login := n.next(welcome())
	if !e.key.Equal(key.Public()) {
		t.Error("the certificate does not carry the device key")
	}
	if login.Version != protocol.Version || login.Sharing != wire.Sharing_SHARING_ON || login.Nat != wire.NatKind_NAT_SYMMETRIC ||
		len(login.SecondaryGuids) != 1 || !bytes.Equal(login.SecondaryGuids[0], start[:]) || login.LocalAddress != "192.168.0.2:5" {
		t.Errorf("login = %v", login)
	}
	w := <-h.welcomes
	if w.Epoch != 3 || w.PublicAddress != netip.MustParseAddrPort("192.0.2.1:99") || !slices.Equal(w.STUN, []string{"a:1", "a:2"}) {
		t.Errorf("welcome = %+v", w)
	}
	if st := s.Status(); !st.Connected || st.Err != nil {
		t.Errorf("status = %+v", st)
	}
}

func TestHoldingsAreAnnouncedAgainAfterAReconnect(t *testing.T) {
	n, h := newFakeNode(t), newHeard()
	s := run(t, n, h, nil)
	s.Announce(film, 100)
	e, _ := n.next(welcome())
	if got := announced(e); !slices.Equal(got, []protocol.ContentID{film}) {
		t.Fatalf("announced %v", got)
	}
	s.Announce(song, 0)
	if got := announced(e); !slices.Equal(got, []protocol.ContentID{song}) {
		t.Fatalf("announced %v; want only what is new", got)
	}
	s.Withdraw(film)
	if w := receive[*wire.ClientMessage_Withdraw](e).Withdraw; len(w.Content) != 1 || !bytes.Equal(w.Content[0], film[:]) {
		t.Fatalf("withdrew %v", w)
	}
	e.send(&wire.NodeMessage{Body: &wire.NodeMessage_Relist{Relist: &wire.Relist{Epoch: 4}}})
	if got := announced(e); !slices.Equal(got, []protocol.ContentID{song}) {
		t.Fatalf("after Relist announced %v", got)
	}
	e.ws.CloseNow()
	e, _ = n.next(welcome())
	if got := announced(e); !slices.Equal(got, []protocol.ContentID{song}) {
		t.Fatalf("after a reconnect announced %v", got)
	}
}

func announced(e *nodeEnd) (contents []protocol.ContentID) {
	e.t.Helper()
	for _, h := range receive[*wire.ClientMessage_Announce](e).Announce.Holdings {
		contents = append(contents, protocol.ContentID(h.Content))
	}
	return contents
}

func TestLookupIsAnswered(t *testing.T) {
	n, h := newFakeNode(t), newHeard()
	s := run(t, n, h, nil)
	e, _ := n.next(welcome())
	<-h.welcomes
	exclude := PeerID{7}
	type result struct {
		found Found
		err   error
	}
	lookup := func() chan result {
		c := make(chan result, 1)
		go func() {
			f, err := s.Lookup(t.Context(), film, []byte("grant"), 500, []PeerID{exclude})
			c <- result{f, err}
		}()
		return c
	}
	got := lookup()
	asked := receive[*wire.ClientMessage_Lookup](e).Lookup
	if !bytes.Equal(asked.Content, film[:]) || string(asked.Grant) != "grant" || asked.Want != protocol.MaxPeers || !bytes.Equal(asked.Exclude[0], exclude[:]) {
		t.Errorf("look-up = %v", asked)
	}
	e.send(&wire.NodeMessage{Body: &wire.NodeMessage_Introduce{Introduce: &wire.Introduce{
		Introduction: make([]byte, 16), Content: film[:], PeerKey: key.Public().(ed25519.PublicKey), Peer: exclude[:],
		Controlling: true, PeerAddress: "192.0.2.9", PeerNat: wire.NatKind_NAT_OPEN, SamePublicAddress: true, PeerLocalAddress: "10.0.0.1:9",
	}}})
	e.send(&wire.NodeMessage{Body: &wire.NodeMessage_Found{Found: &wire.Found{Request: asked.Request, Introduced: 1, Holders: 5, RetryAfterS: 9}}})
	if r := <-got; r.err != nil || r.found != (Found{Introduced: 1, Holders: 5, RetryAfter: 9 * time.Second}) {
		t.Errorf("Lookup() = %+v", r)
	}
	in := <-h.introductions
	if !in.Controlling || in.PeerNAT != NATOpen || in.PeerAddress != netip.MustParseAddr("192.0.2.9") || in.PeerLocalAddress.Port() != 9 || in.Peer != exclude {
		t.Errorf("introduction = %+v", in)
	}

	got = lookup()
	asked = receive[*wire.ClientMessage_Lookup](e).Lookup
	e.send(&wire.NodeMessage{Body: &wire.NodeMessage_Refused{Refused: &wire.Refused{Request: asked.Request, Code: "busy", RetryAfterS: 5}}})
	r := <-got
	if refused, ok := errors.AsType[*RefusedError](r.err); !ok || refused.Code != "busy" || refused.RetryAfter != 5*time.Second {
		t.Errorf("Lookup() = %+v; want a refusal", r)
	}

	got = lookup()
	receive[*wire.ClientMessage_Lookup](e)
	e.ws.CloseNow()
	if r := <-got; !errors.Is(r.err, ErrDisconnected) {
		t.Errorf("Lookup() = %+v; want ErrDisconnected when the session is lost", r)
	}
	if _, err := s.Lookup(t.Context(), film, nil, 1, nil); !errors.Is(err, ErrDisconnected) {
		t.Errorf("Lookup() = %v; want ErrDisconnected at once", err)
	}
}

func TestSignalsAndPushesPass(t *testing.T) {
	n, h := newFakeNode(t), newHeard()
	s := run(t, n, h, nil)
	e, _ := n.next(welcome())
	<-h.welcomes
	id := IntroductionID{5}
	if err := s.Signal(Signal{Introduction: id, Ufrag: "u", Password: "p", Candidates: []string{"c"}}); err != nil {
		t.Fatal(err)
	}
	sent := receive[*wire.ClientMessage_Signal](e).Signal
	e.send(&wire.NodeMessage{Body: &wire.NodeMessage_Signal{Signal: sent}})
	if g := <-h.signals; g.Introduction != id || g.Ufrag != "u" || g.Password != "p" || len(g.Candidates) != 1 {
		t.Errorf("signal = %+v", g)
	}
	e.send(&wire.NodeMessage{Body: &wire.NodeMessage_Push{Push: &wire.Push{Notice: "hello", EdgeOnly: true}}})
	if p := <-h.pushes; p != (Push{Notice: "hello", EdgeOnly: true}) || !s.Status().Welcome.EdgeOnly {
		t.Errorf("push = %+v, status %+v", p, s.Status())
	}
	s.Relogin()
	if u := receive[*wire.ClientMessage_Update](e).Update; u.Sharing != wire.Sharing_SHARING_ON || u.Nat != wire.NatKind_NAT_SYMMETRIC {
		t.Errorf("update = %v", u)
	}
}

func TestReportIsRepeatedUntilItIsRecorded(t *testing.T) {
	n, h := newFakeNode(t), newHeard()
	s := run(t, n, h, nil)
	download := [16]byte{9}
	s.Report(Report{Content: film, Download: download, Sequence: 2, Edge: 20, Outcome: protocol.OutcomeCompleted})
	s.Report(Report{Content: film, Download: download, Sequence: 1, Edge: 10}) // late: must not win
	e, _ := n.next(welcome())
	if r := receive[*wire.ClientMessage_Report](e).Report; r.Sequence != 2 || r.EdgeBytes != 20 || r.Outcome != "completed" {
		t.Errorf("report = %v", r)
	}
	e.ws.CloseNow() // before it was confirmed
	e, _ = n.next(welcome())
	if r := receive[*wire.ClientMessage_Report](e).Report; r.Sequence != 2 {
		t.Errorf("report = %v", r)
	}
	e.send(&wire.NodeMessage{Body: &wire.NodeMessage_Recorded{Recorded: &wire.Recorded{Download: download[:], Sequence: 2}}})
	e.send(&wire.NodeMessage{Body: &wire.NodeMessage_Push{Push: &wire.Push{}}})
	<-h.pushes // so what came before it has been taken
	if st := s.Status(); st.PendingReports != 0 {
		t.Errorf("%d reports are pending", st.PendingReports)
	}
}

// A report that the node will never take must not be repeated for ever; one that it cannot store now must be.
func TestRefusedReportIsDropped(t *testing.T) {
	n, h := newFakeNode(t), newHeard()
	s := run(t, n, h, nil)
	download := [16]byte{9}
	s.Report(Report{Content: film, Download: download, Sequence: 2, Uploaded: -1, Reason: "\xff" + strings.Repeat("x", 1000)})
	e, _ := n.next(welcome())
	if r := receive[*wire.ClientMessage_Report](e).Report; r.Reason != strings.Repeat("x", maxReason) {
		t.Errorf("reason = %q", r.Reason)
	}
	pending := func(answer *wire.Refused) int {
		e.send(&wire.NodeMessage{Body: &wire.NodeMessage_Refused{Refused: answer}})
		e.send(&wire.NodeMessage{Body: &wire.NodeMessage_Push{Push: &wire.Push{}}})
		<-h.pushes // so what came before it has been taken
		return s.Status().PendingReports
	}
	for _, c := range []struct {
		name   string
		answer *wire.Refused
		want   int
	}{
		{"cannot be stored now", &wire.Refused{Code: "busy"}, 1},
		{"some message", &wire.Refused{Code: "invalid"}, 1},
		{"an earlier report", &wire.Refused{Code: "invalid", Download: download[:], Sequence: 1}, 1},
		{"another download's", &wire.Refused{Code: "invalid", Download: make([]byte, 16), Sequence: 2}, 1},
		{"this report", &wire.Refused{Code: "invalid", Download: download[:], Sequence: 2}, 0},
	} {
		if got := pending(c.answer); got != c.want {
			t.Errorf("%s is refused: %d reports are pending; want %d", c.name, got, c.want)
		}
	}
}

// A report that the node cannot take now is sent again when the node said, in the same session, and only the latest of it.
func TestBusyNodeHasTheReportAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{Log: slog.New(slog.DiscardHandler)})
		download := [16]byte{9}
		sent := func() (sequences []uint32) {
			for _, m := range s.takeBulk() {
				sequences = append(sequences, m.GetReport().GetSequence())
			}
			return sequences
		}
		busy := func(name [16]byte, seconds uint32) {
			if err := s.take(&wire.NodeMessage{Body: &wire.NodeMessage_Refused{Refused: &wire.Refused{Code: "busy", Download: name[:], RetryAfterS: seconds}}}); err != nil {
				t.Error(err)
			}
		}
		s.Report(Report{Content: film, Download: download, Sequence: 1})
		if got := sent(); !slices.Equal(got, []uint32{1}) {
			t.Fatalf("sent %v", got)
		}
		busy(download, 60)
		busy(download, 1) // does not make it sooner
		busy([16]byte{7}, 1)
		s.Report(Report{Content: film, Download: download, Sequence: 2})
		time.Sleep(59 * time.Second)
		if s.hasBulk() {
			t.Errorf("sent %v before the node wants it", sent())
		}
		time.Sleep(17 * time.Second)
		if got := sent(); !slices.Equal(got, []uint32{2}) {
			t.Errorf("sent %v after the node wants it", got)
		}
		if s.hasBulk() {
			t.Error("it is sent twice")
		}
		busy(download, 60)
		s.reportDone(download[:], 2) // by another session's answer
		time.Sleep(time.Hour)
		if s.hasBulk() {
			t.Error("a report that is recorded is sent again")
		}
	})
}

func TestNonsenseOfTheNodeEndsTheSession(t *testing.T) {
	n, h := newFakeNode(t), newHeard()
	run(t, n, h, nil)
	for _, nonsense := range []*wire.NodeMessage{
		{Body: &wire.NodeMessage_Introduce{Introduce: &wire.Introduce{Introduction: []byte{1}}}},
		{Body: &wire.NodeMessage_Signal{Signal: &wire.Signal{}}},
		{Body: &wire.NodeMessage_Recorded{Recorded: &wire.Recorded{Download: []byte{1}}}},
		{Body: &wire.NodeMessage_Refused{Refused: &wire.Refused{Code: "invalid", Download: []byte{1}}}},
	} {
		e, _ := n.next(welcome())
		e.send(nonsense)
		if _, _, err := e.ws.Read(t.Context()); err == nil {
			t.Error("the session went on")
		}
	}
	if len(h.introductions)+len(h.signals) != 0 {
		t.Error("nonsense reached the handler")
	}
}

func TestRefusedLoginShowsInTheStatus(t *testing.T) {
	n, h := newFakeNode(t), newHeard()
	s := run(t, n, h, nil)
	e := <-n.sessions
	receive[*wire.ClientMessage_Login](e)
	e.send(&wire.NodeMessage{Body: &wire.NodeMessage_Refused{Refused: &wire.Refused{Code: "unsupported_version"}}})
	e.ws.Close(websocket.StatusPolicyViolation, "")
	again := <-n.sessions // so the first attempt has been judged
	defer again.ws.CloseNow()
	if refused, ok := errors.AsType[*RefusedError](s.Status().Err); !ok || refused.Code != "unsupported_version" {
		t.Errorf("status = %+v", s.Status())
	}
}

func TestStrangersCertificateIsRefused(t *testing.T) {
	n, h := newFakeNode(t), newHeard()
	tried := make(logged, 100)
	s := run(t, n, h, func(c *Config) { c.Roots, c.Log = x509.NewCertPool(), slog.New(slog.NewTextHandler(tried, nil)) })
	<-tried
	<-tried
	st := s.Status()
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](st.Err); st.Connected || !ok {
		t.Errorf("status = %+v, %v", st, unknown)
	}
}

// logged is told of each line of a log, as long as there is room.
type logged chan struct{}

func (l logged) Write(line []byte) (int, error) {
	select {
	case l <- struct{}{}:
	default:
	}
	return len(line), nil
}

func TestUnusableConfigurationIsToldAtOnce(t *testing.T) {
	for _, url := range []string{"", "http://example.com", "https://", "://"} {
		if err := New(Config{URL: url, Key: key}).Run(t.Context()); err == nil {
			t.Errorf("Run() with URL %q began to work", url)
		}
	}
}

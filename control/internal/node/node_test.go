package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/protobuf/proto"

	"github.com/tributary-dl/tributary/control/internal/directory"
	"github.com/tributary-dl/tributary/control/internal/ledger"
	"github.com/tributary-dl/tributary/control/internal/selection"
	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

// place is a running node behind real TLS on loopback, and what it was made of.
type place struct {
	node     *Node
	server   *httptest.Server
	grantKey ed25519.PrivateKey
	ledger   *ledger.Ledger
}

func start(t *testing.T) *place {
	t.Helper()
	l, err := ledger.Open(filepath.Join(t.TempDir(), ledger.FileName))
	if err != nil {
		t.Fatal(err)
	}
	public, grantKey, _ := ed25519.GenerateKey(nil)
	p := &place{grantKey: grantKey, ledger: l}
	p.node = New(Config{
		Directory: directory.New(), Ledger: l, GrantKeys: []ed25519.PublicKey{public}, Epoch: 7,
		Network: selection.ByPrefix, Known: published, STUN: []string{"192.0.2.1:3478", "192.0.2.1:3479"},
		Log: slog.New(slog.NewTextHandler(testOutput{t}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	mux := http.NewServeMux()
	mux.Handle(protocol.SessionPath, p.node)
	p.server = httptest.NewUnstartedServer(mux)
	p.server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	p.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	p.server.StartTLS()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		p.node.Close(ctx)
		p.server.Close()
		l.Close()
	})
	return p
}

type testOutput struct{ t *testing.T }

func (o testOutput) Write(b []byte) (int, error) { return o.t.Output().Write(b) }

// device is a client that speaks the wire format by hand, so that it can also break the rules.
type device struct {
	t     *testing.T
	key   ed25519.PrivateKey
	ws    *websocket.Conn
	start []byte // its secondary GUID
}

func newDevice(t *testing.T, name string) *device {
	seed := bytes.Repeat([]byte(name), ed25519.SeedSize)[:ed25519.SeedSize]
	return &device{t: t, key: ed25519.NewKeyFromSeed(seed), start: seed[:16]}
}

func (d *device) public() protocol.DeviceKey {
	k, _ := protocol.KeyFrom(d.key.Public().(ed25519.PublicKey))
	return k
}

func (d *device) certificate() tls.Certificate {
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(nil, template, template, d.key.Public(), d.key)
	if err != nil {
		d.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: d.key}
}

func (d *device) dial(p *place, change func(*tls.Config, http.Header)) (*http.Response, error) {
	roots := x509.NewCertPool()
	roots.AddCert(p.server.Certificate())
	config := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{d.certificate()}}
	header := http.Header{}
	if change != nil {
		change(config, header)
	}
	ctx, cancel := context.WithTimeout(d.t.Context(), 10*time.Second)
	defer cancel()
	ws, answer, err := websocket.Dial(ctx, p.server.URL+protocol.SessionPath, &websocket.DialOptions{
		HTTPClient:   &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}},
		Subprotocols: []string{protocol.Subprotocol}, HTTPHeader: header,
	})
	if err == nil {
		d.ws = ws
		ws.SetReadLimit(protocol.MaxMessage)
		d.t.Cleanup(func() { ws.CloseNow() })
	}
	return answer, err
}

// login connects a device that shares from behind an ordinary NAT.
func (d *device) login(p *place) *wire.Welcome {
	d.t.Helper()
	return d.loginAs(p, &wire.Login{Sharing: wire.Sharing_SHARING_ON, Nat: wire.NatKind_NAT_ENDPOINT_INDEPENDENT, LocalAddress: "192.168.1.10:6000"})
}

func (d *device) loginAs(p *place, l *wire.Login) *wire.Welcome {
	d.t.Helper()
	if _, err := d.dial(p, nil); err != nil {
		d.t.Fatal(err)
	}
	l.Version = protocol.Version
	if l.SecondaryGuids == nil {
		l.SecondaryGuids = [][]byte{d.start}
	}
	d.send(&wire.ClientMessage{Body: &wire.ClientMessage_Login{Login: l}})
	return want[*wire.NodeMessage_Welcome](d).Welcome
}

func (d *device) send(m *wire.ClientMessage) {
	d.t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		d.t.Fatal(err)
	}
	d.sendRaw(data)
}

func (d *device) sendRaw(data []byte) {
	d.t.Helper()
	if err := d.ws.Write(d.t.Context(), websocket.MessageBinary, data); err != nil {
		d.t.Fatal(err)
	}
}

func (d *device) receive() (*wire.NodeMessage, error) {
	ctx, cancel := context.WithTimeout(d.t.Context(), 10*time.Second)
	defer cancel()
	_, data, err := d.ws.Read(ctx)
	if err != nil {
		return nil, err
	}
	m := &wire.NodeMessage{}
	return m, proto.Unmarshal(data, m)
}

// want receives one message, which must be of type T.
func want[T any](d *device) T {
	d.t.Helper()
	m, err := d.receive()
	if err != nil {
		d.t.Fatalf("receive: %v", err)
	}
	body, ok := any(m.Body).(T)
	if !ok {
		d.t.Fatalf("received %v; want a %T", m, body)
	}
	return body
}

// ended waits for the node to close the session and returns the status it gave.
func (d *device) ended() websocket.StatusCode {
	d.t.Helper()
	for {
		if _, err := d.receive(); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

func (d *device) announce(content protocol.ContentID, percent uint32) {
	d.send(&wire.ClientMessage{Body: &wire.ClientMessage_Announce{Announce: &wire.Announce{
		Holdings: []*wire.Announce_Holding{{Content: content[:], CompletePercent: percent}},
	}}})
}

func (d *device) lookup(content protocol.ContentID, grant []byte) {
	d.send(&wire.ClientMessage{Body: &wire.ClientMessage_Lookup{Lookup: &wire.Lookup{Request: 5, Content: content[:], Grant: grant, Want: 40}}})
}

// barrier returns when the node has obeyed everything sent so far: messages are obeyed in order.
func (d *device) barrier() {
	d.t.Helper()
	d.send(&wire.ClientMessage{Body: &wire.ClientMessage_Signal{Signal: &wire.Signal{Introduction: make([]byte, 16)}}})
	want[*wire.NodeMessage_Refused](d)
}

func (p *place) grant(d *device, content protocol.ContentID, change func(*protocol.Grant)) []byte {
	now := time.Now()
	g := protocol.Grant{Content: content, Device: d.public(), NotBefore: now, Expires: now.Add(time.Hour)}
	if change != nil {
		change(&g)
	}
	return g.Seal(p.grantKey)
}

var film = protocol.ContentID{1, 2, 3}

// published knows the film only.
func published(content protocol.ContentID) (bool, error) { return content == film, nil }

func TestWelcomeTellsWhatAClientNeeds(t *testing.T) {
	p := start(t)
	w := newDevice(t, "anna").login(p)
	if w.Epoch != 7 || w.AnnounceIntervalS != 3600 || w.ReconnectWindowMs < 5000 || len(w.Stun) != 2 || w.EdgeOnly {
		t.Errorf("welcome = %v", w)
	}
	if a, err := netip.ParseAddrPort(w.PublicAddress); err != nil || !a.Addr().IsLoopback() {
		t.Errorf("public address = %q; want the one we come from", w.PublicAddress)
	}
}

// two devices log in.
func two(t *testing.T, p *place) (anna, bert *device) {
	anna, bert = newDevice(t, "anna"), newDevice(t, "bert")
	anna.login(p)
	bert.login(p)
	return anna, bert
}

// Who finds only a peer that is meeting it already may look again soon: others may have come.
func TestWhoIsBeingMetLooksAgainSoon(t *testing.T) {
	p := start(t)
	anna, bert := two(t, p)
	anna.announce(film, 50)
	anna.barrier()
	bert.announce(film, 50)
	bert.barrier()
	anna.lookup(film, p.grant(anna, film, nil))
	want[*wire.NodeMessage_Introduce](bert)

	bert.lookup(film, p.grant(bert, film, nil))
	found := want[*wire.NodeMessage_Found](bert).Found
	if found.Introduced != 0 || found.RetryAfterS != uint32(retrySoon/time.Second) {
		t.Errorf("found = %v", found)
	}
}

// Who found fewer than it wants is told of those who come later: once, and when they have something to give.
func TestWhoFoundTooFewIsIntroducedToWhoComes(t *testing.T) {
	p := start(t)
	anna, bert := two(t, p)
	anna.lookup(film, p.grant(anna, film, nil))
	if found := want[*wire.NodeMessage_Found](anna).Found; found.Introduced != 0 || found.RetryAfterS != uint32(retryFew/time.Second) {
		t.Fatalf("found = %v", found)
	}
	bert.announce(film, 0)
	bert.barrier() // fails at an introduction to somebody who has nothing yet
	bert.announce(film, 1)
	toAnna := want[*wire.NodeMessage_Introduce](anna).Introduce
	toBert := want[*wire.NodeMessage_Introduce](bert).Introduce
	annaKey, bertKey := anna.public(), bert.public()
	if !bytes.Equal(toAnna.PeerKey, bertKey[:]) || !bytes.Equal(toBert.PeerKey, annaKey[:]) || !bytes.Equal(toAnna.Introduction, toBert.Introduction) {
		t.Error("the ends were told of different introductions")
	}
	if !toAnna.Controlling || toBert.Controlling {
		t.Error("the end that looked must be the controlling one")
	}

	bert.announce(film, 100)
	bert.send(&wire.ClientMessage{Body: &wire.ClientMessage_Withdraw{Withdraw: &wire.Withdraw{Content: [][]byte{film[:]}}}})
	bert.announce(film, 100)
	bert.barrier() // fails at a second introduction
}

func TestTwoPeersAreIntroducedAndSignal(t *testing.T) {
	p := start(t)
	anna, bert := two(t, p)
	bert.announce(film, 100)
	bert.barrier()

	anna.lookup(film, p.grant(anna, film, nil))
	toAnna := want[*wire.NodeMessage_Introduce](anna).Introduce
	found := want[*wire.NodeMessage_Found](anna).Found
	toBert := want[*wire.NodeMessage_Introduce](bert).Introduce

	if found.Request != 5 || found.Introduced != 1 || found.Holders != 1 || found.RetryAfterS == 0 {
		t.Errorf("found = %v", found)
	}
	annaKey, bertKey := anna.public(), bert.public()
	if !bytes.Equal(toAnna.PeerKey, bertKey[:]) || !bytes.Equal(toBert.PeerKey, annaKey[:]) {
		t.Error("an end was told the wrong key")
	}
	if !toAnna.Controlling || toBert.Controlling {
		t.Error("the end that asked must be the controlling one")
	}
	if !bytes.Equal(toAnna.Introduction, toBert.Introduction) || !bytes.Equal(toAnna.Content, film[:]) {
		t.Error("the ends were told of different introductions")
	}
	guid := bertKey.GUID()
	if bytes.Equal(toAnna.Peer, guid[:]) || len(toAnna.Peer) != 16 {
		t.Error("the peer's name must not be its GUID")
	}
	if !toAnna.SamePublicAddress || toAnna.PeerLocalAddress != "192.168.1.10:6000" || toAnna.PeerAddress != "127.0.0.1" {
		t.Errorf("introduction = %v; want the local address of a peer in the same household", toAnna)
	}

	sent := &wire.Signal{Introduction: toAnna.Introduction, Ufrag: "abcd", Password: "secret", Candidates: []string{"1 1 udp 1 192.0.2.1 4000 typ host"}}
	anna.send(&wire.ClientMessage{Body: &wire.ClientMessage_Signal{Signal: sent}})
	if got := want[*wire.NodeMessage_Signal](bert).Signal; !proto.Equal(got, sent) {
		t.Errorf("bert got %v; want %v", got, sent)
	}
	bert.send(&wire.ClientMessage{Body: &wire.ClientMessage_Signal{Signal: sent}})
	if got := want[*wire.NodeMessage_Signal](anna).Signal; !proto.Equal(got, sent) {
		t.Errorf("anna got %v; want %v", got, sent)
	}

	eve := newDevice(t, "eve")
	eve.login(p)
	eve.send(&wire.ClientMessage{Body: &wire.ClientMessage_Signal{Signal: sent}})
	if r := want[*wire.NodeMessage_Refused](eve).Refused; r.Code != "expired" {
		t.Errorf("a third party's signal: %v; want it refused", r)
	}
	anna.send(&wire.ClientMessage{Body: &wire.ClientMessage_Signal{Signal: &wire.Signal{Introduction: toAnna.Introduction, Failed: "no path"}}})
	want[*wire.NodeMessage_Signal](bert)
	bert.send(&wire.ClientMessage{Body: &wire.ClientMessage_Signal{Signal: sent}})
	want[*wire.NodeMessage_Refused](bert)
}

func TestLookupsNeedAGrant(t *testing.T) {
	p := start(t)
	anna, bert := newDevice(t, "anna"), newDevice(t, "bert")
	anna.login(p)
	other := protocol.ContentID{9}
	_, stranger, _ := ed25519.GenerateKey(nil)
	forged := protocol.Grant{Content: film, Device: anna.public(), NotBefore: time.Now(), Expires: time.Now().Add(time.Hour)}
	for _, test := range []struct {
		name  string
		grant []byte
		code  string
	}{
		{"none", nil, "bad_grant"},
		{"garbage", bytes.Repeat([]byte{7}, 200), "bad_grant"},
		{"another device's", p.grant(bert, film, nil), "bad_grant"},
		{"another object's", p.grant(anna, other, nil), "bad_grant"},
		{"of an unknown edge", forged.Seal(stranger), "bad_grant"},
		{"expired", p.grant(anna, film, func(g *protocol.Grant) {
			g.NotBefore, g.Expires = g.NotBefore.Add(-2*time.Hour), g.Expires.Add(-2*time.Hour)
		}), "expired"},
	} {
		anna.lookup(film, test.grant)
		if r := want[*wire.NodeMessage_Refused](anna).Refused; r.Code != test.code || r.Request != 5 {
			t.Errorf("grant %s: %v; want %s", test.name, r, test.code)
		}
	}
}

func TestHolderIsForgottenWithItsSession(t *testing.T) {
	p := start(t)
	anna, bert := two(t, p)
	bert.announce(film, 100)
	bert.barrier()
	bert.ws.Close(websocket.StatusNormalClosure, "")
	const patience = 500 // round trips; the node needs a few to notice
	for range patience {
		anna.barrier()
		if _, entries := p.node.cfg.Directory.Size(); entries == 0 {
			return
		}
	}
	t.Error("the directory still lists a holder whose session has ended")
}

func TestUpdateChangesWhoIsIntroduced(t *testing.T) {
	p := start(t)
	anna, bert := two(t, p)
	bert.announce(film, 100)
	bert.send(&wire.ClientMessage{Body: &wire.ClientMessage_Update{Update: &wire.Update{Sharing: wire.Sharing_SHARING_OFF}}})
	bert.barrier()
	anna.lookup(film, p.grant(anna, film, nil))
	if f := want[*wire.NodeMessage_Found](anna).Found; f.Introduced != 0 {
		t.Errorf("found = %v; want nobody: sharing was turned off", f)
	}
}

func TestSecondLoginReplacesTheFirst(t *testing.T) {
	p := start(t)
	first, second := newDevice(t, "anna"), newDevice(t, "anna")
	first.login(p)
	second.login(p)
	if code := first.ended(); code != websocket.StatusPolicyViolation {
		t.Errorf("the older session ended with %v", code)
	}
	second.barrier()
	if n := p.node.Sessions(); n != 1 {
		t.Errorf("%d sessions; want 1", n)
	}
}

func TestForkedDeviceIsServedByTheEdgeAlone(t *testing.T) {
	p := start(t)
	guid := func(s string) []byte { return bytes.Repeat([]byte(s), 16) }
	original, clone := newDevice(t, "anna"), newDevice(t, "anna")
	if w := original.loginAs(p, &wire.Login{SecondaryGuids: [][]byte{guid("b"), guid("a")}}); w.EdgeOnly {
		t.Fatal("the first login must not be quarantined")
	}
	if w := clone.loginAs(p, &wire.Login{SecondaryGuids: [][]byte{guid("c"), guid("a")}}); !w.EdgeOnly {
		t.Fatal("a clone must be quarantined")
	}
	clone.lookup(film, p.grant(clone, film, nil))
	if r := want[*wire.NodeMessage_Refused](clone).Refused; r.Code != "quarantined" {
		t.Errorf("look-up of a clone: %v", r)
	}
}

func TestReportsAreRecorded(t *testing.T) {
	p := start(t)
	anna := newDevice(t, "anna")
	anna.login(p)
	download := bytes.Repeat([]byte{3}, 16)
	report := &wire.Report{Content: film[:], Download: download, Sequence: 2, TotalBytes: 100, EdgeBytes: 30, PeerBytes: 70, Outcome: "completed"}
	for range 2 { // a repeated report is confirmed again and changes nothing
		anna.send(&wire.ClientMessage{Body: &wire.ClientMessage_Report{Report: report}})
		if r := want[*wire.NodeMessage_Recorded](anna).Recorded; r.Sequence != 2 || !bytes.Equal(r.Download, download) {
			t.Errorf("recorded = %v", r)
		}
	}
	var accounts []ledger.Account
	p.ledger.Accounts(func(a ledger.Account) error { accounts = append(accounts, a); return nil })
	if len(accounts) != 1 || accounts[0].Peers != 70 || accounts[0].Device != anna.public() || accounts[0].Network != "127.0.0.0/16" {
		t.Errorf("accounts = %+v", accounts)
	}
}

// One bad report must not cost a client its session again and again; many of them do.
func TestMalformedReportIsRefusedAndTheSessionGoesOn(t *testing.T) {
	p := start(t)
	anna := newDevice(t, "anna")
	anna.login(p)
	download := bytes.Repeat([]byte{3}, 16)
	malformed := []*wire.Report{
		{Content: film[:], Download: download, Sequence: 7, Outcome: "won"},
		{Content: film[:], Download: download, Sequence: 7, UploadedBytes: 1 << 63},
		{Content: film[:], Download: download, Sequence: 7, Reason: strings.Repeat("x", 1000)},
		{Content: []byte{1}, Download: download, Sequence: 7},
		{Content: film[:], Download: []byte{1}, Sequence: 7},
	}
	sent := 0
	for _, r := range malformed {
		anna.send(&wire.ClientMessage{Body: &wire.ClientMessage_Report{Report: r}})
		sent++
		refused := want[*wire.NodeMessage_Refused](anna).Refused
		if refused.Code != "invalid" || refused.Request != 0 || refused.Sequence != 7 || refused.Text == "" {
			t.Errorf("refused = %v", refused)
		}
		if named := bytes.Equal(refused.Download, download); named != bytes.Equal(r.Download, download) {
			t.Errorf("%v does not name the download of %v", refused, r)
		}
	}
	anna.send(&wire.ClientMessage{Body: &wire.ClientMessage_Report{Report: &wire.Report{Content: film[:], Download: download, Sequence: 8}}})
	if r := want[*wire.NodeMessage_Recorded](anna).Recorded; r.Sequence != 8 {
		t.Errorf("recorded = %v", r)
	}
	for ; sent <= maxMalformed; sent++ {
		anna.send(&wire.ClientMessage{Body: &wire.ClientMessage_Report{Report: malformed[0]}})
	}
	if code := anna.ended(); code != websocket.StatusPolicyViolation {
		t.Errorf("session ended with %v after %d malformed reports; want a policy violation", code, sent)
	}
}

func TestGarbageEndsOnlyItsOwnSession(t *testing.T) {
	p := start(t)
	witness := newDevice(t, "witness")
	witness.login(p)
	message := func(m *wire.ClientMessage) []byte { data, _ := proto.Marshal(m); return data }
	for name, garbage := range map[string][]byte{
		"not protobuf":   []byte("\xff\xff\xff\xff"),
		"second login":   message(&wire.ClientMessage{Body: &wire.ClientMessage_Login{Login: &wire.Login{}}}),
		"short content":  message(&wire.ClientMessage{Body: &wire.ClientMessage_Lookup{Lookup: &wire.Lookup{Content: []byte{1}}}}),
		"101 percent":    message(&wire.ClientMessage{Body: &wire.ClientMessage_Announce{Announce: &wire.Announce{Holdings: []*wire.Announce_Holding{{Content: film[:], CompletePercent: 101}}}}}),
		"501 holdings":   message(&wire.ClientMessage{Body: &wire.ClientMessage_Withdraw{Withdraw: &wire.Withdraw{Content: make([][]byte, 501)}}}),
		"9 candidates":   message(&wire.ClientMessage{Body: &wire.ClientMessage_Signal{Signal: &wire.Signal{Introduction: make([]byte, 16), Candidates: make([]string, 9)}}}),
		"control bytes":  message(&wire.ClientMessage{Body: &wire.ClientMessage_Signal{Signal: &wire.Signal{Introduction: make([]byte, 16), Failed: "a\nb"}}}),
		"impossible NAT": message(&wire.ClientMessage{Body: &wire.ClientMessage_Update{Update: &wire.Update{Nat: 77}}}),
	} {
		eve := newDevice(t, "eve")
		eve.login(p)
		eve.sendRaw(garbage)
		if code := eve.ended(); code != websocket.StatusPolicyViolation {
			t.Errorf("%s: session ended with %v; want a policy violation", name, code)
		}
	}
	eve := newDevice(t, "eve")
	eve.login(p)
	eve.ws.Write(t.Context(), websocket.MessageBinary, make([]byte, protocol.MaxMessage+1))
	if code := eve.ended(); code != websocket.StatusMessageTooBig {
		t.Errorf("a message over the limit ended the session with %v", code)
	}
	witness.barrier()
}

func TestLoginIsCheckedBeforeAnythingElse(t *testing.T) {
	p := start(t)
	for name, change := range map[string]func(*tls.Config, http.Header){
		"no certificate": func(c *tls.Config, _ http.Header) { c.Certificates = nil },
		"TLS 1.2":        func(c *tls.Config, _ http.Header) { c.MaxVersion = tls.VersionTLS12 },
		"a web page":     func(_ *tls.Config, h http.Header) { h.Set("Origin", "https://example.com") },
	} {
		answer, err := newDevice(t, "eve").dial(p, change)
		if err == nil || answer == nil || answer.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %v, %v; want 403", name, answer, err)
		}
	}
	for name, test := range map[string]struct {
		login *wire.Login
		code  string
	}{
		"a later version":     {&wire.Login{Version: 9}, "unsupported_version"},
		"no secondary GUID":   {&wire.Login{Version: 1}, "invalid"},
		"short GUID":          {&wire.Login{Version: 1, SecondaryGuids: [][]byte{{1}}}, "invalid"},
		"unknown sharing":     {&wire.Login{Version: 1, SecondaryGuids: [][]byte{make([]byte, 16)}, Sharing: 9}, "invalid"},
		"address with a name": {&wire.Login{Version: 1, SecondaryGuids: [][]byte{make([]byte, 16)}, LocalAddress: "home:1"}, "invalid"},
	} {
		eve := newDevice(t, "eve")
		if _, err := eve.dial(p, nil); err != nil {
			t.Fatal(err)
		}
		eve.send(&wire.ClientMessage{Body: &wire.ClientMessage_Login{Login: test.login}})
		if r := want[*wire.NodeMessage_Refused](eve).Refused; r.Code != test.code {
			t.Errorf("%s: %v; want %s", name, r, test.code)
		}
		eve.ended()
	}
	eve := newDevice(t, "eve")
	if _, err := eve.dial(p, nil); err != nil {
		t.Fatal(err)
	}
	eve.announce(film, 100)
	eve.ended()
	if objects, _ := p.node.cfg.Directory.Size(); objects != 0 {
		t.Error("an announce before the login was obeyed")
	}
}

func TestClientThatDoesNotReadIsCutOff(t *testing.T) {
	p := start(t)
	slow, other := newDevice(t, "slow"), newDevice(t, "other")
	slow.login(p)
	other.login(p)
	got := make(chan string)
	go func() {
		defer close(got)
		for {
			m, err := other.receive()
			if err != nil {
				return
			}
			got <- m.GetPush().GetNotice()
		}
	}()
	notice := strings.Repeat("x", 60<<10)
	const most = 2000 // 120 MB: far more than the kernel buffers for a client that does not read
	pushed := 0
	for ; p.node.Sessions() == 2 && pushed < most; pushed++ {
		p.node.Push(notice)
		if <-got != notice {
			t.Fatal("the client that reads was cut off too")
		}
	}
	if pushed == most {
		t.Error("the client that does not read was never cut off")
	}
}

func TestCloseSaysGoodBye(t *testing.T) {
	p := start(t)
	anna := newDevice(t, "anna")
	anna.login(p)
	closed := make(chan error, 1)
	go func() { closed <- p.node.Close(t.Context()) }()
	if code := anna.ended(); code != websocket.StatusGoingAway {
		t.Errorf("session ended with %v; want going away", code)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close() = %v", err)
	}
	if _, err := newDevice(t, "late").dial(p, nil); err == nil {
		t.Error("a closed node accepted a session")
	}
}

package edge

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// names returns the real resolver of the standard library, asking a name server in this process. Addresses
// may be changed while it is in use, under the table's lock.
func names(t testing.TB, table map[string]string) *net.Resolver {
	t.Helper()
	return liveNames(t, func(name string) string { return table[name] })
}

func liveNames(t testing.TB, lookup func(string) string) *net.Resolver {
	t.Helper()
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); wg.Wait() })
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		stop := context.AfterFunc(ctx, func() { server.Close() })
		wg.Go(func() {
			defer stop()
			defer server.Close()
			for answerQuery(server, lookup) == nil {
			}
		})
		return client, nil
	}}
}

// answerQuery speaks DNS over a stream (RFC 1035, 4.2.2).
func answerQuery(conn net.Conn, lookup func(string) string) error {
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	query := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, query); err != nil {
		return err
	}
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return err
	}
	q := m.Questions[0]
	reply := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
	switch address := lookup(strings.TrimSuffix(q.Name.String(), ".")); {
	case address == "":
		reply.RCode = dnsmessage.RCodeNameError
	case q.Type == dnsmessage.TypeA:
		reply.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class},
			Body:   &dnsmessage.AResource{A: netip.MustParseAddr(address).As4()},
		}}
	}
	packed, err := reply.Pack()
	if err != nil {
		return err
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packed))), packed...))
	return err
}

func TestIsLocal(t *testing.T) {
	local := []string{"127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
		"255.255.255.255", "0.0.0.0", "0.1.2.3", "::", "::1", "fe80::1%eth0", "fd00::1", "ff02::1", "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
		"64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:c0a8:101::1", "::127.0.0.1"}
	public := []string{"1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "203.0.113.7", "2606:4700::1111", "64:ff9b::101:101", "2002:101:101::1"}
	for _, a := range local {
		if !isLocal(netip.MustParseAddr(a)) {
			t.Errorf("%s counts as public", a)
		}
	}
	for _, a := range public {
		if isLocal(netip.MustParseAddr(a)) {
			t.Errorf("%s counts as local", a)
		}
	}
}

// network is a small internet on loopback: 127.0.0.1 plays the public part, 127.0.0.2 the user's own.
type network struct {
	client *Client
	table  sync.Map // name -> address
	public *httptest.Server
	inside *httptest.Server
	hits   atomic.Int64 // requests that reached inside
	port   string       // of inside
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{client: newClient(t, Config{})}
	n.client.isLocal = func(a netip.Addr) bool { return a != netip.MustParseAddr("127.0.0.1") }
	n.client.resolver = liveNames(t, func(name string) string {
		a, _ := n.table.Load(name)
		address, _ := a.(string)
		return address
	})
	n.public = serve(t, func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("to"); to != "" {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		file(content(1000), `"v1"`)(w, r)
	})
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	n.inside = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.hits.Add(1)
		file(content(1000), `"v1"`)(w, r)
	}))
	n.inside.Listener.Close()
	n.inside.Listener = l
	n.inside.Start()
	t.Cleanup(n.inside.Close)
	_, n.port, _ = net.SplitHostPort(l.Addr().String())
	n.table.Store("public.test", "127.0.0.1")
	n.table.Store("inside.test", "127.0.0.2")
	n.table.Store("other.test", "127.0.0.2")
	return n
}

func (n *network) publicURL(name, to string) string {
	return strings.Replace(n.public.URL, "127.0.0.1", name, 1) + "/?to=" + to
}

func (n *network) insideURL(name string) string { return "http://" + name + ":" + n.port + "/f" }

func TestAPublicAddressLeadsNowherePrivate(t *testing.T) {
	n := newNetwork(t)
	tests := []struct {
		name    string
		req     Request
		allowed bool
	}{
		{"redirect to a private address", Request{URL: n.publicURL("public.test", n.insideURL("127.0.0.2"))}, false},
		{"redirect to a name of one", Request{URL: n.publicURL("public.test", n.insideURL("inside.test"))}, false},
		{"redirect to localhost", Request{URL: n.publicURL("public.test", "http://localhost:"+n.port)}, false},
		{"redirect to 0.0.0.0", Request{URL: n.publicURL("public.test", "http://0.0.0.0:"+n.port)}, false},
		{"redirect to an IPv4-mapped address", Request{URL: n.publicURL("public.test", "http://[::ffff:127.0.0.2]:"+n.port)}, false},
		{"two redirects", Request{URL: n.publicURL("public.test", "/?to="+n.insideURL("127.0.0.2"))}, false},
		{"from a literal public address", Request{URL: n.publicURL("127.0.0.1", n.insideURL("127.0.0.2"))}, false},
		{"the user allows it", Request{URL: n.publicURL("public.test", n.insideURL("inside.test")), AllowLocal: true}, true},
		{"not again without", Request{URL: n.publicURL("public.test", n.insideURL("inside.test"))}, false}, // a pooled connection waits there
		{"the user typed the address", Request{URL: n.insideURL("127.0.0.2")}, true},
		{"the user typed its name", Request{URL: n.insideURL("inside.test")}, true},
		{"the user typed its name as a mirror", Request{URL: n.publicURL("public.test", n.insideURL("inside.test")), Mirrors: []string{n.insideURL("inside.test")}}, true},
		{"the user typed another name of it", Request{URL: n.publicURL("public.test", n.insideURL("inside.test")), Mirrors: []string{n.insideURL("other.test")}}, false},
	}
	for _, tt := range tests {
		before := n.hits.Load()
		_, err := n.client.Resolve(t.Context(), tt.req)
		if tt.allowed {
			if err != nil || n.hits.Load() == before {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if KindOf(err) != Blocked || n.hits.Load() != before {
			t.Errorf("%s: %v, %d requests came through; want kind blocked", tt.name, err, n.hits.Load()-before)
		}
	}
}

func TestANameThatWasPublicStaysPublic(t *testing.T) {
	n := newNetwork(t)
	s := sourceOf(t, n.client, Request{URL: n.publicURL("public.test", "")}, SourceOptions{})
	if _, err := fetchedLoosely(t, s, 0, 1000); err != nil {
		t.Fatal(err)
	}
	n.table.Store("public.test", "127.0.0.2")
	n.client.Close() // the next request needs a new connection
	_, err := fetchedLoosely(t, s, 0, 1000)
	wantKind(t, err, Blocked)
}

func TestMirrorsAndManifestsAreGuardedToo(t *testing.T) {
	n := newNetwork(t)
	req := Request{URL: n.publicURL("public.test", "")}
	s, err := n.client.Source(&Resource{Request: req, Size: 1000}, []string{n.insideURL("inside.test")}, SourceOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = fetchedLoosely(t, s, 0, 1000)
	wantKind(t, err, Blocked)
	_, err = n.client.Manifest(t.Context(), req, n.insideURL("127.0.0.2"))
	wantKind(t, err, Blocked)
	if n.hits.Load() != 0 {
		t.Errorf("%d requests came through", n.hits.Load())
	}
}

func TestDialerIsGuarded(t *testing.T) {
	n := newNetwork(t)
	tests := []struct {
		host           string
		local, allowed bool
	}{
		{"127.0.0.2", false, false},
		{"inside.test", false, false},
		{"127.0.0.2", true, true},
		{"inside.test", true, true},
	}
	for _, tt := range tests {
		conn, err := n.client.Dialer(tt.local)(t.Context(), "tcp", net.JoinHostPort(tt.host, n.port))
		if err == nil {
			conn.Close()
		}
		if (err == nil) != tt.allowed {
			t.Errorf("dial %s, local addresses allowed: %v: %v", tt.host, tt.local, err)
		}
	}
}

func TestWhatTheUserTypedMayBeLocal(t *testing.T) {
	tests := []struct {
		req  Request
		host string
		want bool
	}{
		{Request{URL: "https://public.test/f"}, "127.0.0.1", false},
		{Request{URL: "https://public.test/f"}, "control.test", false},
		{Request{URL: "https://public.test/f"}, "public.test", true},
		{Request{URL: "https://public.test/f", Mirrors: []string{"https://control.test/f"}}, "control.test", true},
		{Request{URL: "https://public.test/f", AllowLocal: true}, "169.254.169.254", true},
		{Request{URL: "https://10.0.0.1/f"}, "10.0.0.2", true},
		{Request{URL: "not a URL"}, "127.0.0.1", false},
	}
	for _, tt := range tests {
		if got := newClient(t, Config{}).MayBeLocal(tt.req, tt.host); got != tt.want {
			t.Errorf("%s names %s: %v; want %v", tt.req.URL, tt.host, got, tt.want)
		}
	}
}

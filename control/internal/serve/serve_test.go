package serve

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/control/internal/ca"
	"github.com/tributary-dl/tributary/control/internal/ledger"
	"github.com/tributary-dl/tributary/control/internal/selection"
	"github.com/tributary-dl/tributary/control/protocol"
)

func TestReached(t *testing.T) {
	for _, test := range []struct {
		advertise, listening, base string
	}{
		{"", "127.0.0.1:8443", "https://127.0.0.1:8443"},
		{"", "[::1]:8443", "https://[::1]:8443"},
		{"", "0.0.0.0:8443", ""},
		{"", "[::]:8443", ""},
		{"dl.example.com", "0.0.0.0:8443", "https://dl.example.com:8443"},
		{"dl.example.com", "0.0.0.0:443", "https://dl.example.com"},
		{"dl.example.com:9000", "0.0.0.0:443", "https://dl.example.com:9000"},
		{"dl.example.com:443", "127.0.0.1:8443", "https://dl.example.com"},
		{"2001:db8::1", "[::]:443", "https://[2001:db8::1]"},
		{"[2001:db8::1]:9000", "[::]:443", "https://[2001:db8::1]:9000"},
		{"dl.example.com:http", "0.0.0.0:443", ""},
		{"dl.example.com:0", "0.0.0.0:443", ""},
		{"[2001:db8::1]", "[::]:9000", "https://[2001:db8::1]:9000"},
		{":443", "0.0.0.0:443", ""},
		{"a:b:c", "0.0.0.0:443", ""},
	} {
		listening := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(test.listening))
		at, err := reached(test.advertise, listening)
		if at.base != test.base || (err == nil) != (test.base != "") {
			t.Errorf("advertise %q, listening at %s: %q, %v; want %q", test.advertise, test.listening, at.base, err, test.base)
		}
	}
}

func TestSTUNReached(t *testing.T) {
	for given, want := range map[string][]string{
		"":                   {"dl.example.com:5", "dl.example.com:6"},
		":5":                 {"dl.example.com:5", "dl.example.com:6"},
		"0.0.0.0:5":          {"dl.example.com:5", "dl.example.com:6"},
		"192.0.2.1:5":        {"192.0.2.1:5", "192.0.2.1:6"},
		"[2001:db8::1]:5":    {"[2001:db8::1]:5", "[2001:db8::1]:6"},
		"stun.example.com:5": {"stun.example.com:5", "stun.example.com:6"},
	} {
		if got := stunReached(given, "dl.example.com", 5, 6); !slices.Equal(got, want) {
			t.Errorf("--stun %q: %v; want %v", given, got, want)
		}
	}
}

func TestHandshakesAreBounded(t *testing.T) {
	dir := t.TempDir()
	config, err := ca.Server(dir, []string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	roots, err := ca.Pool(dir)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const limit = 2
	door := admitAtMost(limit, raw, config, slog.New(slog.DiscardHandler))
	defer door.Close()
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", door.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(10 * time.Second))
		return c
	}
	// Two clients that open a connection and say nothing occupy the slots; connections are accepted in
	// order, so whoever comes after them is turned away.
	dial()
	second := dial()
	extra, err := net.Dial("tcp", door.Addr().String())
	if err == nil { // the reset may even be faster than the dial
		defer extra.Close()
		extra.SetDeadline(time.Now().Add(10 * time.Second))
		_, err = extra.Read(make([]byte, 1))
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a connection over the limit: %v; want it reset at once", err)
	}
	client := tls.Client(second, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})
	if err := client.Handshake(); err != nil {
		t.Fatalf("one of those within the limit: %v", err)
	}
	accepted, err := door.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if !accepted.(*tls.Conn).ConnectionState().HandshakeComplete {
		t.Error("Accept returned a connection before its handshake")
	}
	third := tls.Client(dial(), &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})
	if err := third.Handshake(); err != nil {
		t.Errorf("after a slot became free: %v", err)
	}
}

func TestLedgerCanBeReadWhileItIsServed(t *testing.T) {
	dir := t.TempDir()
	l, err := ledger.Open(filepath.Join(dir, ledger.FileName))
	if err != nil {
		t.Fatal(err)
	}
	account := ledger.Account{Content: protocol.ContentID{1}, Sequence: 1, Edge: 5}
	if err := l.Record(account, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	edgeBytes := func() (n uint64, err error) {
		read, close, err := OpenLedger(t.Context(), dir)
		if err != nil {
			return 0, err
		}
		defer close()
		return n, read.Accounts(func(a ledger.Account) error { n += a.Edge; return nil })
	}
	if _, err := edgeBytes(); err == nil {
		t.Error("a ledger in use was read, though nobody hands out copies")
	}
	copies, err := serveSnapshots(dir, l, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := edgeBytes(); err != nil || n != 5 {
		t.Errorf("while serving: %d, %v", n, err)
	}
	door, err := os.ReadFile(filepath.Join(dir, doorFile))
	if err != nil {
		t.Fatal(err)
	}
	wrong := bytes.Replace(door, []byte(`"token":"`), []byte(`"token":"x`), 1)
	if err := os.WriteFile(filepath.Join(dir, doorFile), wrong, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := edgeBytes(); err == nil {
		t.Error("a wrong token opened the door")
	}
	if err := errors.Join(copies.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	if n, err := edgeBytes(); err != nil || n != 5 {
		t.Errorf("after the server has ended: %d, %v", n, err)
	}
	if _, err := os.Stat(filepath.Join(dir, doorFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the door file is left behind: %v", err)
	}
}

func TestNetworksComeFromADatabase(t *testing.T) {
	write := func(record map[string]any) string {
		path := filepath.Join(t.TempDir(), "test.mmdb")
		if err := os.WriteFile(path, database([]byte{192}, record), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	as := write(map[string]any{"autonomous_system_number": uint32(64500)})
	place := write(map[string]any{
		"country": map[string]any{"iso_code": "DE"}, "continent": map[string]any{"code": "EU"},
	})
	n, err := openNetworks([]string{as, place})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for address, want := range map[string]selection.Network{
		"192.0.2.1":        {Name: "AS64500", Country: "DE", Continent: "EU"},
		"::ffff:192.0.2.1": {Name: "AS64500", Country: "DE", Continent: "EU"},
		"198.51.100.1":     {Name: "198.51.0.0/16"},
		"2001:db8::1":      {Name: "2001:db8::/32"},
	} {
		if got := n.Find(netip.MustParseAddr(address)); got != want {
			t.Errorf("network of %s = %+v; want %+v", address, got, want)
		}
	}
	if _, err := openNetworks([]string{as, filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("a database that is not there was opened")
	}
}

// database makes the smallest file in MaxMind's format (version 2.0) in which the prefix, of whole bytes,
// leads to the record, and nothing else to anything.
func database(prefix []byte, record map[string]any) []byte {
	bits := 8 * len(prefix)
	var out bytes.Buffer
	node := func(left, right int) {
		for _, n := range []int{left, right} {
			out.Write([]byte{byte(n >> 16), byte(n >> 8), byte(n)})
		}
	}
	nothing, data := bits, bits+16 // the tree is followed by 16 zero bytes, and those by the data
	for i := range bits {
		next := i + 1
		if next == bits {
			next = data
		}
		if prefix[i/8]>>(7-i%8)&1 == 0 {
			node(next, nothing)
		} else {
			node(nothing, next)
		}
	}
	out.Write(make([]byte, 16))
	out.Write(encode(record))
	out.WriteString("\xab\xcd\xefMaxMind.com")
	out.Write(encode(map[string]any{
		"node_count": uint32(bits), "record_size": uint32(24), "ip_version": uint32(4), "database_type": "test",
		"binary_format_major_version": uint32(2), "binary_format_minor_version": uint32(0), "build_epoch": uint32(1),
		"languages": []any{}, "description": map[string]any{},
	}))
	return out.Bytes()
}

// encode writes a value of the format's data section; strings and maps must be short.
func encode(v any) []byte {
	switch v := v.(type) {
	case string:
		return append([]byte{2<<5 | byte(len(v))}, v...)
	case uint32:
		return []byte{6<<5 | 4, byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
	case []any:
		return []byte{0, 4}
	case map[string]any:
		out := []byte{7<<5 | byte(len(v))}
		for key, value := range v {
			out = append(append(out, encode(key)...), encode(value)...)
		}
		return out
	}
	panic(fmt.Sprintf("no encoding for %T", v))
}

func TestRunFailsWithoutLeavingAnythingOpen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	never := func(Ready) error { t.Error("ready"); return nil }
	for name, cfg := range map[string]Config{
		"port in use":       {Data: dir, Listen: taken.Addr().String()},
		"no such network":   {Data: dir, Listen: "127.0.0.1:0", Geo: []string{"/does/not/exist"}},
		"no certificate":    {Data: dir, Listen: "127.0.0.1:0", CertFile: "/does/not/exist", KeyFile: "/nor/this"},
		"nobody reaches it": {Data: dir, Listen: "0.0.0.0:0"},
		"bad STUN address":  {Data: dir, Listen: "127.0.0.1:0", STUN: "nonsense"},
	} {
		cfg.Log = log
		if err := Run(t.Context(), cfg, never); err == nil {
			t.Errorf("%s: Run() succeeded", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg := Config{Data: dir, Listen: "127.0.0.1:0", Log: log}
	if err := Run(ctx, cfg, func(Ready) error { cancel(); return nil }); err != nil {
		t.Errorf("Run() on the same directory = %v; want everything to have been released", err)
	}
}

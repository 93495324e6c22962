package peering

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/bencode"
	"github.com/tributary-dl/tributary/control/protocol/merkle"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/download"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/identity"
	"github.com/tributary-dl/tributary/engine/internal/manifest"
	"github.com/tributary-dl/tributary/engine/internal/session"
	"github.com/tributary-dl/tributary/engine/internal/storage"
	"github.com/tributary-dl/tributary/engine/internal/swarm"
)

func keyOf(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append(make([]byte, ed25519.SeedSize-1), seed))
}

func deviceOf(t *testing.T, key ed25519.PrivateKey) protocol.DeviceKey {
	t.Helper()
	device, err := protocol.KeyFrom(key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return device
}

var edgeKey = keyOf(1)

// signed is the manifest of a small object that names a control plane.
func signed(t *testing.T, control string) *manifest.Manifest {
	t.Helper()
	data := make([]byte, merkle.BlockSize)
	var h merkle.Hasher
	h.Write(data)
	root := h.Root(1)
	info := bencode.Dict{"meta version": int64(2), "name": "object.bin", "piece length": int64(len(data)),
		"file tree": bencode.Dict{"object.bin": bencode.Dict{"": bencode.Dict{"length": int64(len(data)), "pieces root": root[:]}}}}
	publisher := keyOf(2)
	terms := protocol.Terms{Publisher: "Example", Key: publisher.Public().(ed25519.PublicKey), GrantKey: edgeKey.Public().(ed25519.PublicKey),
		Control: control, Policy: protocol.DefaultPolicy(), SHA256: sha256.Sum256(data), Published: time.Unix(1_700_000_000, 0)}.Dict()
	id := protocol.ContentID(sha256.Sum256(bencode.Encode(info)))
	m, err := manifest.Parse(bencode.Encode(bencode.Dict{"info": info, "piece layers": bencode.Dict{},
		protocol.TermsKey: terms, protocol.SignatureKey: protocol.SignTerms(publisher, id, terms)}))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// nobody is a download that hears nothing and gives everything.
type nobody struct{}

func (nobody) PieceVerified(int, int64) {}
func (nobody) PieceRejected(int, int64) {}
func (nobody) PeersChanged()            {}
func (nobody) StorageFailed(error)      {}
func (nobody) Withheld() bool           { return false }

// forgetful is a Marker that keeps nothing.
type forgetful struct{}

func (forgetful) MarkDurable(map[string][]int) error { return nil }
func (forgetful) ClearDurable(string, []int) error   { return nil }

// object is a download under way of a manifest's object.
func object(t *testing.T, m *manifest.Manifest, request edge.Request) download.Object {
	t.Helper()
	disk := storage.NewCommitter(storage.Config{Marker: forgetful{}, Log: slog.New(slog.DiscardHandler), Failed: func(string, error) {}})
	t.Cleanup(func() { disk.Close(context.Background()) })
	data, err := disk.Create(t.Context(), "id", t.TempDir(), "object.bin", storage.Layout{Length: m.Length, PieceLength: m.PieceLength})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { data.Close(context.Background()) })
	return download.Object{Manifest: m, Data: data, Request: request, GrantURL: request.URL, Observer: nobody{}}
}

func open(t *testing.T) *Service {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := Open(Config{
		Device: keyOf(9), Starts: []identity.SecondaryGUID{{1}}, Listen: "127.0.0.1:0", AllowLoopback: true, Software: "test",
		Edges: edge.NewClient(edge.Config{Log: log}), Settings: func() api.Settings { return api.Settings{Sharing: api.SharingOn} },
		MaySend: func(Upload, api.PathKind) bool { return true }, Sent: func(Upload, swarm.PeerID, int) {}, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// A public manifest must not make this device open connections in the user's own network.
func TestControlPlaneInTheUsersNetwork(t *testing.T) {
	tests := []struct {
		name    string
		request edge.Request
		dialled bool
	}{
		{"a public URL", edge.Request{URL: "https://public.invalid/f"}, false},
		{"local addresses allowed", edge.Request{URL: "https://public.invalid/f", AllowLocal: true}, true},
		{"a local URL", edge.Request{URL: "http://127.0.0.1:1/f"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inside, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer inside.Close()
			connections := make(chan struct{}, 100)
			go func() { // ends with the listener
				for {
					conn, err := inside.Accept()
					if err != nil {
						return
					}
					conn.Close()
					connections <- struct{}{}
				}
			}()
			s := open(t)
			joined, err := s.Join(object(t, signed(t, "https://"+inside.Addr().String()), tt.request), false)
			if err != nil {
				t.Fatal(err)
			}
			defer joined.Leave()
			conn, err := joined.(*member).control.dial(t.Context(), "tcp", inside.Addr().String()) // as the session does
			if err == nil {
				conn.Close()
				<-connections
			}
			if (err == nil) != tt.dialled {
				t.Errorf("dial the control plane: %v; want a connection: %v", err, tt.dialled)
			}
			s.Close()
			if n := len(connections); n != 0 && !tt.dialled {
				t.Errorf("%d connections to a local address that a public manifest names", n)
			}
		})
	}
}

func TestWhichGrantsCount(t *testing.T) {
	m := &member{object: download.Object{Manifest: signed(t, "https://control.invalid")}}
	anna, eve := deviceOf(t, keyOf(3)), deviceOf(t, keyOf(4))
	now := time.Now()
	right := protocol.Grant{Content: m.content(), Device: anna, NotBefore: now, Expires: now.Add(time.Hour)}
	with := func(change func(*protocol.Grant)) []byte {
		g := right
		change(&g)
		return g.Seal(edgeKey)
	}
	tests := []struct {
		name   string
		sealed []byte
		ok     bool
	}{
		{"right", right.Seal(edgeKey), true},
		{"expired", with(func(g *protocol.Grant) { g.NotBefore, g.Expires = now.Add(-2*time.Hour), now.Add(-time.Hour) }), false},
		{"not valid yet", with(func(g *protocol.Grant) { g.NotBefore, g.Expires = now.Add(time.Hour), now.Add(2*time.Hour) }), false},
		{"too long", with(func(g *protocol.Grant) { g.Expires = now.Add(48 * time.Hour) }), false},
		{"another device's", with(func(g *protocol.Grant) { g.Device = eve }), false},
		{"another object's", with(func(g *protocol.Grant) { g.Content[0]++ }), false},
		{"of another edge", right.Seal(keyOf(5)), false},
		{"cut short", right.Seal(edgeKey)[:50], false},
		{"none", nil, false},
	}
	for _, tt := range tests {
		if _, err := m.judge(tt.sealed, anna); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// What a node introduces without end costs neither memory nor work without end.
func TestFloodOfIntroductions(t *testing.T) {
	s := open(t)
	m := signed(t, "https://control.invalid")
	joined, err := s.Join(object(t, m, edge.Request{URL: "https://public.invalid/f"}), false)
	if err != nil {
		t.Fatal(err)
	}
	in := joined.(*member)
	introduce := func(content protocol.ContentID, n int) {
		for i := range n {
			var name session.Introduction
			name.Content, name.PeerAddress = content, netip.MustParseAddr("127.0.0.1")
			binary.BigEndian.PutUint32(name.ID[:], uint32(i))
			binary.BigEndian.PutUint32(name.PeerKey[:], uint32(i))
			in.control.Introduced(name)
		}
	}
	introduce(protocol.ContentID{1, 2, 3}, 1000)
	in.mu.Lock()
	if len(in.known) != 0 {
		t.Errorf("%d peers of an unknown object are remembered", len(in.known))
	}
	in.mu.Unlock()
	introduce(m.ID, 1000)
	joined.Leave() // waits for those under way
	in.mu.Lock()
	defer in.mu.Unlock()
	if n := len(in.known); n == 0 || n > 30 {
		t.Errorf("%d of 1000 introductions were worked on in a moment; want no more than a minute's 30", n)
	}
}

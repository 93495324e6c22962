package e2e

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/engine/peertest"
)

// edgeKey is the key that the edge seals grants with.
func (w *world) edgeKey() ed25519.PrivateKey {
	w.t.Helper()
	block, _ := pem.Decode(contentOf(w.t, filepath.Join(w.folder, "control", "grant-key.pem")))
	if block == nil {
		w.t.Fatal("the edge's key is not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		w.t.Fatal(err)
	}
	return key.(ed25519.PrivateKey)
}

func contentOf(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// logs waits until a line of a user's log has all of the words, or none has for a while.
func (u *user) logs(words ...string) bool {
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
	lines:
		for _, line := range u.Log() {
			for _, word := range words {
				if !strings.Contains(line, word) {
					continue lines
				}
			}
			return true
		}
	}
	return false
}

// A peer that is introduced, but shows no grant or a wrong one, gets no byte of payload from one who shares, however
// rudely it asks. It has a right grant for the control plane: the sharing service alone is what refuses it.
func TestNoPayloadWithoutAGrant(t *testing.T) {
	w := newWorld(t)
	original, url := w.publish(mib)
	anna := w.seeder("anna", url, original, 16*mib)
	downloads, err := anna.Downloads(w.ctx)
	if err != nil || len(downloads) != 1 {
		t.Fatalf("anna's downloads: %v, %v", downloads, err)
	}
	object, err := protocol.ParseContentID(downloads[0].ContentID)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(contentOf(t, w.control.CA()))
	edge, forger := w.edgeKey(), ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	now := time.Now()

	tests := []struct {
		name   string
		shown  func(right protocol.Grant) []byte
		reason string // in anna's log; "": the link is let in
		want   bool   // payload
	}{
		{"none", func(protocol.Grant) []byte { return nil }, "", false},
		{"forged", func(g protocol.Grant) []byte { return g.Seal(forger) }, protocol.ErrGrantInvalid.Error(), false},
		{"expired", func(g protocol.Grant) []byte {
			g.NotBefore, g.Expires = now.Add(-time.Hour), now.Add(-10*time.Minute)
			return g.Seal(edge)
		}, protocol.ErrGrantExpired.Error(), false},
		{"for another object", func(g protocol.Grant) []byte {
			g.Content[0]++
			return g.Seal(edge)
		}, "the grant is for another object", false},
		{"of another device", func(g protocol.Grant) []byte {
			g.Device[0]++
			return g.Seal(edge)
		}, "the grant is another device's", false},
		{"right", func(g protocol.Grant) []byte { return g.Seal(edge) }, "", true}, // last: the ledger is empty until then
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			peer, err := peertest.Open("https://"+w.node.addr, roots, slog.New(slog.NewTextHandler(t.Output(), nil)))
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			right := protocol.Grant{Content: object, Device: peer.Device(), NotBefore: now.Add(-time.Minute), Expires: now.Add(30 * time.Minute)}
			got, err := peer.Take(w.ctx, object, right.Seal(edge), tt.shown(right))
			if (err == nil) != (tt.reason == "") {
				t.Errorf("Take() = %v; want an error: %v", err, tt.reason != "")
			}
			if (got > 0) != tt.want {
				t.Errorf("%d bytes of payload came; want some: %v", got, tt.want)
			}
			if tt.reason != "" && !anna.logs("meeting a peer", tt.reason) {
				t.Errorf("anna's log does not say %q", tt.reason)
			}
			if given, _ := anna.given(w.ctx); (given > 0) != tt.want {
				t.Errorf("anna's ledger has %d bytes", given)
			}
		})
	}
}

package e2e

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/engine/api"
)

// A web server that knows nothing of us replaces its file in the middle of a download.
func TestChangedFileIsNeverSpliced(t *testing.T) {
	w := newWorld(t)
	var versions [2][]byte
	for i := range versions {
		versions[i] = make([]byte, 16*mib)
		rand.NewChaCha8([32]byte{byte(i)}).Read(versions[i])
	}
	var current atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		i := current.Load()
		rw.Header().Set("ETag", strconv.Quote("version"+strconv.Itoa(int(i))))
		http.ServeContent(rw, r, "file.bin", time.Time{}, bytes.NewReader(versions[i]))
	}))
	t.Cleanup(server.Close)
	entrance := newGate(t, server.Listener.Addr().String())
	entrance.slow(4 * mib)
	u := w.user("carla")
	id := u.add(w.ctx, "http://"+entrance.addr+"/file.bin")
	if d := u.until(w.ctx, id, verified(0.3)); fleet.Ended(d) {
		t.Fatalf("the download is %s with %d bytes and problem %+v before the file has changed", d.State, d.VerifiedBytes, d.Problem)
	}
	current.Store(1)
	entrance.cut() // as a server that starts again with new content
	entrance.open()
	d := u.until(w.ctx, id, func(d api.Download) bool {
		return fleet.Ended(d) || d.Problem != nil && d.Problem.Code == api.CodeChanged
	})
	if d.State != api.StateComplete {
		if slices.Contains(filesIn(t, u.folder), "file.bin") {
			t.Errorf("a file has the final name although the download is %s", d.State)
		}
		return
	}
	if got, want := sumOf(t, d.Path), sha256.Sum256(versions[1]); got != hex.EncodeToString(want[:]) {
		t.Errorf("the file is neither refused nor the new version: SHA-256 %s", got)
	}
}

func TestEdgeWithACertificateOfAnotherAuthority(t *testing.T) {
	w := newWorld(t)
	_, url := w.publish(1 * mib)
	other := otherAuthority(w)
	u := newUser(t, "carla", filepath.Join(w.folder, "carla"), fleet.ThisMachine{},
		fleet.DaemonOptions{CA: other.CA(), Loopback: true})
	id := u.add(w.ctx, url)
	d := u.until(w.ctx, id, func(d api.Download) bool { return d.Problem != nil || fleet.Ended(d) })
	if d.Problem == nil || d.Problem.Code != api.CodeCertificate || d.Problem.Text == "" {
		t.Errorf("the download is %s with problem %+v; want a sentence about the certificate", d.State, d.Problem)
	}
	if names := filesIn(t, u.folder); len(names) != 0 {
		t.Errorf("the folder holds %q; want nothing", names)
	}
}

// otherAuthority starts a second, unrelated control plane.
func otherAuthority(w *world) *fleet.Control {
	return startControl(w.t, fleet.ThisMachine{}, fleet.ControlOptions{
		Data: filepath.Join(w.folder, "other"), Listen: freeAddr(w.t),
	})
}

func TestGrantsAreForWhoAsksRightly(t *testing.T) {
	w := newWorld(t)
	_, url := w.publish(1 * mib)
	u := w.user("carla")
	d := u.until(w.ctx, u.add(w.ctx, url), fleet.Ended)
	content, err := protocol.ParseContentID(d.ContentID)
	if err != nil {
		t.Fatalf("the content ID of the download: %v", err)
	}
	_, device, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	right := protocol.NewGrantRequest(content, device, time.Now())
	altered := func(change func(*protocol.GrantRequest)) protocol.GrantRequest {
		r := right
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		request any
		granted bool
	}{
		"as it should be":      {right, true},
		"another device's key": {altered(func(r *protocol.GrantRequest) { r.Device = bytes.Repeat([]byte{1}, 32) }), false},
		"a key that is none":   {altered(func(r *protocol.GrantRequest) { r.Device = []byte{1} }), false},
		"a changed signature":  {altered(func(r *protocol.GrantRequest) { r.Signature = make([]byte, 64) }), false},
		"an old request":       {protocol.NewGrantRequest(content, device, time.Now().Add(-time.Hour)), false},
		"an unknown object":    {protocol.NewGrantRequest(protocol.ContentID{1}, device, time.Now()), false},
		"not a request":        {"please", false},
	} {
		status, answer := w.askForGrant(c.request)
		if granted := status == http.StatusOK && len(answer.Grant) > 0; granted != c.granted {
			t.Errorf("%s: status %d and a grant of %d bytes; want a grant: %v", name, status, len(answer.Grant), c.granted)
		}
		if status >= 500 {
			t.Errorf("%s: status %d; the fault is the asker's", name, status)
		}
	}
}

// askForGrant posts a request to the edge as a client would.
func (w *world) askForGrant(request any) (status int, answer protocol.GrantAnswer) {
	w.t.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		w.t.Fatal(err)
	}
	post, err := http.NewRequestWithContext(w.ctx, http.MethodPost, "https://"+w.edge.addr+protocol.GrantPath, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	post.Header.Set("Content-Type", "application/json")
	response, err := trusting(w.t, w.control.CA()).Do(post)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			w.t.Fatal(err)
		}
	}
	return response.StatusCode, answer
}

// trusting returns a client that trusts one authority.
func trusting(t *testing.T, ca string) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("%s holds no certificate", ca)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

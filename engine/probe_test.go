package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/control/protocol/bencode"
	"github.com/tributary-dl/tributary/control/protocol/merkle"
	"github.com/tributary-dl/tributary/engine/api"
)

func TestProbeSaysWhatALinkLeadsToAndKeepsNothing(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/a.iso":
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader("hello"))
		case "/named":
			w.Header().Set("Content-Disposition", `attachment; filename="../../b.zip"`)
			w.Header().Set("Content-Length", "3")
			_, _ = w.Write([]byte("abc"))
		case "/hostile":
			w.Header().Set("Link", `</manifest>; rel=describedby; type="application/x-bittorrent"`)
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader("hello"))
		case "/manifest":
			_, _ = w.Write([]byte("d4:info3:abce"))
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	e := open(t, t.TempDir(), Policy{})
	sum := strings.Repeat("ab", sha256.Size)
	tests := []struct {
		name    string
		request api.AddRequest
		want    api.Probe
		problem string // its code
	}{
		{"a file", api.AddRequest{URL: server.URL + "/a.iso"}, api.Probe{Name: "a.iso", TotalBytes: 5, Verdict: api.VerdictUnverified, Resumable: true}, ""},
		{"with a checksum", api.AddRequest{URL: server.URL + "/a.iso", Checksum: sum, Out: "c.iso"}, api.Probe{Name: "c.iso", TotalBytes: 5, Verdict: api.VerdictHash, Resumable: true}, ""},
		{"not resumable, a hostile name", api.AddRequest{URL: server.URL + "/named"}, api.Probe{Name: "b.zip", TotalBytes: 3, Verdict: api.VerdictUnverified}, ""},
		{"a bad manifest", api.AddRequest{URL: server.URL + "/hostile"}, api.Probe{Name: "hostile", TotalBytes: 5, Verdict: api.VerdictUnverified, Resumable: true}, api.CodeManifest},
		{"not there", api.AddRequest{URL: server.URL + "/gone.iso"}, api.Probe{Name: "gone.iso", TotalBytes: -1, Verdict: api.VerdictUnverified}, api.CodeEdgeRefused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := e.Probe(t.Context(), tt.request)
			if err != nil {
				t.Fatal(err)
			}
			code := ""
			if got.Problem != nil {
				code = got.Problem.Code
			}
			if code != tt.problem {
				t.Errorf("the problem is %+v; want the code %q", got.Problem, tt.problem)
			}
			got.Problem, got.URL = nil, ""
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Probe() (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := e.Probe(t.Context(), api.AddRequest{URL: "magnet:?xt=urn:btih:x"}); api.CodeOf(err) != api.ErrInvalid {
		t.Errorf("Probe of a magnet link: %v", err)
	}
	if list := e.List(); len(list) != 0 {
		t.Errorf("probing made downloads: %+v", list)
	}
}

// A hybrid torrent's web seed is downloaded and checked against the root of its tree of hashes.
func TestATorrentsWebSeedIsVerified(t *testing.T) {
	content := []byte(strings.Repeat("0123456789abcdef", 5000)) // not a whole number of blocks
	var h merkle.Hasher
	_, _ = h.Write(content)
	root := h.Root(1)
	var served atomic.Value
	served.Store(string(content))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(served.Load().(string)))
	}))
	defer server.Close()
	torrent := bencode.Encode(bencode.Dict{"url-list": server.URL + "/", "info": bencode.Dict{"name": "pack", "pieces": "x", "file tree": bencode.Dict{
		"..": bencode.Dict{"a.bin": bencode.Dict{"": bencode.Dict{"length": len(content), "pieces root": root[:]}}}}}})
	e := open(t, t.TempDir(), Policy{})
	linked, err := e.ReadLinkFile(t.Context(), api.LinkFile{Data: torrent})
	if err != nil {
		t.Fatal(err)
	}
	want := []api.LinkedFile{{Folder: "pack/download", TotalBytes: int64(len(content)),
		Request: api.AddRequest{URL: server.URL + "/a.bin", Mirrors: []string{}, Out: "a.bin", Checksum: "merkle-sha-256:" + hex.EncodeToString(root[:])}}}
	if diff := cmp.Diff(want, linked); diff != "" {
		t.Fatalf("ReadLinkFile() (-want +got):\n%s", diff)
	}
	r := linked[0].Request
	r.Dir = filepath.Join(t.TempDir(), filepath.FromSlash(linked[0].Folder))
	if _, err := e.Add(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	d := until(t, e, "completion", func(s api.Download) bool { return s.State == api.StateComplete })
	if got, err := os.ReadFile(d.Path); err != nil || string(got) != string(content) || d.Verdict != api.VerdictHash {
		t.Errorf("the file has %d bytes, verdict %s: %v", len(got), d.Verdict, err)
	}
	served.Store(strings.Repeat("X", len(content)))
	r.Out = "spoilt.bin"
	if _, err := e.Add(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	bad := until(t, e, "failure", func(s api.Download) bool { return s.State == api.StateFailed })
	if bad.Problem.Code != api.CodeChecksum {
		t.Errorf("wrong bytes end as %+v", bad.Problem)
	}
}

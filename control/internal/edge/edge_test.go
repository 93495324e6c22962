package edge

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/control/internal/ca"
	"github.com/tributary-dl/tributary/control/internal/publish"
	"github.com/tributary-dl/tributary/control/protocol"
)

var site = publish.Site{Edge: "https://edge.example", Control: "https://control.example"}

func content(size int) []byte {
	data := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(size), byte(size >> 8), byte(size >> 16)}).Read(data)
	return data
}

// lab is a running edge with its clients.
type lab struct {
	t      *testing.T
	dir    string
	edge   *Edge
	server *httptest.Server
	h1, h2 *http.Client
}

// start runs an edge behind a real server with a certificate of package ca. Its data directory is empty.
func start(t *testing.T, bend func(*Config)) *lab {
	t.Helper()
	l := &lab{t: t, dir: t.TempDir()}
	c := Config{DataDir: l.dir, Control: site.Control, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if bend != nil {
		bend(&c)
	}
	var err error
	if l.edge, err = New(c); err != nil {
		t.Fatal(err)
	}
	l.server = httptest.NewUnstartedServer(l.edge.Handler())
	l.server.EnableHTTP2 = true
	if l.server.TLS, err = ca.Server(l.dir, []string{"127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	l.server.StartTLS()
	pool, err := ca.Pool(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	client := func(h2 bool) *http.Client {
		return &http.Client{
			Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: h2, DisableCompression: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	l.h1, l.h2 = client(false), client(true)
	t.Cleanup(l.stop)
	return l
}

func (l *lab) stop() {
	l.h1.CloseIdleConnections()
	l.h2.CloseIdleConnections()
	l.server.Close()
	if err := l.edge.Close(); err != nil {
		l.t.Error(err)
	}
}

func (l *lab) publish(name string, data []byte, bend func(*publish.Options)) publish.Object {
	l.t.Helper()
	path := filepath.Join(l.t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		l.t.Fatal(err)
	}
	opts := publish.Options{Policy: protocol.DefaultPolicy(), Publisher: "Example", Site: site}
	if bend != nil {
		bend(&opts)
	}
	o, err := publish.Publish(l.t.Context(), l.dir, path, opts)
	if err != nil {
		l.t.Fatal(err)
	}
	return o
}

// do sends a request with headers given as "Name: value" and returns the answer with its whole body.
func (l *lab) do(client *http.Client, method, path string, body io.Reader, headers ...string) (*http.Response, []byte) {
	l.t.Helper()
	r, err := http.NewRequestWithContext(l.t.Context(), method, l.server.URL+path, body)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := client.Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return resp, data
}

func (l *lab) get(path string, headers ...string) (*http.Response, []byte) {
	l.t.Helper()
	return l.do(l.h2, "GET", path, nil, headers...)
}

func TestAnswersTellAnyClientWhatItGets(t *testing.T) {
	l := start(t, nil)
	data := content(300_000)
	o := l.publish("größe 1.iso", data, func(opts *publish.Options) {
		opts.Mirrors = []string{"https://mirror.example/x", "https://b.example/y"}
	})
	path := "/gr%C3%B6%C3%9Fe%201.iso"
	if o.URL() != site.Edge+path {
		t.Errorf("URL %s; want %s", o.URL(), site.Edge+path)
	}
	for _, client := range []*http.Client{l.h1, l.h2} {
		for _, method := range []string{"GET", "HEAD"} {
			resp, body := l.do(client, method, path, nil, "Accept-Encoding: gzip, br")
			if want := data; method == "GET" && !bytes.Equal(body, want) || method == "HEAD" && len(body) != 0 {
				t.Errorf("%s %s: the body is wrong", resp.Proto, method)
			}
			sum := sha256.Sum256(data)
			digest := base64.StdEncoding.EncodeToString(sum[:])
			for name, want := range map[string]string{
				"Etag":                   `"` + o.ID.String() + `"`,
				"Content-Length":         "300000",
				"Accept-Ranges":          "bytes",
				"Content-Encoding":       "",
				"Digest":                 "SHA-256=" + digest,
				"Repr-Digest":            "sha-256=:" + digest + ":",
				"X-Content-Type-Options": "nosniff",
			} {
				if got := resp.Header.Get(name); got != want {
					t.Errorf("%s %s: %s is %q; want %q", resp.Proto, method, name, got, want)
				}
			}
			if since, err := http.ParseTime(resp.Header.Get("Last-Modified")); err != nil || since.Before(o.Published) || since.After(time.Now()) {
				t.Errorf("%s %s: since %s, %v; published at %s", resp.Proto, method, since, err, o.Published)
			}
			links := strings.Join(resp.Header.Values("Link"), "\n")
			want := fmt.Sprintf(`</.tributary/manifest/%s.torrent>; rel=describedby; type="application/x-bittorrent"
<%s.meta4>; rel=describedby; type="application/metalink4+xml"
<https://mirror.example/x>; rel=duplicate; pri=1
<https://b.example/y>; rel=duplicate; pri=2`, o.ID, path)
			if links != want {
				t.Errorf("%s %s: links\n%s\nwant\n%s", resp.Proto, method, links, want)
			}
			kind, params, err := mime.ParseMediaType(resp.Header.Get("Content-Disposition"))
			if err != nil || kind != "attachment" || params["filename"] != "größe 1.iso" {
				t.Errorf("Content-Disposition %q", resp.Header.Get("Content-Disposition"))
			}
		}
	}
}

func TestRangesAndConditions(t *testing.T) {
	l := start(t, nil)
	data := content(100_000)
	o := l.publish("a.bin", data, nil)
	etag := `"` + o.ID.String() + `"`
	for _, c := range []struct {
		headers string
		status  int
		want    []byte // nil: not compared
	}{
		{"Range: bytes=0-0", 206, data[:1]},
		{"Range: bytes=99999-", 206, data[99_999:]},
		{"Range: bytes=5000-9999", 206, data[5000:10_000]},
		{"Range: bytes=-10", 206, data[99_990:]},
		{"Range: bytes=50000-200000", 206, data[50_000:]},
		{"Range: bytes=100000-", 416, nil},
		{"Range: bytes=9-3", 416, nil},
		{"Range: " + "bytes=0-0" + strings.Repeat(",0-0", 16), 416, nil},
		{"If-None-Match: " + etag, 304, nil},
		{"If-None-Match: \"x\"", 200, data},
		{"If-Match: " + etag, 200, data},
		{"If-Match: \"x\"", 412, nil},
		{"If-Modified-Since: " + o.Published.Format(http.TimeFormat), 304, nil},
		{"Range: bytes=7-8|If-Range: " + etag, 206, data[7:9]},
		{"Range: bytes=7-8|If-Range: \"x\"", 200, data},
		{"Range: bytes=7-8|If-Match: \"x\"", 412, nil},
	} {
		resp, body := l.get("/a.bin", strings.Split(c.headers, "|")...)
		if resp.StatusCode != c.status || c.want != nil && !bytes.Equal(body, c.want) {
			t.Errorf("%s: %s with %d bytes; want %d with %d", c.headers, resp.Status, len(body), c.status, len(c.want))
		}
		if c.status >= 400 && resp.Header.Get("Digest")+resp.Header.Get("Repr-Digest") != "" {
			t.Errorf("%s: a digest that is not of this body", c.headers)
		}
	}
}

func TestSeveralRangesInOneAnswer(t *testing.T) {
	l := start(t, nil)
	data := content(100_000)
	l.publish("a.bin", data, nil)
	resp, body := l.get("/a.bin", "Range: bytes=10-19,500-509")
	_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusPartialContent || err != nil {
		t.Fatalf("%s, %v", resp.Status, err)
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for _, want := range [][]byte{data[10:20], data[500:510]} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(part); !bytes.Equal(got, want) {
			t.Errorf("%s: wrong bytes", part.Header.Get("Content-Range"))
		}
	}
}

func TestDocuments(t *testing.T) {
	l := start(t, nil)
	o := l.publish("a b.bin", content(1000), nil)
	l.publish("a b.bin.torrent", []byte("published under a document's name"), nil)
	manifest := protocol.ManifestPath + o.ID.String() + ".torrent"
	for path, want := range map[string]struct{ kind, part string }{
		manifest:             {"application/x-bittorrent", "19:tributary signature64:"},
		"/a%20b.bin.meta4":   {"application/metalink4+xml", "<url priority=\"1\">https://edge.example/a%20b.bin</url>"},
		"/a%20b.bin.torrent": {"", "published under a document's name"},
		protocol.WellKnown:   {"application/json", `"control":"https://control.example"`},
		"/":                  {"text/plain; charset=utf-8", "Tributary"},
	} {
		resp, body := l.get(path)
		if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || want.kind != "" && kind != want.kind || !bytes.Contains(body, []byte(want.part)) {
			t.Errorf("GET %s: %s, %s, %.80q", path, resp.Status, kind, body)
		}
	}
	resp, _ := l.get(manifest)
	if again, _ := l.get(manifest, "If-None-Match: "+resp.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("an unchanged manifest is sent again: %s", again.Status)
	}
	l.publish("a b.bin", content(1000), func(o *publish.Options) { o.Policy.Mode = protocol.ModeOffload })
	if again, body := l.get(manifest, "If-None-Match: "+resp.Header.Get("ETag")); again.StatusCode != http.StatusOK || !bytes.Contains(body, []byte("7:offload")) {
		t.Errorf("new terms are not sent: %s", again.Status)
	}
	l.publish("c.bin", content(10), nil)
	if resp, body := l.get("/c.bin.torrent"); resp.StatusCode != http.StatusOK || !bytes.Contains(body, []byte("8:url-list")) {
		t.Errorf("hybrid torrent: %s", resp.Status)
	}
}

// A server that runs shows what another process publishes, and never mixes two versions.
func TestPublishingWhileServing(t *testing.T) {
	l := start(t, nil)
	if resp, _ := l.get("/a.bin"); resp.StatusCode != http.StatusNotFound {
		t.Fatalf("before: %s", resp.Status)
	}
	l.publish("a.bin", content(5000), nil)
	first, _ := l.get("/a.bin")
	l.publish("a.bin", content(5001), nil)
	second, body := l.get("/a.bin", "Range: bytes=4000-", "If-Range: "+first.Header.Get("ETag"))
	if first.StatusCode != http.StatusOK || second.StatusCode != http.StatusOK || !bytes.Equal(body, content(5001)) || first.Header.Get("ETag") == second.Header.Get("ETag") {
		t.Errorf("first %s, then %s with %d bytes", first.Status, second.Status, len(body))
	}
}

// A server that runs knows when another process has withdrawn an object, and when it is published again.
func TestWithdrawnObjectIsGone(t *testing.T) {
	l := start(t, nil)
	o := l.publish("a.bin", content(5000), nil)
	device := newDevice(1)
	paths := []string{"/a.bin", "/a.bin.torrent", "/a.bin.meta4", protocol.ManifestPath + o.ID.String() + ".torrent"}
	expect := func(when string, status int) {
		for _, path := range paths {
			if resp, body := l.get(path); resp.StatusCode != status || status == http.StatusGone && !bytes.Contains(body, []byte("withdrawn")) {
				t.Errorf("%s, GET %s: %s, %.80q; want %d", when, path, resp.Status, body, status)
			}
		}
		if resp, body := l.ask(encode(t, protocol.NewGrantRequest(o.ID, device, time.Now()))); resp.StatusCode != status {
			t.Errorf("%s, a grant: %s, %s; want %d", when, resp.Status, body, status)
		}
	}
	expect("published", http.StatusOK)
	if err := publish.Withdraw(l.dir, o); err != nil {
		t.Fatal(err)
	}
	expect("withdrawn", http.StatusGone)
	l.publish("a.bin", content(5000), nil)
	expect("published again", http.StatusOK)
	if got := l.edge.Stats().ServerErrors; got != 0 {
		t.Errorf("%d server errors; want none", got)
	}
}

func TestNothingElseCanBeReached(t *testing.T) {
	l := start(t, nil)
	o := l.publish("a.bin", content(10), nil)
	for _, path := range []string{
		"/..", "/../a.bin", "/a.bin/", "/a.bin/..", "//a.bin", "/./a.bin", "/%2e%2e/publisher-key.pem", "/..%2fpublisher-key.pem",
		"/publisher-key.pem", "/objects", "/objects/", "/objects/" + o.ID.String() + "/content", "/names/", "/site.json", "/edge-log.jsonl",
		"/%00", "/a.bin%00", "/A.BIN", "/.torrent", "/.meta4", "/ca-key.pem", "/C:%5Cboot.ini",
		protocol.ManifestPath, protocol.ManifestPath + "x.torrent", protocol.ManifestPath + o.ID.String(),
		protocol.ManifestPath + strings.ToUpper(o.ID.String()) + ".torrent", protocol.ManifestPath + "../" + o.ID.String() + ".torrent",
		protocol.ManifestPath + strings.Repeat("0", 64) + ".torrent", "/" + strings.Repeat("a", 5000),
	} {
		r, err := http.NewRequest(http.MethodGet, l.server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Opaque = path // as it is, without cleaning
		if strings.HasPrefix(path, "//") {
			r.URL.Opaque = "//" + r.URL.Host + path
		}
		resp, err := l.h1.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusBadRequest {
			t.Errorf("GET %s: %s, %.60q", path, resp.Status, body)
		}
	}
	for _, c := range []struct{ method, path string }{
		{"POST", "/a.bin"}, {"DELETE", "/a.bin"}, {"PUT", "/new"}, {"GET", protocol.GrantPath}, {"OPTIONS", "/"}, {"HEAD", protocol.GrantPath},
	} {
		if resp, _ := l.do(l.h2, c.method, c.path, nil); resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") == "" {
			t.Errorf("%s %s: %s", c.method, c.path, resp.Status)
		}
	}
}

func TestStatsAndLogTellTheSame(t *testing.T) {
	l := start(t, nil)
	o := l.publish("a.bin", content(50_000), nil)
	l.get("/a.bin")
	l.get("/a.bin", "Range: bytes=1000-1999")
	l.get("/a.bin", "Range: bytes=0-9,20-29")
	l.do(l.h1, "HEAD", "/a.bin", nil)
	l.get("/none")
	l.stop()

	f, err := os.Open(LogPath(l.dir))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var sent int64
	var lines []string
	size, broken, err := ReadLog(f, func(e Entry) error {
		sent += e.Sent
		bytes := fmt.Sprint(e.Sent)
		if e.Start < 0 || e.Content == "" {
			bytes = "?"
		}
		lines = append(lines, fmt.Sprintf("%s %s %d %d+%d %s %v", e.Method, e.Path, e.Status, e.Start, e.Length, bytes, e.Content == o.ID.String()))
		if e.Remote != "127.0.0.1" || time.Since(e.Time) > time.Minute || e.Millis < 0 {
			t.Errorf("entry %+v", e)
		}
		return nil
	})
	if info, _ := f.Stat(); err != nil || broken != 0 || size != info.Size() {
		t.Errorf("read %d bytes, %d broken lines, %v", size, broken, err)
	}
	want := strings.Join([]string{
		"GET /a.bin 200 0+50000 50000 true",
		"GET /a.bin 206 1000+1000 1000 true",
		"GET /a.bin 206 -1+-1 ? true",
		"HEAD /a.bin 200 0+50000 0 true",
		"GET /none 404 0+0 ? false",
	}, "\n")
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("log\n%s\nwant\n%s", got, want)
	}
	if s := l.edge.Stats(); s.Requests != 5 || s.BytesSent != sent || s.Active != 0 || s.LogLost != 0 || s.ServerErrors != 0 {
		t.Errorf("stats %+v; log has %d bytes", s, sent)
	}
}

func TestBrokenObjectIsTheEdgesFault(t *testing.T) {
	l := start(t, nil)
	o := l.publish("a.bin", content(10), nil)
	if err := os.Remove(filepath.Join(l.dir, "objects", o.ID.String(), "content")); err != nil {
		t.Fatal(err)
	}
	resp, body := l.get("/a.bin")
	if resp.StatusCode != http.StatusInternalServerError || strings.Contains(string(body), l.dir) || resp.Header.Get("ETag") != "" {
		t.Errorf("%s, %q, %v", resp.Status, body, resp.Header)
	}
	if got := l.edge.Stats().ServerErrors; got != 1 {
		t.Errorf("%d server errors; want 1", got)
	}
}

// A client that stops reading must not hold a connection, a file and a goroutine for ever.
func TestClientThatTakesNothingIsCutOff(t *testing.T) {
	l := start(t, nil)
	l.edge.patience = 100 * time.Millisecond
	l.publish("big.bin", make([]byte, 24<<20), nil)
	over := make(chan struct{})
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(over)
		l.edge.Handler().ServeHTTP(w, r)
	}))
	defer plain.Close()
	conn, err := net.Dial("tcp", plain.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
	<-over
	if s := l.edge.Stats(); s.Active != 0 || s.BytesSent >= 24<<20 {
		t.Errorf("%+v", s)
	}
}

// Short answers must not hold a connection either, when a client asks on and on and reads none of them.
func TestClientThatOnlyAsksIsCutOff(t *testing.T) {
	l := start(t, nil)
	l.edge.patience = 200 * time.Millisecond
	plain := httptest.NewServer(l.edge.Handler())
	defer plain.Close()
	conn, err := net.Dial("tcp", plain.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	requests := []byte(strings.Repeat("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1000))
	for err == nil {
		conn.SetWriteDeadline(time.Now().Add(20 * time.Second)) // far more than the edge's patience
		_, err = conn.Write(requests)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection is still open")
	}
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := New(Config{DataDir: t.TempDir(), RateLimit: -1, Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("a negative rate is accepted")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{DataDir: file, Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("a file is accepted as data directory")
	}
}

func decode[T any](t *testing.T, data []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	return v
}

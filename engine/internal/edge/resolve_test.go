package edge

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/control/protocol"
)

func TestResolve(t *testing.T) {
	data := content(10_000)
	honest := file(data, `"v1"`)
	with := func(h http.HandlerFunc, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Add(header[i], header[i+1])
			}
			h(w, r)
		}
	}
	tests := []struct {
		name  string
		path  string
		serve http.HandlerFunc
		want  Resource // URL and Mirrors without the server's address
	}{
		{"honest", "/dir/f%20g.zip", honest, Resource{Size: 10_000, Ranges: true, Name: "f g.zip"}},
		{"named", "/get?id=1", with(honest, "Content-Disposition", `attachment; filename="x.zip"`), Resource{Size: 10_000, Ranges: true, Name: "x.zip"}},
		{"no name", "/", honest, Resource{Size: 10_000, Ranges: true}},
		{"empty", "/f", file(nil, `"v1"`), Resource{Size: 0, Name: "f"}},
		{"empty, 416", "/f", status(416, "Content-Range", "bytes */0"), Resource{Size: 0, Name: "f"}},
		{"no ranges", "/f", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10000")
			_, _ = w.Write(data)
		}, Resource{Size: 10_000, Name: "f"}},
		{"unknown size", "/f", func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write(data)
		}, Resource{Size: -1, Name: "f"}},
		{"ranges of unknown size", "/f", part(data, "bytes 0-0/*", 1), Resource{Size: -1, Ranges: true, Name: "f"}},
		{"a part that was not asked for", "/f", part(data, "bytes 0-99/10000", 100), Resource{Size: 10_000, Name: "f"}},
		{"a part of nothing", "/f", status(206), Resource{Size: -1, Name: "f"}},
		{"refuses ranges", "/f", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			honest(w, r)
		}, Resource{Size: 10_000, Name: "f"}},
		{"compressed", "/f", with(honest, "Content-Encoding", "gzip", "Digest", "SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="), Resource{Size: -1, Name: "f"}},
		{"digest", "/f", with(honest, "Digest", "SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
			Resource{Size: 10_000, Ranges: true, Name: "f", SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}},
		{"manifest at the same origin", "/f", with(honest, "Link", `</m.torrent>; rel=describedby; type="application/x-bittorrent"`),
			Resource{Size: 10_000, Ranges: true, Name: "f", ManifestURL: "/m.torrent"}},
		{"manifest elsewhere by https", "/f", with(honest, "Link", `<https://m.example/m>; rel=describedby; type=application/x-bittorrent`),
			Resource{Size: 10_000, Ranges: true, Name: "f", ManifestURL: "https://m.example/m"}},
		{"manifest elsewhere by http", "/f", with(honest, "Link", `<http://m.example/m>; rel=describedby; type=application/x-bittorrent`),
			Resource{Size: 10_000, Ranges: true, Name: "f"}},
		{"something else describes it", "/f", with(honest, "Link", `</f.meta4>; rel=describedby; type="application/metalink4+xml"`),
			Resource{Size: 10_000, Ranges: true, Name: "f"}},
		{"mirrors", "/f", with(honest, "Link", `<https://m.example/2>; rel=duplicate; pri=2, <https://m.example/1>; rel=duplicate; pri=1`, "Link", `<ftp://m.example/f>; rel=duplicate; pri=1, </f>; rel=duplicate`),
			Resource{Size: 10_000, Ranges: true, Name: "f", Mirrors: []string{"https://m.example/1", "https://m.example/2"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.Header.Get("Accept-Encoding") != "identity" {
					t.Errorf("asked with %s, Accept-Encoding %q", r.Method, r.Header["Accept-Encoding"])
				}
				tt.serve(w, r)
			})
			got, err := newClient(t, Config{}).Resolve(t.Context(), Request{URL: server.URL + tt.path})
			if err != nil {
				t.Fatal(err)
			}
			if got.URL != server.URL+tt.path {
				t.Errorf("URL = %s", got.URL)
			}
			g := Resource{Size: got.Size, Ranges: got.Ranges, Name: got.Name, Mirrors: got.Mirrors, SHA256: got.SHA256,
				ManifestURL: strings.TrimPrefix(got.ManifestURL, server.URL)}
			if d := cmp.Diff(tt.want, g, cmp.AllowUnexported(Resource{}), cmp.Comparer(func(a, b *session) bool { return a == b })); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestResolveAfterRedirects(t *testing.T) {
	data := content(100)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/1":
			w.Header().Set("Link", `<https://m.example/f>; rel=duplicate`)
			w.Header().Set("Location", "/dir/2 ü?x=ä#part")
			w.WriteHeader(http.StatusSeeOther)
		default:
			file(data, `"v1"`)(w, r)
		}
	})
	got, err := newClient(t, Config{}).Resolve(t.Context(), Request{URL: server.URL + "/1"})
	if err != nil {
		t.Fatal(err)
	}
	if got.URL != server.URL+"/dir/2%20%C3%BC?x=%C3%A4" || got.Name != "2 ü" || len(got.Mirrors) != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestRequestsThatCannotBeSentAreNotSent(t *testing.T) {
	asked := false
	server := serve(t, func(http.ResponseWriter, *http.Request) { asked = true })
	tests := map[string]Request{
		"no URL":               {},
		"mirror":               {URL: server.URL, Mirrors: []string{"ftp://a.example/"}},
		"header injection":     {URL: server.URL, Headers: map[string]string{"X": "a\r\nHost: b"}},
		"header name":          {URL: server.URL, Headers: map[string]string{"X Y": "a"}},
		"header of ours":       {URL: server.URL, Headers: map[string]string{"range": "bytes=5-"}},
		"cookie injection":     {URL: server.URL, Cookies: "a\nb"},
		"proxy of other kind":  {URL: server.URL, Proxy: "ftp://u:secret@p.example:1"},
		"proxy without scheme": {URL: server.URL, Proxy: "p.example:3128"},
	}
	for name, req := range tests {
		_, err := newClient(t, Config{}).Resolve(t.Context(), req)
		wantKind(t, err, BadURL)
		if err != nil && strings.Contains(err.Error(), "secret") || asked {
			t.Errorf("%s: %v, server asked: %v", name, err, asked)
		}
	}
}

// TestSecretsStayWithTheirHost follows a redirect to another server and back, and a mirror.
func TestSecretsStayWithTheirHost(t *testing.T) {
	data := content(1000)
	type seen struct{ auth, cookie, custom string }
	look := func(r *http.Request) seen {
		return seen{r.Header.Get("Authorization"), r.Header.Get("Cookie"), r.Header.Get("X-Token")}
	}
	var first, other atomic.Value
	b := serve(t, func(w http.ResponseWriter, r *http.Request) { other.Store(look(r)); file(data, `"v1"`)(w, r) })
	target := strings.Replace(b.URL, "http://", "http://sly:redirect@", 1)
	a := serve(t, func(w http.ResponseWriter, r *http.Request) {
		first.Store(look(r))
		http.Redirect(w, r, target, http.StatusFound)
	})

	req := Request{URL: a.URL, User: "me", Password: "secret", Cookies: "c=1", Headers: map[string]string{"X-Token": "t"}}
	s := sourceOf(t, newClient(t, Config{}), req, SourceOptions{})
	if _, err := fetched(t, s, data, 0, 1000); err != nil {
		t.Fatal(err)
	}
	if got, want := first.Load(), (seen{"Basic bWU6c2VjcmV0", "c=1", "t"}); got != want {
		t.Errorf("the host that they are for got %v; want %v", got, want)
	}
	if got := other.Load(); got != (seen{}) {
		t.Errorf("another host got %v", got)
	}

	withUser := strings.Replace(b.URL, "http://", "http://her:own@", 1)
	s = sourceOf(t, newClient(t, Config{}), Request{URL: withUser, Mirrors: []string{a.URL}}, SourceOptions{})
	if _, err := fetched(t, s, data, 0, 1000); err != nil {
		t.Fatal(err)
	}
	if got, want := other.Load(), (seen{"Basic aGVyOm93bg==", "", ""}); got != want {
		t.Errorf("with user-info the host got %v; want %v", got, want)
	}
}

func TestLogsAndErrorsHoldNoSecrets(t *testing.T) {
	var log bytes.Buffer
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/1" {
			http.Redirect(w, r, "/2?token=SECRET", http.StatusFound)
			return
		}
		w.WriteHeader(http.StatusForbidden)
	})
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := NewClient(Config{Log: logger})
	defer c.Close()
	req := Request{URL: strings.Replace(server.URL, "http://", "http://u:SECRET@", 1) + "/1?key=SECRET", Password: "SECRET"}
	_, err := c.Resolve(t.Context(), req)
	logger.Info("add", "request", req, "err", err)
	if s := log.String(); strings.Contains(s, "SECRET") || !strings.Contains(s, "redirected") {
		t.Errorf("log: %s", s)
	}
	wantKind(t, err, Refused)
	if !strings.Contains(err.Error(), "does not allow") {
		t.Errorf("error: %v", err)
	}
}

func TestCertificates(t *testing.T) {
	data := content(1000)
	known, unknown := serveTLS(t, file(data, `"v1"`)), serveTLS(t, file(data, `"v1"`))

	trusting := newClient(t, Config{}, known)
	if _, err := fetched(t, sourceOf(t, trusting, Request{URL: known.URL}, SourceOptions{}), data, 0, 1000); err != nil {
		t.Errorf("over TLS: %v", err)
	}
	_, err := newClient(t, Config{}).Resolve(t.Context(), Request{URL: unknown.URL})
	wantKind(t, err, Certificate)
	if err == nil || !strings.Contains(err.Error(), "an authority that this computer does not know") {
		t.Errorf("unknown authority: %v", err)
	}
	trusting = newClient(t, Config{}, known)
	trusting.resolver = names(t, map[string]string{"wrong.test": "127.0.0.1"})
	_, err = trusting.Resolve(t.Context(), Request{URL: strings.Replace(known.URL, "127.0.0.1", "wrong.test", 1)})
	wantKind(t, err, Certificate)
	if err == nil || !strings.Contains(err.Error(), "another name") {
		t.Errorf("wrong name: %v", err)
	}
	plain := serve(t, file(data, ""))
	_, err = trusting.Resolve(t.Context(), Request{URL: strings.Replace(plain.URL, "http:", "https:", 1)})
	wantKind(t, err, Protocol)
}

func TestTLSIsNotLeftAgain(t *testing.T) {
	plain := serve(t, file(content(10), ""))
	server := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", `<`+plain.URL+`>; rel=duplicate, <http://m.example/f.torrent>; rel=describedby; type="application/x-bittorrent"`)
		if r.URL.Path == "/down" {
			http.Redirect(w, r, plain.URL, http.StatusFound)
		}
	})
	c := newClient(t, Config{}, server)
	_, err := c.Resolve(t.Context(), Request{URL: server.URL + "/down"})
	wantKind(t, err, Refused)
	if err == nil || !strings.Contains(err.Error(), "unprotected") {
		t.Errorf("redirect from https to http: %v", err)
	}
	res, err := c.Resolve(t.Context(), Request{URL: server.URL})
	if err != nil || res.Mirrors != nil || res.ManifestURL != "" {
		t.Errorf("links from https to http: %+v, %v", res, err)
	}
}

func TestManifest(t *testing.T) {
	var body atomic.Value
	body.Store([]byte("d4:infoe"))
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Cookie") != "c=1" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write(body.Load().([]byte))
	})
	c, req := newClient(t, Config{}), Request{URL: server.URL + "/f", Cookies: "c=1"}
	got, err := c.Manifest(t.Context(), req, server.URL+"/f.torrent")
	if string(got) != "d4:infoe" || err != nil {
		t.Errorf("Manifest = %q, %v", got, err)
	}
	body.Store(make([]byte, maxManifest+1))
	_, err = c.Manifest(t.Context(), req, server.URL+"/f.torrent")
	wantKind(t, err, Protocol)
	_, err = c.Manifest(t.Context(), Request{URL: server.URL}, server.URL+"/f.torrent")
	wantKind(t, err, Refused)
}

func TestGrant(t *testing.T) {
	var answer atomic.Value
	answer.Store(`{"grant":"AQID"}`)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var q protocol.GrantRequest
		if r.Method != http.MethodPost || r.URL.Path != protocol.GrantPath || json.NewDecoder(r.Body).Decode(&q) != nil || q.Time != 7 {
			t.Errorf("asked %s %s for %+v", r.Method, r.URL, q)
		}
		_, _ = io.WriteString(w, answer.Load().(string))
	})
	c, req := newClient(t, Config{}), Request{URL: server.URL + "/dir/f"}
	got, err := c.Grant(t.Context(), req, server.URL+"/dir/f?x", protocol.GrantRequest{Time: 7})
	if !bytes.Equal(got, []byte{1, 2, 3}) || err != nil {
		t.Errorf("Grant = %v, %v", got, err)
	}
	for _, bad := range []string{"", "{}", `{"grant":"?"}`, "<html>"} {
		answer.Store(bad)
		_, err := c.Grant(t.Context(), req, server.URL, protocol.GrantRequest{Time: 7})
		wantKind(t, err, Protocol)
	}
}

func TestUnreachableServers(t *testing.T) {
	server := serve(t, file(nil, ""))
	server.Close()
	c := newClient(t, Config{})
	_, err := c.Resolve(t.Context(), Request{URL: server.URL})
	wantKind(t, err, Temporary)
	if e, ok := errors.AsType[*Error](err); !ok || e.Text != "127.0.0.1 cannot be reached." {
		t.Errorf("refused connection: %v", err)
	}
	c = newClient(t, Config{})
	c.resolver = names(t, nil)
	_, err = c.Resolve(t.Context(), Request{URL: "http://nobody.test/"})
	wantKind(t, err, Temporary)
	if err == nil || !strings.Contains(err.Error(), "no server called nobody.test") {
		t.Errorf("unknown name: %v", err)
	}
}

func TestAResourceThatIsAnotherFileNow(t *testing.T) {
	was := &Resource{Size: 10, Validator: Validator{Host: "a.example", ETag: `"1"`}}
	tests := []struct {
		now  Resource
		want bool
	}{
		{Resource{Size: 10, Validator: Validator{Host: "a.example", ETag: `"1"`}}, false},
		{Resource{Size: 10, Validator: Validator{Host: "a.example"}}, false},
		{Resource{Size: 10, Validator: Validator{Host: "a.example", ETag: `"2"`}}, true},
		{Resource{Size: 11, Validator: Validator{Host: "a.example", ETag: `"1"`}}, true},
		{Resource{Size: 10, Validator: Validator{Host: "b.example", ETag: `"1"`}}, true},
	}
	for _, tt := range tests {
		if got := tt.now.Changed(was); got != tt.want {
			t.Errorf("Changed of %+v = %v", tt.now, got)
		}
	}
}

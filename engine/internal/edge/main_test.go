package edge

import (
	"bytes"
	"crypto/x509"
	"log"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// content is a file of n pseudo-random bytes.
func content(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

var modified = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// file serves data as an honest server does.
func file(data []byte, etag string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if etag != "" {
			w.Header().Set("ETag", etag)
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", modified, bytes.NewReader(data))
	}
}

// serve starts a plain server that ends with the test.
func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// serveTLS is serve over TLS, with httptest's certificate for example.com and 127.0.0.1.
func serveTLS(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(t.Output(), "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// newClient returns a client that trusts the TLS servers given.
func newClient(t testing.TB, cfg Config, trusted ...*httptest.Server) *Client {
	t.Helper()
	if len(trusted) > 0 {
		cfg.Roots = x509.NewCertPool()
		for _, s := range trusted {
			cfg.Roots.AddCert(s.Certificate())
		}
	}
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := NewClient(cfg)
	t.Cleanup(c.Close)
	return c
}

// sourceOf resolves a request and returns its source.
func sourceOf(t testing.TB, c *Client, req Request, opt SourceOptions) *Source {
	t.Helper()
	res, err := c.Resolve(t.Context(), req)
	if err != nil {
		t.Fatalf("resolve: %v", err)
	}
	s, err := c.Source(res, nil, opt)
	if err != nil {
		t.Fatalf("source: %v", err)
	}
	return s
}

// fetched reads a range with Fetch and checks that what came is a prefix of the file.
func fetched(t testing.TB, s *Source, data []byte, off, length int64) (int64, error) {
	t.Helper()
	var got []byte
	n, err := s.Fetch(t.Context(), off, length, func(p []byte) error { got = append(got, p...); return nil })
	if int64(len(got)) != n || !bytes.Equal(got, data[off:off+n]) {
		t.Fatalf("Fetch(%d, %d) = %d, %v; its sink got %d bytes that are not the file's", off, length, n, err, len(got))
	}
	if err == nil && n != length {
		t.Fatalf("Fetch(%d, %d) = %d without an error", off, length, n)
	}
	return n, err
}

func kindName(k Kind) string {
	return []string{"none", "temporary", "refused", "changed", "no ranges", "certificate", "bad URL", "blocked", "protocol"}[k]
}

func wantKind(t testing.TB, err error, want Kind) {
	t.Helper()
	if got := KindOf(err); got != want {
		t.Errorf("error %v is of kind %q; want %q", err, kindName(got), kindName(want))
	}
}

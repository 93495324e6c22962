package ca

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

func server(t *testing.T, dir string, hosts ...string) *tls.Config {
	t.Helper()
	config, err := Server(dir, hosts)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func TestClientThatTrustsTheAuthorityTrustsTheServer(t *testing.T) {
	dir := t.TempDir()
	config := server(t, dir, "edge.example", "127.0.0.1", "::1")
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{TLSConfig: config, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })}
	var wg sync.WaitGroup
	wg.Go(func() { srv.ServeTLS(plain, "", "") })
	defer wg.Wait()
	defer srv.Close()

	pool, err := Pool(dir)
	if err != nil {
		t.Fatal(err)
	}
	get := func(c *tls.Config) (string, error) {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}}
		defer client.CloseIdleConnections()
		resp, err := client.Get("https://" + plain.Addr().String())
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return string(body), err
	}
	for _, name := range []string{"", "edge.example"} {
		if got, err := get(&tls.Config{RootCAs: pool, ServerName: name}); err != nil || got != "HTTP/2.0" {
			t.Errorf("server name %q: %q, %v; want an answer over HTTP/2", name, got, err)
		}
	}
	for what, c := range map[string]*tls.Config{
		"no trust": {}, "another name": {RootCAs: pool, ServerName: "other.example"}, "TLS 1.2": {RootCAs: pool, MaxVersion: tls.VersionTLS12},
	} {
		if got, err := get(c); err == nil {
			t.Errorf("%s: answer %q; want a refusal", what, got)
		}
	}
}

func TestCertificateIsKeptWhileItFits(t *testing.T) {
	dir := t.TempDir()
	serial := func(hosts ...string) string {
		return server(t, dir, hosts...).Certificates[0].Leaf.SerialNumber.String()
	}
	first := serial("a.example", "127.0.0.1")
	if serial("a.example", "127.0.0.1") != first || serial("127.0.0.1") != first {
		t.Error("a certificate that fits is replaced")
	}
	if serial("b.example") == first {
		t.Error("a certificate for other hosts is kept")
	}
	second := serial("b.example")
	if err := os.Remove(filepath.Join(dir, CertificateFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, keyFile)); err != nil {
		t.Fatal(err)
	}
	if serial("b.example") == second {
		t.Error("a certificate of another authority is kept")
	}
}

func TestKeysAreForTheirOwnerOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // permissions are inherited from the folder there
	}
	dir := filepath.Join(t.TempDir(), "data")
	server(t, dir, "a.example")
	for name, want := range map[string]os.FileMode{keyFile: 0o600, serverFile: 0o600, CertificateFile: 0o644} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}

func TestStartedTwiceAtOnceThereIsOneAuthority(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := Server(dir, []string{"a.example"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	server(t, dir, "a.example")
}

func TestBrokenAuthorityIsNeverReplaced(t *testing.T) {
	for _, name := range []string{CertificateFile, keyFile} {
		dir := t.TempDir()
		server(t, dir, "a.example")
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Server(dir, []string{"a.example"}); err == nil {
			t.Errorf("%s broken: no error", name)
		}
		if text, _ := os.ReadFile(path); string(text) != "broken" {
			t.Errorf("%s was replaced", name)
		}
	}
	if _, err := Server(t.TempDir(), nil); err == nil {
		t.Error("a certificate for no host")
	}
}

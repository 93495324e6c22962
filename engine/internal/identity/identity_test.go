package identity

import (
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestKeyLastsAndEveryStartHasAName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "device.json")
	first, err := Start(path)
	if err != nil {
		t.Fatal(err)
	}
	starts := first.Starts
	for n := 2; n <= 8; n++ {
		next, err := Start(path)
		if err != nil {
			t.Fatal(err)
		}
		if !next.Key.Equal(first.Key) {
			t.Fatal("the key changed")
		}
		if len(next.Starts) != min(n, keptStarts) || !slices.Equal(next.Starts[1:], starts[:len(next.Starts)-1]) {
			t.Fatalf("start %d: %v does not continue %v", n, next.Starts, starts)
		}
		if slices.Contains(starts, next.Starts[0]) {
			t.Fatal("a start got the name of an older one")
		}
		starts = next.Starts
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v; want 0600: the file holds a key", info.Mode())
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("%d files; want only the identity", len(entries))
	}
}

func TestDamagedFileIsKept(t *testing.T) {
	for _, text := range []string{
		"", "garbage", "{}", `{"device_key":"c2VjcmV0"}`,
		`{"device_key":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=","starts":["zz"]}`,
	} {
		path := filepath.Join(t.TempDir(), "device.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Start(path)
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("Start() with %q = %v; want ErrDamaged", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "c2Vj") {
			t.Error("the error quotes the key")
		}
		if kept, _ := os.ReadFile(path); string(kept) != text {
			t.Error("the file was changed")
		}
	}
}

func TestDeviceCertificateCarriesTheKey(t *testing.T) {
	_, key, _ := ed25519.GenerateKey(nil)
	c, err := DeviceCertificate(key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if pinned, ok := parsed.PublicKey.(ed25519.PublicKey); !ok || !pinned.Equal(key.Public()) {
		t.Error("the certificate has another key")
	}
	if parsed.NotAfter.Before(time.Now().AddDate(1000, 0, 0)) || parsed.Subject.String() != "" {
		t.Errorf("the certificate ends %v and names %q", parsed.NotAfter, parsed.Subject)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"device_key":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=","starts":["00112233445566778899aabbccddeeff"]}`))
	path := filepath.Join(f.TempDir(), "device.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := load(path); err == nil && len(got.Seed) != ed25519.SeedSize {
			t.Errorf("%q was read as a key of %d bytes", text, len(got.Seed))
		}
	})
}

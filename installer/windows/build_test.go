package windows_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tributary-dl/tributary/installer/machine/machinetest"
)

// The same commit gives the same bytes; and signed, one changed byte is found.
func TestBuild(t *testing.T) {
	if !machinetest.Full() {
		t.Skip("builds the installer several times; set FULL=1")
	}
	plain := build(t, older)
	if again := build(t, older); !bytes.Equal(read(t, plain), read(t, again)) {
		t.Error("the same commit gives other bytes")
	}
	key, authority := signer(t)
	programs := t.TempDir()
	signed := build(t, older, "SIGN_KEY="+key, "SIGN_CERT="+authority, "PROGRAMS="+programs)
	for _, file := range []string{signed, filepath.Join(programs, "tributaryd.exe"), filepath.Join(programs, "tributary.exe")} {
		if said, err := verify(file, authority); err != nil {
			t.Errorf("%s is not signed: %v: %s", filepath.Base(file), err, said)
		}
		content := read(t, file)
		content[len(content)/2] ^= 1
		changed := filepath.Join(t.TempDir(), filepath.Base(file))
		if err := os.WriteFile(changed, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if said, err := verify(changed, authority); err == nil {
			t.Errorf("%s passes with a changed byte: %s", filepath.Base(file), said)
		}
	}
	if said, err := verify(plain, authority); err == nil {
		t.Errorf("a package that is not signed passes: %s", said)
	}
}

// signer makes a certificate that may sign programs and vouches for itself, and returns the files of its key and itself.
func signer(t *testing.T) (key, certificate string) {
	t.Helper()
	dir := t.TempDir()
	key, certificate = filepath.Join(dir, "key.pem"), filepath.Join(dir, "certificate.pem")
	said, err := exec.Command("openssl", "req", "-x509", "-newkey", "rsa:3072", "-nodes", "-days", "2", "-subj", "/CN=Tributary test",
		"-addext", "extendedKeyUsage=codeSigning", "-keyout", key, "-out", certificate).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return key, certificate
}

func verify(file, authority string) (said []byte, err error) {
	return exec.Command("osslsigncode", "verify", "-CAfile", authority, "-in", file).CombinedOutput()
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

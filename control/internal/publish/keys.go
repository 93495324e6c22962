package publish

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tributary-dl/tributary/control/internal/durable"
)

// Keys of a data directory. They are made once and must outlive every object: clients pin the
// publisher's, and manifests name the edges'.
type Keys struct {
	Publisher ed25519.PrivateKey // signs terms
	Grant     ed25519.PrivateKey // signs grants, at the edges
}

// OpenKeys reads the keys in dataDir, and makes those that are missing, readable by their owner only.
func OpenKeys(dataDir string) (k Keys, err error) {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return k, err
	}
	if k.Publisher, err = openKey(filepath.Join(dataDir, "publisher-key.pem")); err != nil {
		return k, err
	}
	k.Grant, err = openKey(filepath.Join(dataDir, "grant-key.pem"))
	return k, err
}

func openKey(path string) (ed25519.PrivateKey, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(path); err != nil && !errors.Is(err, fs.ErrExist) { // another process may be first
			return nil, err
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no key", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a %T instead of an Ed25519 key", path, parsed)
	}
	return key, nil
}

func makeKey(path string) error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return durable.Create(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

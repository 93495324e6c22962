// Package identity is who this installation is: its device key, kept in one small file, and the names of
// its last starts. The key never leaves the machine; package identity must never log it or put it into
// an error.
package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// keptStarts is how many starts are remembered: what a login reports.
const keptStarts = 5

// SecondaryGUID names one start of this installation, so that the control plane can tell a machine that
// was cloned or rolled back from one that was merely restarted.
type SecondaryGUID [16]byte

// MarshalText writes the GUID in hex.
func (g SecondaryGUID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, g[:]), nil }

// UnmarshalText reads what MarshalText writes.
func (g *SecondaryGUID) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(g) {
		return errors.New("a secondary GUID has 16 bytes")
	}
	_, err := hex.Decode(g[:], text)
	return err
}

// Identity is an installation's key and its last starts.
type Identity struct {
	Key    ed25519.PrivateKey
	Starts []SecondaryGUID // newest first, this start included, at most five
}

// file is what is stored.
type file struct {
	Seed   []byte          `json:"device_key"` // 32 bytes, RFC 8032
	Starts []SecondaryGUID `json:"starts"`
}

// ErrDamaged says that the file exists but is not an identity. It is left as it is.
var ErrDamaged = errors.New("the identity file is damaged")

// Start reads the identity kept at path, or makes one if there is none, and adds this start to it. Call
// it once a process. When it returns, the new start is on disk.
func Start(path string) (Identity, error) {
	f, err := load(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.Seed = make([]byte, ed25519.SeedSize)
		rand.Read(f.Seed)
	case err != nil:
		return Identity{}, err
	}
	var start SecondaryGUID
	rand.Read(start[:])
	f.Starts = append([]SecondaryGUID{start}, f.Starts[:min(len(f.Starts), keptStarts-1)]...)
	if err := save(path, f); err != nil {
		return Identity{}, fmt.Errorf("store identity: %w", err)
	}
	return Identity{Key: ed25519.NewKeyFromSeed(f.Seed), Starts: f.Starts}, nil
}

func load(path string) (f file, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return f, fmt.Errorf("read identity: %w", err)
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return f, fmt.Errorf("%s: %w", path, ErrDamaged) // the cause may quote the key
	}
	if len(f.Seed) != ed25519.SeedSize {
		return f, fmt.Errorf("%s: %w", path, ErrDamaged)
	}
	return f, nil
}

// save replaces the file so that a crash leaves the old one or the new one, never half of one.
func save(path string, f file) (err error) {
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, filepath.Base(path)+".*") // made with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(temp.Name())
		}
	}()
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Sync()
	}
	if err := errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

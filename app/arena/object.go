package arena

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/tributary-dl/tributary/app/fleet"
)

// object is the file that everybody wants.
type object struct {
	path   string // the original; it is kept
	size   int64
	sha256 string
	url    string
}

// newObject writes noise, which nothing can compress or guess, and publishes it.
func newObject(ctx context.Context, folder string, c *fleet.Control, size int64, policy string, seed uint64) (*object, error) {
	o := &object{path: filepath.Join(folder, "object.bin"), size: size}
	if err := o.write(seed); err != nil {
		return nil, fmt.Errorf("write the object: %w", err)
	}
	policyFile := filepath.Join(folder, "policy.json")
	text, err := json.Marshal(map[string]any{"mode": policy, "peers": true})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(policyFile, text, 0o600); err != nil {
		return nil, err
	}
	urls, err := c.Publish(ctx, policyFile, o.path)
	if err != nil {
		return nil, err
	}
	o.url = urls[0]
	return o, nil
}

func (o *object) write(seed uint64) error {
	f, err := os.Create(o.path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	w := bufio.NewWriterSize(f, 1<<20)
	var key [32]byte
	copy(key[:], fmt.Sprintf("laboratory %d", seed))
	if _, err := io.CopyN(io.MultiWriter(w, sum), rand.NewChaCha8(key), o.size); err != nil {
		return err
	}
	o.sha256 = hex.EncodeToString(sum.Sum(nil))
	return errors.Join(w.Flush(), f.Close())
}

// verify compares a file with the object.
func (o *object) verify(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != o.sha256 {
		return fmt.Errorf("%s has SHA-256 %s; want %s", path, got, o.sha256)
	}
	return nil
}

// alter spoils every 64 KiB of a file and puts its times back, as a broken disk would: whoever verified it before
// does not notice.
func alter(path string) error {
	before, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	for at := int64(0); at < before.Size(); at += 64 << 10 {
		var b [1]byte
		if _, err := f.ReadAt(b[:], at); err != nil {
			return err
		}
		b[0] ^= 0xff
		if _, err := f.WriteAt(b[:], at); err != nil {
			return err
		}
	}
	return os.Chtimes(path, before.ModTime(), before.ModTime())
}

// sentByEdge adds up, for each address, what the edge's log says was sent of the object's bytes.
func sentByEdge(c *fleet.Control) (map[string]int64, error) {
	sent := map[string]int64{}
	f, err := os.Open(c.EdgeLog())
	if errors.Is(err, fs.ErrNotExist) {
		return sent, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for d := json.NewDecoder(f); ; {
		var entry struct {
			Remote, Content string
			Sent            int64
		}
		if err := d.Decode(&entry); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return sent, nil // an edge that was killed leaves half a line
		} else if err != nil {
			return nil, fmt.Errorf("read the edge's log: %w", err)
		}
		if entry.Content != "" {
			sent[entry.Remote] += entry.Sent
		}
	}
}

package desktop

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Hello is what a second start hands to the first.
type Hello struct {
	Links []string `json:"links,omitempty"` // whatever stood on the command line
	Show  bool     `json:"show,omitempty"`  // come to the front
	Paste bool     `json:"paste,omitempty"` // offer what is on the clipboard for download
	Quit  bool     `json:"quit,omitempty"`
}

// maxHello bounds what is read of one.
const maxHello = 1 << 20

// helloTime bounds how long a start waits for the one before it.
const helloTime = 3 * time.Second

// Instance is the one window, or the one tray, of this user.
type Instance struct {
	listener net.Listener
	wg       sync.WaitGroup
}

// ErrHandedOver is what Claim returns when another instance took the hello.
var ErrHandedOver = errors.New("another instance is running")

// Claim makes this process the one instance of a kind ("window", "tray"), or hands hello to the one that is. Then the
// error is ErrHandedOver, and this process has nothing left to do. The socket lies in a folder of the user's own.
func (p Place) Claim(kind string, hello Hello) (*Instance, error) {
	path := filepath.Join(p.dir, kind+".sock")
	if c, err := net.DialTimeout("unix", path, helloTime); err == nil {
		return nil, greet(c, hello)
	}
	// Nobody answers: what is left there is from a process that ended badly.
	if err := removeIfThere(path); err != nil {
		return nil, fmt.Errorf("become the one %s: %w", kind, err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("become the one %s: %w", kind, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("become the one %s: %w", kind, err), l.Close())
	}
	return &Instance{listener: l}, nil
}

func greet(c net.Conn, hello Hello) error {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(helloTime))
	if err := json.NewEncoder(c).Encode(hello); err != nil {
		return fmt.Errorf("speak to the instance that runs: %w", err)
	}
	if _, err := io.ReadAll(io.LimitReader(c, 16)); err != nil {
		return fmt.Errorf("the instance that runs does not answer: %w", err)
	}
	return ErrHandedOver
}

// Serve calls take with each hello of a later start, until Close.
func (i *Instance) Serve(take func(Hello)) {
	i.wg.Go(func() {
		for {
			c, err := i.listener.Accept()
			if err != nil {
				return
			}
			var h Hello
			_ = c.SetDeadline(time.Now().Add(helloTime))
			if json.NewDecoder(io.LimitReader(c, maxHello)).Decode(&h) == nil {
				take(h)
			}
			_ = c.Close()
		}
	})
}

// Close ends Serve and frees the place.
func (i *Instance) Close() error {
	err := i.listener.Close()
	i.wg.Wait()
	return err
}

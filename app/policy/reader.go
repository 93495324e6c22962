package policy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// maxFile is the longest policy file that is read, in bytes.
const maxFile = 1 << 20

// Reader reads policies: what Paths name, and what the administrator of this system wrote, which holds against them.
// Set the fields before the first call; all methods may be called at the same time.
type Reader struct {
	Paths  []string // files, or folders of *.json and *.plist; each must exist
	System bool     // also where this operating system keeps policies

	mu   sync.Mutex
	last [sha256.Size]byte // of what Load read last
}

// source is one text that may hold a policy.
type source struct {
	name  string
	text  []byte
	err   error // it cannot be read
	parse func(name string, text []byte) (document, error)
}

// Load reads everything anew. Every error is a *FaultError.
func (r *Reader) Load() (Policy, error) {
	sources := r.read()
	r.mu.Lock()
	r.last = stamp(sources)
	r.mu.Unlock()
	var all []decision
	for _, s := range sources {
		if s.err != nil {
			return Policy{}, &FaultError{At: Position{File: s.name}, Reason: plain(s.err)}
		}
		document, err := s.parse(s.name, s.text)
		if err != nil {
			return Policy{}, err
		}
		decisions, err := document.decisions()
		if err != nil {
			return Policy{}, err
		}
		all = append(all, decisions...)
	}
	return merge(all), nil
}

// Watch calls changed when something else can be read than Load read last, until ctx ends. It waits until two looks in
// a row have seen the same, so that a file that is just being written is not taken for a broken one. It looks instead
// of being told: that works alike for folders that do not exist yet, network file systems, the registry and preferences.
func (r *Reader) Watch(ctx context.Context, every time.Duration, changed func()) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var before [sha256.Size]byte
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := stamp(r.read())
		r.mu.Lock()
		known := now == r.last
		r.mu.Unlock()
		if !known && now == before {
			changed()
		}
		before = now
	}
}

// read returns all sources in the order of their weight, the lightest first.
func (r *Reader) read() []source {
	var all []source
	if r.System {
		all = append(all, systemDefaults()...)
	}
	for _, path := range r.Paths {
		all = append(all, readPath(path)...)
	}
	if r.System {
		all = append(all, systemPolicies()...)
	}
	return all
}

func stamp(sources []source) [sha256.Size]byte {
	h := sha256.New()
	for _, s := range sources {
		fmt.Fprintf(h, "%q %q %v\n", s.name, s.text, s.err)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// plain leaves out the path, which a fault names already.
func plain(err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Sprintf("cannot %s it: %s", path.Op, path.Err)
	}
	return err.Error()
}

// readPath reads a file, or the policies of a folder in the order of their names.
func readPath(path string) []source {
	info, err := os.Stat(path)
	if err != nil {
		return []source{{name: path, err: err}}
	}
	if !info.IsDir() {
		return []source{readFile(path)}
	}
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return []source{{name: path, err: err}}
	}
	var all []source
	for _, e := range entries {
		if parserOf(e.Name()) != nil {
			all = append(all, readFile(filepath.Join(path, e.Name())))
		}
	}
	return all
}

// readFolder is readPath for a folder that need not exist.
func readFolder(path string) []source {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return readPath(path)
}

// parserOf returns what reads a file of that name; nil: it is no policy.
func parserOf(name string) func(string, []byte) (document, error) {
	switch filepath.Ext(name) {
	case ".json":
		return parseJSON
	case ".plist":
		return parsePlist
	}
	return nil
}

func readFile(path string) source {
	s := source{name: path, parse: parserOf(path)}
	if s.parse == nil { // it was named outright
		s.parse = parseJSON
	}
	s.text, s.err = readBounded(path)
	return s
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would make us wait
		return nil, errors.New("it is not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var text bytes.Buffer
	if _, err := io.Copy(&text, io.LimitReader(file, maxFile+1)); err != nil {
		return nil, err
	}
	if text.Len() > maxFile {
		return nil, fmt.Errorf("it is longer than %d bytes", maxFile)
	}
	return text.Bytes(), nil
}

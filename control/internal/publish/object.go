package publish

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
)

// The data directory. Nothing in it is found by joining a name that came from outside:
//
//	objects/<content ID>/content            the bytes, never changed; gone when they are withdrawn
//	objects/<content ID>/manifest.torrent   the signed manifest
//	objects/<content ID>/hybrid.torrent     the same for other torrent programs
//	objects/<content ID>/metalink.meta4     the same for programs that know Metalink
//	objects/<content ID>/object.json        an Object
//	names/<SHA-256 of the name>.json        which object the name leads to
//	incoming/                               objects that are being made
//	site.json                               where this control plane is reached
const (
	objectsDir  = "objects"
	namesDir    = "names"
	incomingDir = "incoming"
	siteFile    = "site.json"

	contentFile  = "content"
	manifestFile = "manifest.torrent"
	hybridFile   = "hybrid.torrent"
	metalinkFile = "metalink.meta4"
	objectFile   = "object.json"
)

// Object is what has been published. Its bytes never change; its terms may.
type Object struct {
	ID          protocol.ContentID `json:"id"`
	Name        string             `json:"name"`
	Size        int64              `json:"size"` // bytes
	SHA256      []byte             `json:"sha256"`
	PieceLength int64              `json:"piece_length"`
	Publisher   string             `json:"publisher"`
	Policy      protocol.Policy    `json:"policy"`
	Control     string             `json:"control"` // https base URL
	Edges       []string           `json:"edges"`   // https URLs of the bytes, this edge's first
	Published   time.Time          `json:"published"`
	NotAfter    time.Time          `json:"not_after,omitzero"`
	Withdrawn   time.Time          `json:"withdrawn,omitzero"` // since then it is not offered any more
}

// URL returns the object's address at this edge.
func (o Object) URL() string { return o.Edges[0] }

// Mirrors returns the URLs of the same bytes elsewhere.
func (o Object) Mirrors() []string { return o.Edges[1:] }

// Named is the object that a name leads to now.
type Named struct {
	Object
	Since time.Time // when the name was given to this object; whole seconds
}

// naming is the content of a file in names.
type naming struct {
	Name    string             `json:"name"`
	Content protocol.ContentID `json:"content"`
	Since   time.Time          `json:"since"`
}

// Store finds the objects of a data directory, also those that another process adds meanwhile. It is
// safe for concurrent use.
type Store struct {
	dir     string
	names   cache[naming]
	objects cache[Object]
}

// Open returns the store of a data directory, which may still be empty.
func Open(dataDir string) *Store { return &Store{dir: dataDir} }

// ByName returns the object that name leads to. The error matches fs.ErrNotExist if there is none.
func (s *Store) ByName(name string) (Named, error) {
	n, err := s.names.load(namePath(s.dir, name))
	if err != nil {
		return Named{}, err
	}
	o, err := s.ByID(n.Content)
	return Named{Object: o, Since: n.Since}, err
}

// ByID returns an object, also one whose name leads to another by now.
func (s *Store) ByID(id protocol.ContentID) (Object, error) {
	return s.objects.load(filepath.Join(objectDir(s.dir, id), objectFile))
}

// List returns all objects, also those whose name leads to another by now.
func (s *Store) List() ([]Object, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, objectsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []Object
	for _, e := range entries {
		id, err := protocol.ParseContentID(e.Name())
		if err != nil {
			continue // not ours
		}
		o, err := s.ByID(id)
		if err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, nil
}

// Document is a file that describes an object.
type Document string

// The documents of an object.
const (
	Manifest Document = manifestFile // signed, BitTorrent v2
	Hybrid   Document = hybridFile   // .torrent for v1 and v2 with web seeds
	Metalink Document = metalinkFile // RFC 5854
)

// ErrWithdrawn is what is wrong with an object that the publisher has withdrawn.
var ErrWithdrawn = errors.New("the publisher has withdrawn it")

// OpenContent opens the bytes of an object, or returns ErrWithdrawn. The caller closes the file.
func (s *Store) OpenContent(id protocol.ContentID) (*os.File, error) {
	return s.openFile(id, contentFile)
}

// OpenDocument opens a document of an object, or returns ErrWithdrawn. The caller closes the file.
func (s *Store) OpenDocument(id protocol.ContentID, d Document) (*os.File, error) {
	return s.openFile(id, string(d))
}

func (s *Store) openFile(id protocol.ContentID, name string) (*os.File, error) {
	o, err := s.ByID(id)
	if err != nil {
		return nil, err
	}
	if !o.Withdrawn.IsZero() {
		return nil, ErrWithdrawn
	}
	return os.Open(filepath.Join(objectDir(s.dir, id), name))
}

func objectDir(dataDir string, id protocol.ContentID) string {
	return filepath.Join(dataDir, objectsDir, id.String())
}

func namePath(dataDir, name string) string {
	sum := sha256.Sum256([]byte(name))
	return filepath.Join(dataDir, namesDir, hex.EncodeToString(sum[:])+".json")
}

// cache keeps decoded JSON files and asks the file system each time, for the price of one stat,
// whether they have been replaced.
type cache[T any] struct {
	mu      sync.Mutex
	entries map[string]cached[T] // by path; no more than there are files
}

type cached[T any] struct {
	info  fs.FileInfo
	value T
}

func (c *cache[T]) load(path string) (value T, err error) {
	info, err := os.Stat(path)
	if err != nil {
		c.mu.Lock()
		delete(c.entries, path)
		c.mu.Unlock()
		return value, err
	}
	c.mu.Lock()
	have, ok := c.entries[path]
	c.mu.Unlock()
	if ok && os.SameFile(have.info, info) && have.info.ModTime().Equal(info.ModTime()) {
		return have.value, nil
	}
	if have, err = read[T](path); err != nil {
		return value, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[string]cached[T]{}
	}
	c.entries[path] = have
	return have.value, nil
}

func read[T any](path string) (c cached[T], err error) {
	f, err := os.Open(path)
	if err != nil {
		return c, err
	}
	defer f.Close()
	if c.info, err = f.Stat(); err != nil {
		return c, err
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c.value); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

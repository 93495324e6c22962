package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tributary-dl/tributary/control/internal/durable"
)

// leastID is how many letters of an object's ID tell which one is meant.
const leastID = 12

// Find returns the object that a publisher means: the one that a name leads to, or one by its ID, of which the first
// letters will do. The error says what to do.
func (s *Store) Find(what string) (Object, error) {
	named, err := s.ByName(what)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return named.Object, err
	}
	if len(what) < leastID {
		return Object{}, fmt.Errorf("nothing was published under the name %q; an object's ID is told by %d letters of it at least", what, leastID)
	}
	all, err := s.List()
	if err != nil {
		return Object{}, err
	}
	var found []Object
	for _, o := range all {
		if strings.HasPrefix(o.ID.String(), what) {
			found = append(found, o)
		}
	}
	switch len(found) {
	case 0:
		return Object{}, fmt.Errorf("nothing was published under the name or ID %q", what)
	case 1:
		return found[0], nil
	}
	return Object{}, fmt.Errorf("%d objects have an ID that begins with %s; write more of it", len(found), what)
}

// Withdraw ends the offer of an object and deletes its content. What describes it stays, so that accounts know its name,
// and an edge can tell why it does not serve it. To publish the same file again offers it again.
func Withdraw(dataDir string, o Object) error {
	if err := withdraw(dataDir, o); err != nil {
		return fmt.Errorf("withdraw %s: %w", o.Name, err)
	}
	return nil
}

func withdraw(dataDir string, o Object) error {
	dir := objectDir(dataDir, o.ID)
	if o.Withdrawn.IsZero() {
		o.Withdrawn = time.Now().UTC().Truncate(time.Second)
		data, err := encodeJSON(o)
		if err != nil {
			return err
		}
		if err := durable.Write(filepath.Join(dir, objectFile), data, 0o644); err != nil {
			return err
		}
	}
	// Last, so that an edge never offers what is not there. If this fails, to withdraw it again will do.
	if err := os.Remove(filepath.Join(dir, contentFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return durable.SyncDir(dir)
}

// Package durable writes small files so that a reader, another process or a power cut finds the whole
// old one or the whole new one, never a part. It must never be used for content, only for keys, indexes
// and documents that fit in memory.
package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Write replaces path, or makes it.
func Write(path string, data []byte, perm fs.FileMode) error {
	return write(path, data, perm, os.Rename)
}

// Create makes path. It returns an error that matches fs.ErrExist, and changes nothing, if another was
// first; so of two processes that make the same key both then read the same one.
func Create(path string, data []byte, perm fs.FileMode) error {
	return write(path, data, perm, os.Link)
}

// write puts data into a temporary file beside path, makes sure of it, and lets publish give it its name.
func write(path string, data []byte, perm fs.FileMode, publish func(from, to string) error) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if gone := os.Remove(f.Name()); err == nil && gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = gone // a renamed file is rightly gone; a linked one must lose its first name
		}
	}()
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(perm), f.Sync(), f.Close())
	if err == nil {
		err = publish(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return SyncDir(dir)
}

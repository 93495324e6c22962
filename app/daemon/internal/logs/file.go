package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// File is a log file that is moved aside when it is full: log, log.1, log.2 …, the newest first. Only one
// process may write to it.
type File struct {
	path  string
	limit int64 // bytes of one file
	keep  int   // files in all

	mu   sync.Mutex
	file *os.File // nil after Close, and while the file cannot be opened
	size int64
}

// OpenFile opens the log at path, and makes its folder. Of at most keep files, each has at most about
// limit bytes.
func OpenFile(path string, limit int64, keep int) (*File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the log: %w", err)
	}
	f := &File{path: path, limit: limit, keep: keep}
	if err := f.openLocked(); err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return f, nil
}

// Write appends one line, in a new file if the current one is full.
func (f *File) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return 0, fs.ErrClosed
	}
	if f.size > 0 && f.size+int64(len(line)) > f.limit {
		if err := f.rotateLocked(); err != nil {
			return 0, err
		}
	}
	n, err := f.file.Write(line)
	f.size += int64(n)
	return n, err
}

// Close ends the log. Later writes fail.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

func (f *File) openLocked() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	f.file, f.size = file, info.Size()
	return nil
}

// rotateLocked moves every file one place up, the oldest out, and begins a new one. If a file cannot be
// moved, the log goes on in the full one: a long log is better than none.
func (f *File) rotateLocked() error {
	err := f.file.Close()
	f.file = nil
	for i := f.keep - 1; i > 0; i-- {
		_ = os.Rename(f.name(i-1), f.name(i))
	}
	return errors.Join(err, f.openLocked())
}

// name is the path of the i-th newest file.
func (f *File) name(i int) string {
	if i == 0 {
		return f.path
	}
	return fmt.Sprintf("%s.%d", f.path, i)
}

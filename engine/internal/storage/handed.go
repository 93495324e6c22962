package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrHanded means that a file that was handed to us is not one that we may write to on its owner's word.
var ErrHanded = errors.New("the file that was handed over is not acceptable")

// ErrOwnerNames means that all bytes are durable, and that only the file's owner can give it its name.
var ErrOwnerNames = errors.New("the owner of the file gives it its name")

// Handed is a file of another user, who opened it and handed it to us. It is the second kind of target: we have no
// right to its folder, read and write nothing but this file, and never use a path. Names are the owner's business.
type Handed struct {
	file  *os.File
	info  os.FileInfo // when it was handed over
	owner string
	part  string

	finished bool
}

// Accept takes over a file that owner handed to us under the name part, which only the owner uses. It must be a
// regular file of that owner with this one name (a second one could be anywhere), open for reading and, unless it
// is finished, for writing. With an error f is closed.
func Accept(f *os.File, owner, part string, finished bool) (*Handed, error) {
	h := &Handed{file: f, owner: owner, part: part, finished: finished}
	err := checkComponent(part)
	if err == nil {
		err = checkHanded(f, owner, !finished)
	}
	if err == nil {
		h.info, err = f.Stat()
	}
	if err != nil {
		_ = f.Close() // err says what matters
		return nil, fmt.Errorf("%w: %w", ErrHanded, err)
	}
	return h, nil
}

// File returns the open file, for the service manager to keep a copy of.
func (h *Handed) File() *os.File { return h.file }

// Owner returns who handed it over: a uid, or a SID.
func (h *Handed) Owner() string { return h.owner }

// Part returns the name under which it was handed over.
func (h *Handed) Part() string { return h.part }

// Finished reports whether it was handed over to be read alone.
func (h *Handed) Finished() bool { return h.finished }

// SameFile reports whether both are one file. It asks no disk.
func (h *Handed) SameFile(other *Handed) bool { return os.SameFile(h.info, other.info) }

// Empty reports whether the file had no bytes when it was handed over, as one that was made for a new download.
func (h *Handed) Empty() bool { return h.info.Size() == 0 }

// Look returns what tells the file from others, as it is now: for an Identity, or to compare with one.
func (h *Handed) Look() (FileIdentity, error) {
	f, err := handedFolder{h, h.part}.Open(h.part, false)
	if err != nil {
		return FileIdentity{}, fmt.Errorf("look at a handed file: %w", classify(err))
	}
	s, err := f.Stat()
	if err == nil && s.links == 0 {
		err = ErrMissing
	}
	if err != nil {
		return FileIdentity{}, fmt.Errorf("look at a handed file: %w", classify(err))
	}
	return FileIdentity{ID: s.id, Size: s.size, ModTime: s.modTime}, nil
}

// CheckSpace returns ErrDiskFull if the file's volume cannot take need more bytes and keep a reserve.
func (h *Handed) CheckSpace(need int64) error {
	v, err := statVolume(h.file)
	if err != nil {
		return fmt.Errorf("free space: %w", classify(err))
	}
	return checkSpace(v, need)
}

// Close closes the file. No object may use it any more.
func (h *Handed) Close() error { return h.file.Close() }

// CreateHanded is Create for a file that was handed to us: what it holds is dropped. dir is the folder in which its
// owner has it, for people to read.
func (c *Committer) CreateHanded(ctx context.Context, id string, h *Handed, dir, name string, l Layout) (*Object, error) {
	return c.create(ctx, id, &place{dir: dir, handed: h}, name, l)
}

// ReopenHanded is Reopen for a file that was handed to us, again or by an earlier run of the service. Its error is
// never ErrVolumeLost: where the file would be is not looked at.
func (c *Committer) ReopenHanded(ctx context.Context, id string, h *Handed, ident Identity, l Layout, durable Bitmap, clean bool) (*Object, error) {
	return c.reopen(ctx, id, h, ident, l, durable, clean)
}

// handedFolder shows a handed file as a folder in which there is nothing else. It is what keeps all of this package
// from the paths of other users.
type handedFolder struct {
	*Handed
	name string // that the file has now
}

var errNotOurs = errors.New("only the owner of the folder can do that")

// Create empties the file; its owner has made it.
func (d handedFolder) Create(name string) (file, error) {
	f, err := d.Open(name, true)
	if err == nil {
		err = f.Truncate(0)
	}
	return f, err
}

func (d handedFolder) Open(name string, _ bool) (file, error) {
	if name != d.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	v, err := statVolume(d.file)
	if err != nil {
		return nil, err
	}
	return handedFile{&osFile{d.file, v.lastingIDs}}, nil
}

func (d handedFolder) Exists(name string) (bool, error) {
	if name != d.name {
		return false, nil
	}
	s, err := statFile(d.file)
	return s.links > 0, err
}

func (d handedFolder) Folder(string) (folder, error) { return nil, errNotOurs }
func (d handedFolder) Mkdir(string) error            { return errNotOurs }
func (d handedFolder) MkdirAll(string) error         { return errNotOurs }
func (d handedFolder) Rename(string, string) error   { return ErrOwnerNames }
func (d handedFolder) Remove(string) error           { return d.file.Truncate(0) }
func (d handedFolder) Sync(string) error             { return nil }
func (d handedFolder) Volume() (volume, error)       { return statVolume(d.file) }
func (d handedFolder) Close() error                  { return nil } // Handed.Close does

// handedFile is the file while an object uses it; another object may do so later.
type handedFile struct{ *osFile }

func (f handedFile) Close() error { return nil }

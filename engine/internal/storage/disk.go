package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// folder is a folder on a disk, held open, so that no rename above it can lead us elsewhere. Names
// are paths below it. It is an interface so that tests can let each of its calls fail.
type folder interface {
	Create(name string) (file, error) // fails with fs.ErrExist if anything has the name
	Open(name string, write bool) (file, error)
	Folder(name string) (folder, error)
	Mkdir(name string) error    // fails with fs.ErrExist if anything has the name
	MkdirAll(name string) error // that it exists is no error
	Exists(name string) (bool, error)
	Rename(from, to string) error // fails with fs.ErrExist if anything has the new name
	Remove(name string) error     // a folder with all in it
	Sync(name string) error       // brings a folder's entries to the disk; "." is the folder itself
	Volume() (volume, error)
	io.Closer
}

// file is an open file. ReadAt and WriteAt may run side by side.
type file interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Stat() (fileStat, error)
	// Data returns the next range at or after an offset that may hold bytes that were written;
	// io.EOF if there is none.
	Data(from int64) (start, end int64, err error)
	io.Closer
}

// fileStat is what tells one file from another, and a changed one from an unchanged one.
type fileStat struct {
	id      string // within the volume; "" if the file system has no lasting ones
	size    int64
	modTime int64 // ns since 1970
	links   int   // names it has; 0 if it was deleted
}

// volume is what a file system says of itself.
type volume struct {
	id         string // "" if it has none
	lastingIDs bool   // file IDs stay the same over a remount
	free       int64  // bytes that we may still write
	total      int64
}

// osFolder is a folder of the operating system.
type osFolder struct {
	root *os.Root
	dir  *os.File // the folder itself, for what os.Root has no call for
}

func openFolder(path string) (folder, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%w: %s is no folder", ErrFolder, path)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return newFolder(root)
}

func newFolder(root *os.Root) (folder, error) {
	dir, err := root.Open(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	return &osFolder{root, dir}, nil
}

func (d *osFolder) Create(name string) (file, error) {
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	makeSparse(f)
	return d.file(f)
}

// Open refuses links and everything else that is no regular file. os.Root would follow a link that
// stays below the folder, so the name is looked at before and compared with what was opened.
func (d *osFolder) Open(name string, write bool) (file, error) {
	before, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is no regular file", ErrTouched, name)
	}
	flag := os.O_RDONLY
	if write {
		flag = os.O_RDWR
	}
	f, err := d.root.OpenFile(name, flag, 0)
	if err != nil {
		return nil, err
	}
	after, err := f.Stat()
	if err == nil && !os.SameFile(before, after) {
		err = fmt.Errorf("%w: %s was exchanged", ErrTouched, name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return d.file(f)
}

func (d *osFolder) file(f *os.File) (file, error) {
	v, err := statVolume(d.dir)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &osFile{f, v.lastingIDs}, nil
}

func (d *osFolder) Folder(name string) (folder, error) {
	root, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	return newFolder(root)
}

func (d *osFolder) Exists(name string) (bool, error) {
	_, err := d.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (d *osFolder) Sync(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return syncFolder(f)
}

func (d *osFolder) Rename(from, to string) error {
	err := renameNoReplace(d, from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if !noSuchCall(err) {
		return err
	}
	return d.reserveAndRename(from, to)
}

// reserveAndRename is for file systems that cannot rename without replacing: the new name is taken
// exclusively by something empty of ours, and that is replaced.
func (d *osFolder) reserveAndRename(from, to string) error {
	info, err := d.root.Lstat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		err = d.root.Mkdir(to, 0o777)
	} else {
		var f *os.File
		if f, err = d.root.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666); err == nil {
			err = f.Close()
		}
	}
	if err != nil {
		return err
	}
	return d.root.Rename(from, to)
}

func (d *osFolder) Mkdir(name string) error    { return d.root.Mkdir(name, 0o777) }
func (d *osFolder) MkdirAll(name string) error { return d.root.MkdirAll(name, 0o777) }
func (d *osFolder) Remove(name string) error   { return d.root.RemoveAll(name) }
func (d *osFolder) Volume() (volume, error)    { return statVolume(d.dir) }
func (d *osFolder) Close() error               { return errors.Join(d.dir.Close(), d.root.Close()) }
func (d *osFolder) path(name string) string    { return filepath.Join(d.root.Name(), name) }

// osFile is a file of the operating system.
type osFile struct {
	*os.File
	lastingIDs bool
}

func (f *osFile) Stat() (fileStat, error) {
	s, err := statFile(f.File)
	if !f.lastingIDs {
		s.id = ""
	}
	return s, err
}

func (f *osFile) Data(from int64) (start, end int64, err error) { return dataRange(f.File, from) }

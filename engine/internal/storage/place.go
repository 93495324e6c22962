package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// maxTries bounds the search for a free name.
const maxTries = 1000

// place knows where an object's files have their names. What happens to their bytes is the business
// of files, which gets them only as open files, and so could as well be given descriptors.
type place struct {
	dir    string  // absolute
	handed *Handed // the file that is used instead of any in dir; nil: we open what is in dir
	folder folder  // of dir
	part   string
	name   string
	layout Layout
	inner  folder // of part or name, if the object is a folder; nil while closed
	made   []FileIdentity
}

// open opens the folder by its path; or, if a file of it was handed to us, shows that alone, under the name now.
func (p *place) open(path func(string) (folder, error), now string) (err error) {
	if p.handed != nil {
		p.folder = handedFolder{p.handed, now}
		return nil
	}
	p.folder, err = path(p.dir)
	return err
}

// numbered returns the n-th name to try: "a.tar (2).gz" would be no archive, so a short ".tar" stays.
func numbered(name string, n int) string {
	if n == 1 {
		return name
	}
	ext := filepath.Ext(name)
	if tar := strings.TrimSuffix(name, ext); strings.EqualFold(filepath.Ext(tar), ".tar") {
		ext = name[len(tar)-len(".tar"):]
	}
	if len(ext) == len(name) { // ".profile" has no extension
		ext = ""
	}
	return fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(name, ext), n, ext)
}

// create takes the first free name and makes the part file or folder.
func (p *place) create(name string) error {
	for n := 1; n <= maxTries; n++ {
		p.made = nil
		p.name = numbered(name, n)
		p.part = p.name + partSuffix
		if p.handed != nil {
			p.part = p.handed.part // it was made before anybody knew the name
		}
		taken, err := p.folder.Exists(p.name)
		if err != nil {
			return err
		}
		if taken {
			continue
		}
		err = p.makePart()
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		return err
	}
	return fmt.Errorf("%s and %d further names are taken: %w", name, maxTries-1, fs.ErrExist)
}

// makePart makes the part file or folder, which must not exist. What was made goes again if not all
// can be.
func (p *place) makePart() (err error) {
	if p.layout.Files != nil {
		err = p.folder.Mkdir(p.part)
	} else {
		err = p.make(p.folder, p.part, p.layout.Length)
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = p.closeInner(), p.folder.Remove(p.part) // err says what matters
		}
	}()
	if p.layout.Files != nil {
		if err := p.makeTree(); errors.Is(err, fs.ErrExist) {
			// Not wrapped: the caller would try another name, and none helps.
			return fmt.Errorf("two files of the object have one name here: %v", err) //nolint:errorlint // see above
		} else if err != nil {
			return err
		}
	}
	return p.folder.Sync(".")
}

// makeTree makes all files of an object. Each is flushed with its first commit, the folders here.
func (p *place) makeTree() error {
	if err := p.openInner(p.part); err != nil {
		return err
	}
	folders := map[string]bool{".": true}
	for k, f := range p.layout.Files {
		path := p.path(k)
		dir := filepath.Dir(path)
		if !folders[dir] {
			if err := p.inner.MkdirAll(dir); err != nil {
				return err
			}
			for ; !folders[dir]; dir = filepath.Dir(dir) {
				folders[dir] = true
			}
		}
		if err := p.make(p.inner, path, f.Length); err != nil {
			return err
		}
	}
	for dir := range folders {
		if err := p.inner.Sync(dir); err != nil {
			return err
		}
	}
	return nil
}

// make makes a file and remembers it.
func (p *place) make(in folder, name string, length int64) error {
	s, err := p.makeFile(in, name, length)
	p.made = append(p.made, FileIdentity{ID: s.id, Size: s.size})
	return err
}

// makeFile makes a sparse file. A single file is flushed at once; of a thousand that would take
// minutes.
func (p *place) makeFile(in folder, name string, length int64) (fileStat, error) {
	f, err := in.Create(name)
	if err != nil {
		return fileStat{}, err
	}
	err = f.Truncate(max(0, length))
	if err == nil && p.layout.Files == nil {
		err = f.Sync()
	}
	var s fileStat
	if err == nil {
		s, err = f.Stat()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		_ = in.Remove(name) // err says what matters
	}
	return s, err
}

// path returns the path of file k below the object's folder.
func (p *place) path(k int) string { return filepath.Join(p.layout.Files[k].Path...) }

// opener returns a function that opens the object's files below a name.
func (p *place) opener(name string, write bool) func(k int) (file, error) {
	return func(k int) (f file, err error) {
		switch {
		case p.layout.Files == nil:
			f, err = p.folder.Open(name, write)
		case p.inner == nil: // it could not be opened again after the rename
			err = ErrClosed
		default:
			f, err = p.inner.Open(p.path(k), write)
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", ErrMissing, err)
		}
		return f, err
	}
}

func (p *place) openInner(name string) (err error) {
	if p.layout.Files != nil {
		p.inner, err = p.folder.Folder(name)
	}
	return err
}

func (p *place) closeInner() error {
	if p.inner == nil {
		return nil
	}
	err := p.inner.Close()
	p.inner = nil
	return err
}

func (p *place) close() error { return errors.Join(p.closeInner(), p.folder.Close()) }

//go:build unix

package client

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// self is this user as the service knows them.
func self() string { return strconv.Itoa(os.Getuid()) }

// ownFolder is a folder of the user's, held open: whoever exchanges it, or a folder above it, for a link meanwhile
// leads nobody elsewhere.
type ownFolder struct {
	dir  *os.File
	path string // absolute, without links when it was opened
}

// makeFolder opens a folder that the user has just named, and makes it if it is missing. Links that are in the path now
// are followed, and never again.
func makeFolder(path string) (*ownFolder, error) {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, fmt.Errorf("make the folder: %w", err)
	}
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return nil, fmt.Errorf("find the folder: %w", err)
	}
	return openFolder(real)
}

// openFolder opens a folder by a path that has no links.
func openFolder(path string) (*ownFolder, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("the folder %q is not an absolute path", path)
	}
	fd, err := openWithoutLinks(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return &ownFolder{os.NewFile(uintptr(fd), path), path}, nil
}

func (f *ownFolder) Close() error { return f.dir.Close() }

// open opens a file of the folder, never through a link.
func (f *ownFolder) open(name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(int(f.dir.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: filepath.Join(f.path, name), Err: err}
	}
	return os.NewFile(uintptr(fd), filepath.Join(f.path, name)), nil
}

// createPart makes an unfinished file that nobody else can read, with a name that nothing had.
func (f *ownFolder) createPart(stem string) (*os.File, error) {
	for n := range maxTries {
		file, err := f.open(numbered(stem, n)+partSuffix, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL)
		if err == nil {
			setMark(file)
		}
		if !errors.Is(err, os.ErrExist) {
			return file, err
		}
	}
	return nil, fmt.Errorf("make %s in %s: %w", stem+partSuffix, f.path, os.ErrExist)
}

// setMark marks a file as a download. The mark stays with it under all its names, and only its owner can set it. Where the
// file system keeps none, the file is not shared again after a restart of the machine, and that is all.
func setMark(file *os.File) { _ = unix.Fsetxattr(int(file.Fd()), markName, []byte{'1'}, 0) }

// checkMark returns an error if the file has no mark, an errors.ErrUnsupported where none could be kept.
func checkMark(file *os.File) error {
	_, err := unix.Fgetxattr(int(file.Fd()), markName, make([]byte, 1))
	return err
}

// openPart opens an unfinished file, which must be a plain file of this user with one name.
func (f *ownFolder) openPart(name string) (*os.File, error) { return f.openOwn(name, unix.O_RDWR) }

// openFinished opens a finished file, to show it.
func (f *ownFolder) openFinished(name string) (*os.File, error) {
	return f.openOwn(name, unix.O_RDONLY)
}

func (f *ownFolder) openOwn(name string, flags int) (*os.File, error) {
	file, err := f.open(name, flags)
	if err != nil {
		return nil, err
	}
	var s unix.Stat_t
	err = unix.Fstat(int(file.Fd()), &s)
	if err == nil && (s.Mode&unix.S_IFMT != unix.S_IFREG || int(s.Uid) != os.Getuid() || s.Nlink != 1) {
		err = errors.New("it is not a plain file of this user with one name")
	}
	if err != nil {
		return nil, errors.Join(&os.PathError{Op: "open", Path: file.Name(), Err: err}, file.Close())
	}
	return file, nil
}

// giveName gives the open unfinished file its final name, or another if that is taken, without replacing anything, and
// brings that to the disk. It returns the name.
func (f *ownFolder) giveName(part *os.File, from, to string) (string, error) {
	if err := acceptable(to); err != nil {
		return "", err
	}
	for n := range maxTries {
		name := numbered(to, n)
		err := f.rename(from, name)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err == nil {
			err = f.dir.Sync()
		}
		if err != nil {
			return "", fmt.Errorf("name %s: %w", filepath.Join(f.path, name), err)
		}
		return name, f.isStill(part, name)
	}
	return "", fmt.Errorf("name %s: %w", filepath.Join(f.path, to), os.ErrExist)
}

// isStill makes sure that the name is that of the file which was opened.
func (f *ownFolder) isStill(file *os.File, name string) error {
	var a, b unix.Stat_t
	if err := errors.Join(unix.Fstat(int(file.Fd()), &a), unix.Fstatat(int(f.dir.Fd()), name, &b, unix.AT_SYMLINK_NOFOLLOW)); err != nil {
		return err
	}
	if a.Dev != b.Dev || a.Ino != b.Ino {
		return fmt.Errorf("%s was exchanged while it was named", filepath.Join(f.path, name))
	}
	return nil
}

// rename renames without replacing. On a file system that cannot, the name is taken first by an empty file.
func (f *ownFolder) rename(from, to string) error {
	fd := int(f.dir.Fd())
	err := renameNoReplace(fd, from, to)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.ENOTSUP) {
		return err
	}
	taken, err := f.open(to, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err == nil {
		err = taken.Close()
	}
	if err == nil {
		err = unix.Renameat(fd, from, fd, to)
	}
	return err
}

// removeOwn deletes a file of this user that has so many bytes; one that is not there is no error. The service says
// which, so nothing else is taken on its word.
func (f *ownFolder) removeOwn(name string, size int64) error {
	file, err := f.openOwn(name, unix.O_RDONLY)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err == nil && info.Size() != size {
		err = fmt.Errorf("%s was changed: it has %d bytes, not %d", file.Name(), info.Size(), size)
	}
	if err != nil {
		return err
	}
	return f.remove(name)
}

// remove deletes an unfinished file, if it is there.
func (f *ownFolder) remove(name string) error {
	err := unix.Unlinkat(int(f.dir.Fd()), name, 0)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return &os.PathError{Op: "remove", Path: filepath.Join(f.path, name), Err: err}
	}
	return nil
}

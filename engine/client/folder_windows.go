package client

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"

	"github.com/tributary-dl/tributary/engine/ownfile"
)

// self is this user as the service knows them.
func self() string {
	me, err := user.Current()
	if err != nil {
		return ""
	}
	return me.Uid
}

// carrying returns the connection as it is: files do not travel through pipes. The service opens by name what we have
// open, which dialSocket lets it do in our name.
func carrying(conn net.Conn, _ *os.File) (net.Conn, error) { return conn, nil }

// ownFolder is a folder of the user's, held open: meanwhile Windows lets nobody rename or delete it, or a folder above
// it, so its path stays its own.
type ownFolder struct {
	handle windows.Handle
	path   string // absolute, without links
}

// makeFolder opens a folder that the user has just named, and makes it if it is missing. Links that are in the path now
// are followed, and never again.
func makeFolder(path string) (*ownFolder, error) {
	path, err := filepath.Abs(path)
	if err == nil {
		err = os.MkdirAll(path, 0o777)
	}
	if err != nil {
		return nil, fmt.Errorf("make the folder: %w", err)
	}
	return hold(path)
}

// openFolder opens a folder by a path that has no links.
func openFolder(path string) (*ownFolder, error) {
	f, err := hold(path)
	if err == nil && !strings.EqualFold(f.path, filepath.Clean(path)) {
		err = errors.Join(fmt.Errorf("open %s: it leads through a link to %s", path, f.path), f.Close())
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// hold opens a folder and asks the system where it really is.
func hold(path string) (*ownFolder, error) {
	name, err := ownfile.LongPath(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	handle, err := windows.CreateFile(name, windows.FILE_LIST_DIRECTORY, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, nil,
		windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS, 0) // without this flag it opens no folders
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	f := &ownFolder{handle: handle}
	if f.path, err = realPath(handle); err != nil {
		return nil, errors.Join(fmt.Errorf("find the folder %s: %w", path, err), f.Close())
	}
	return f, nil
}

// realPath returns where an open folder is, with a drive's letter or as a share.
func realPath(folder windows.Handle) (string, error) {
	buffer := make([]uint16, windows.MAX_LONG_PATH)
	n, err := windows.GetFinalPathNameByHandle(folder, &buffer[0], uint32(len(buffer)), 0)
	if err != nil {
		return "", err
	}
	path := windows.UTF16ToString(buffer[:n])
	if share, ok := strings.CutPrefix(path, `\\?\UNC\`); ok {
		return `\\` + share, nil
	}
	return strings.TrimPrefix(path, `\\?\`), nil
}

func (f *ownFolder) Close() error { return windows.CloseHandle(f.handle) }

// file returns the path of a file of the folder.
func (f *ownFolder) file(name string) (string, error) {
	// Windows would drop the ends that other programs could not name.
	if name != filepath.Base(name) || !filepath.IsLocal(name) || strings.TrimRight(name, ". ") != name {
		return "", fmt.Errorf("%q is not a name for a file", name)
	}
	return filepath.Join(f.path, name), nil
}

func (f *ownFolder) open(name string, mode ownfile.Mode) (*os.File, error) {
	path, err := f.file(name)
	if err != nil {
		return nil, err
	}
	return ownfile.Open(path, mode)
}

// createPart makes an unfinished file with a name that nothing had. Who else can read it is as for all of the folder.
func (f *ownFolder) createPart(stem string) (*os.File, error) {
	for n := range maxTries {
		file, err := f.open(numbered(stem, n)+partSuffix, ownfile.Make)
		if !errors.Is(err, os.ErrExist) {
			return file, err
		}
	}
	return nil, fmt.Errorf("make %s in %s: %w", stem+partSuffix, f.path, os.ErrExist)
}

// openPart opens an unfinished file, which must be a plain file of this user with one name.
func (f *ownFolder) openPart(name string) (*os.File, error) { return f.open(name, ownfile.Change) }

// openFinished opens a finished file, to show it.
func (f *ownFolder) openFinished(name string) (*os.File, error) { return f.open(name, ownfile.Read) }

// checkMark finds every file good: a service that opens one in our name could open any other by then, so a mark would
// keep nothing from it.
func checkMark(*os.File) error { return nil }

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
		if err != nil {
			return "", fmt.Errorf("name %s: %w", filepath.Join(f.path, name), err)
		}
		return name, f.isStill(part, name)
	}
	return "", fmt.Errorf("name %s: %w", filepath.Join(f.path, to), os.ErrExist)
}

// rename renames without replacing, and waits until that is on the disk.
func (f *ownFolder) rename(from, to string) error {
	var names [2]*uint16
	for i, name := range []string{from, to} {
		path, err := f.file(name)
		if err == nil {
			names[i], err = ownfile.LongPath(path)
		}
		if err != nil {
			return err
		}
	}
	return windows.MoveFileEx(names[0], names[1], windows.MOVEFILE_WRITE_THROUGH)
}

// isStill makes sure that the name is that of the file which was opened.
func (f *ownFolder) isStill(file *os.File, name string) error {
	named, err := f.openFinished(name)
	if err != nil {
		return err
	}
	defer named.Close()
	var a, b windows.ByHandleFileInformation
	err = errors.Join(windows.GetFileInformationByHandle(windows.Handle(file.Fd()), &a), windows.GetFileInformationByHandle(windows.Handle(named.Fd()), &b))
	if err != nil {
		return err
	}
	// The volume is that of the folder. os.SameFile would ask for it, and Wine does not find it by a handle of the old name.
	if a.FileIndexHigh != b.FileIndexHigh || a.FileIndexLow != b.FileIndexLow {
		return fmt.Errorf("%s was exchanged while it was named", named.Name())
	}
	return nil
}

// removeOwn deletes a file of this user that has so many bytes; one that is not there is no error. The service says
// which, so nothing else is taken on its word.
func (f *ownFolder) removeOwn(name string, size int64) error {
	file, err := f.open(name, ownfile.Read)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && info.Size() != size {
		err = fmt.Errorf("%s was changed: it has %d bytes, not %d", file.Name(), info.Size(), size)
	}
	if err = errors.Join(err, file.Close()); err != nil { // an open file would keep its name until it is closed
		return err
	}
	return f.remove(name)
}

// remove deletes an unfinished file, if it is there.
func (f *ownFolder) remove(name string) error {
	path, err := f.file(name)
	if err != nil {
		return err
	}
	long, err := ownfile.LongPath(path)
	if err == nil {
		err = windows.DeleteFile(long)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return &os.PathError{Op: "remove", Path: path, Err: err}
	}
	return nil
}

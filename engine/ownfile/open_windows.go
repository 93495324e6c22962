package ownfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Mode is what a file is opened for.
type Mode int

// The modes. All let others read, write, rename and delete the file meanwhile: the user's program renames what the
// service holds open.
const (
	Make   Mode = iota // a new file, to read and write; an fs.ErrExist if the name is taken
	Change             // one that exists, to read and write
	Read               // one that exists, to read
)

// Open opens the file with the rights of the user in whose name this thread acts. It must be a plain file with one name
// that belongs to that user. path is absolute, on a drive or a share.
func Open(path string, mode Mode) (*os.File, error) {
	name, err := LongPath(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	access, disposition := uint32(windows.GENERIC_READ|windows.GENERIC_WRITE), uint32(windows.OPEN_EXISTING)
	switch mode {
	case Make:
		disposition = windows.CREATE_NEW
	case Read:
		access = windows.GENERIC_READ
	}
	// If it were a pipe of somebody's, its server could learn nothing of who opens it.
	const flags = windows.FILE_ATTRIBUTE_NORMAL | windows.FILE_FLAG_OPEN_REPARSE_POINT | windows.SECURITY_SQOS_PRESENT | windows.SECURITY_ANONYMOUS
	handle, err := windows.CreateFile(name, access, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil, disposition, flags, 0)
	if err == nil {
		if err = check(handle); err != nil {
			err = errors.Join(err, windows.CloseHandle(handle))
		}
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(handle), path), nil
}

// check looks at the open file itself: nothing that anybody does to a path afterwards changes the answer.
func check(file windows.Handle) error {
	kind, err := windows.GetFileType(file)
	if err != nil {
		return err
	}
	if kind != windows.FILE_TYPE_DISK {
		return errors.New("it is no regular file")
	}
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(file, &info); err != nil {
		return err
	}
	switch {
	case info.FileAttributes&(windows.FILE_ATTRIBUTE_DIRECTORY|windows.FILE_ATTRIBUTE_REPARSE_POINT) != 0:
		return errors.New("it is no regular file")
	case info.NumberOfLinks != 1:
		return fmt.Errorf("it has %d names", info.NumberOfLinks)
	}
	return checkOwner(file)
}

// checkOwner compares the file's owner with those that new files of this thread's user have: the user, or for an
// elevated administrator all of them.
func checkOwner(file windows.Handle) error {
	security, err := windows.GetSecurityInfo(file, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("find its owner: %w", err)
	}
	owner, _, err := security.Owner()
	if err != nil {
		return fmt.Errorf("find its owner: %w", err)
	}
	token := windows.GetCurrentThreadEffectiveToken() // of whom the thread acts for, and else of this process
	user, err := token.GetTokenUser()
	if err != nil {
		return fmt.Errorf("find the current user: %w", err)
	}
	if owner.Equals(user.User.Sid) {
		return nil
	}
	usual, err := usualOwner(token)
	if err != nil {
		return fmt.Errorf("find the current user: %w", err)
	}
	if !owner.Equals(usual) {
		return fmt.Errorf("it belongs to %s", owner)
	}
	return nil
}

// usualOwner returns who owns what is made under the token; see TOKEN_OWNER.
func usualOwner(token windows.Token) (*windows.SID, error) {
	// The structure is a pointer to what lies behind it in the same memory.
	buffer := make([]uintptr, 32)
	size := uint32(len(buffer)) * uint32(unsafe.Sizeof(buffer[0]))
	if err := windows.GetTokenInformation(token, windows.TokenOwner, (*byte)(unsafe.Pointer(&buffer[0])), size, &size); err != nil {
		return nil, err
	}
	return (*(**windows.SID)(unsafe.Pointer(&buffer[0]))).Copy()
}

// LongPath makes an absolute path on a drive or a share one that may be longer than MAX_PATH, in which nothing has a
// meaning of its own: no device, and no second stream of a file.
func LongPath(path string) (*uint16, error) {
	volume := filepath.VolumeName(path)
	share := strings.HasPrefix(volume, `\\`)
	switch {
	case !filepath.IsAbs(path), share && strings.ContainsAny(volume[2:3], `?.`):
		return nil, errors.New("it is no absolute path on a drive or a share")
	case strings.Contains(path[len(volume):], ":"):
		return nil, errors.New("a name with a colon is none of a file")
	}
	path = filepath.Clean(path)
	if share {
		return windows.UTF16PtrFromString(`\\?\UNC` + path[1:])
	}
	return windows.UTF16PtrFromString(`\\?\` + path)
}

package client

import (
	"errors"

	"golang.org/x/sys/unix"
)

// markName is the extended attribute that marks a file as a download.
const markName = "user.tributary.download"

// openWithoutLinks opens a folder if no part of its path is a link. A kernel before 5.6, or one that does not let us
// ask, watches the last part alone.
func openWithoutLinks(path string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NOFOLLOW
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_NO_SYMLINKS})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return unix.Open(path, flags, 0)
	}
	return fd, err
}

func renameNoReplace(dir int, from, to string) error {
	return unix.Renameat2(dir, from, dir, to, unix.RENAME_NOREPLACE)
}

package storage

import (
	"os"

	"golang.org/x/sys/unix"
)

// hasLastingIDs knows the file systems that number their files anew at each mount.
func hasLastingIDs(s *unix.Statfs_t) bool {
	switch unix.ByteSliceToString(s.Fstypename[:]) {
	case "msdos", "exfat":
		return false
	}
	return true
}

func renameNoReplace(d *osFolder, from, to string) error {
	fd := int(d.dir.Fd())
	if err := unix.RenameatxNp(fd, from, fd, to, unix.RENAME_EXCL); err != nil {
		return &os.LinkError{Op: "rename", Old: d.path(from), New: d.path(to), Err: err}
	}
	return nil
}

package storage

import (
	"os"

	"golang.org/x/sys/unix"
)

// hasLastingIDs knows the file systems that number their files anew at each mount.
func hasLastingIDs(s *unix.Statfs_t) bool {
	switch int64(s.Type) { //nolint:unconvert // 32 bits on some processors
	case unix.MSDOS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, unix.EXFAT_SUPER_MAGIC:
		return false
	}
	return true
}

func renameNoReplace(d *osFolder, from, to string) error {
	fd := int(d.dir.Fd())
	if err := unix.Renameat2(fd, from, fd, to, unix.RENAME_NOREPLACE); err != nil {
		return &os.LinkError{Op: "rename", Old: d.path(from), New: d.path(to), Err: err}
	}
	return nil
}

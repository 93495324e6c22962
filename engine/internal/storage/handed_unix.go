//go:build unix

package storage

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// checkHanded looks at the descriptor itself: nothing that its sender does to a path afterwards changes the answer.
func checkHanded(f *os.File, owner string, write bool) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var s unix.Stat_t
	var flags int
	var asked error
	err = raw.Control(func(fd uintptr) {
		if asked = unix.Fstat(int(fd), &s); asked == nil {
			flags, asked = unix.FcntlInt(fd, unix.F_GETFL, 0)
		}
	})
	switch {
	case err != nil:
		return err
	case asked != nil:
		return asked
	case s.Mode&unix.S_IFMT != unix.S_IFREG:
		return errors.New("it is no regular file")
	case strconv.FormatUint(uint64(s.Uid), 10) != owner:
		return fmt.Errorf("it belongs to uid %d", s.Uid)
	case s.Nlink != 1:
		return fmt.Errorf("it has %d names", s.Nlink)
	case write && flags&unix.O_ACCMODE != unix.O_RDWR:
		return errors.New("it is not open for reading and writing")
	case flags&unix.O_ACCMODE == unix.O_WRONLY:
		return errors.New("it is not open for reading")
	case flags&unix.O_APPEND != 0:
		return errors.New("it can only be appended to")
	}
	return nil
}

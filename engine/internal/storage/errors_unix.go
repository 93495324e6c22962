//go:build unix

package storage

import (
	"errors"

	"golang.org/x/sys/unix"
)

var kindOfErrno = map[unix.Errno]error{
	unix.ENOSPC:       ErrDiskFull,
	unix.EDQUOT:       ErrDiskFull,
	unix.EFBIG:        ErrTooLarge,
	unix.EROFS:        ErrReadOnly,
	unix.ENOTDIR:      ErrFolder,
	unix.EIO:          ErrVolumeLost,
	unix.ESTALE:       ErrVolumeLost,
	unix.ENOTCONN:     ErrVolumeLost,
	unix.ENODEV:       ErrVolumeLost,
	unix.ENXIO:        ErrVolumeLost,
	unix.EHOSTDOWN:    ErrVolumeLost,
	unix.ETIMEDOUT:    ErrVolumeLost,
	unix.ENAMETOOLONG: ErrNameTooLong,
}

func kindOf(err error) error {
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		return kindOfErrno[errno]
	}
	return nil
}

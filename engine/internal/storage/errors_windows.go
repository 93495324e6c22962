package storage

import (
	"errors"

	"golang.org/x/sys/windows"
)

var kindOfErrno = map[windows.Errno]error{
	windows.ERROR_DISK_FULL:            ErrDiskFull,
	windows.ERROR_HANDLE_DISK_FULL:     ErrDiskFull,
	windows.ERROR_DISK_QUOTA_EXCEEDED:  ErrDiskFull,
	windows.ERROR_FILE_TOO_LARGE:       ErrTooLarge,
	windows.ERROR_WRITE_PROTECT:        ErrReadOnly,
	windows.ERROR_NOT_READY:            ErrVolumeLost,
	windows.ERROR_DEV_NOT_EXIST:        ErrVolumeLost,
	windows.ERROR_DEVICE_NOT_CONNECTED: ErrVolumeLost,
	windows.ERROR_IO_DEVICE:            ErrVolumeLost,
	windows.ERROR_CRC:                  ErrVolumeLost,
	windows.ERROR_FILE_INVALID:         ErrVolumeLost, // the volume was changed under the handle
	windows.ERROR_BAD_NETPATH:          ErrVolumeLost,
	windows.ERROR_NETNAME_DELETED:      ErrVolumeLost,
	windows.ERROR_UNEXP_NET_ERR:        ErrVolumeLost,
	windows.ERROR_BUFFER_OVERFLOW:      ErrNameTooLong,
	windows.ERROR_FILENAME_EXCED_RANGE: ErrNameTooLong,
}

func kindOf(err error) error {
	if errno, ok := errors.AsType[windows.Errno](err); ok {
		return kindOfErrno[errno]
	}
	return nil
}

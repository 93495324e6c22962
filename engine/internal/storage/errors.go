package storage

import (
	"errors"
	"fmt"
	"io/fs"
)

// What can be wrong with a place on a disk. Errors of this package wrap one of these where the
// engine can tell the user what to do; the system's own error is wrapped beside it.
var (
	ErrDiskFull    = errors.New("disk full")                    // or over quota
	ErrTooLarge    = errors.New("file too large for this disk") // FAT32 ends at 4 GiB
	ErrReadOnly    = errors.New("disk is read-only")
	ErrFolder      = errors.New("folder is missing or not writable")
	ErrVolumeLost  = errors.New("disk or network drive is gone")
	ErrNameTooLong = errors.New("file name too long")
	ErrMissing     = errors.New("file was moved or deleted")
	ErrTouched     = errors.New("file was changed by another program")
)

// What callers can do wrong.
var (
	ErrClosed     = errors.New("object is closed")
	ErrSealed     = errors.New("object is complete and takes no more bytes")
	ErrIncomplete = errors.New("object is not complete")
)

var kinds = []error{ErrDiskFull, ErrTooLarge, ErrReadOnly, ErrFolder, ErrVolumeLost, ErrNameTooLong, ErrMissing, ErrTouched}

// classify adds what is wrong to an error of the system, once.
func classify(err error) error {
	if err == nil {
		return nil
	}
	for _, k := range kinds {
		if errors.Is(err, k) {
			return err
		}
	}
	kind := kindOf(err)
	switch {
	case kind != nil:
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		kind = ErrFolder
	default:
		return err
	}
	return fmt.Errorf("%w: %w", kind, err)
}

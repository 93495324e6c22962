//go:build unix

package storage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// makeSparse has nothing to do: files are sparse where the file system can.
func makeSparse(*os.File) {}

func syncFolder(f *os.File) error { return f.Sync() }

func statFile(f *os.File) (fileStat, error) {
	info, err := f.Stat()
	if err != nil {
		return fileStat{}, err
	}
	s := fileStat{size: info.Size(), modTime: info.ModTime().UnixNano(), links: 1}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.id, s.links = strconv.FormatUint(uint64(sys.Ino), 16), int(sys.Nlink) //nolint:unconvert // other systems have other types
	}
	return s, nil
}

func statVolume(dir *os.File) (volume, error) {
	var s unix.Statfs_t
	var err error
	for {
		if err = unix.Fstatfs(int(dir.Fd()), &s); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return volume{}, &os.PathError{Op: "statfs", Path: dir.Name(), Err: err}
	}
	block := int64(s.Bsize) //nolint:unconvert // other systems have other types
	v := volume{
		lastingIDs: hasLastingIDs(&s),
		free:       int64(s.Bavail) * block,
		total:      int64(s.Blocks) * block,
	}
	// Device numbers change from boot to boot; the ID of the file system mostly does not.
	if s.Fsid.Val[0] != 0 || s.Fsid.Val[1] != 0 {
		v.id = fmt.Sprintf("%08x%08x", uint32(s.Fsid.Val[0]), uint32(s.Fsid.Val[1]))
	}
	return v, nil
}

func dataRange(f *os.File, from int64) (start, end int64, err error) {
	start, err = f.Seek(from, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return 0, 0, io.EOF
	}
	if errors.Is(err, unix.EINVAL) { // the file system does not know
		info, err := f.Stat()
		if err != nil {
			return 0, 0, err
		}
		if from >= info.Size() {
			return 0, 0, io.EOF
		}
		return from, info.Size(), nil
	}
	if err != nil {
		return 0, 0, err
	}
	end, err = f.Seek(start, unix.SEEK_HOLE)
	return start, end, err
}

// noSuchCall reports whether a file system (or an old kernel) does not have the call at all.
func noSuchCall(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP)
}

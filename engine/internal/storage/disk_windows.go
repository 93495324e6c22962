package storage

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// makeSparse keeps NTFS from filling everything before a write with zeros. FAT cannot, and does
// without.
func makeSparse(f *os.File) {
	var n uint32
	windows.DeviceIoControl(windows.Handle(f.Fd()), windows.FSCTL_SET_SPARSE, nil, 0, nil, 0, &n, nil)
}

// syncFolder has nothing to do: MOVEFILE_WRITE_THROUGH and the journal of NTFS keep names, and a
// folder's handle cannot be flushed without the right to write its attributes.
func syncFolder(*os.File) error { return nil }

func statFile(f *os.File) (fileStat, error) {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info); err != nil {
		return fileStat{}, &os.PathError{Op: "stat", Path: f.Name(), Err: err}
	}
	return fileStat{
		id:      strconv.FormatUint(uint64(info.FileIndexHigh)<<32|uint64(info.FileIndexLow), 16),
		size:    int64(info.FileSizeHigh)<<32 | int64(info.FileSizeLow),
		modTime: info.LastWriteTime.Nanoseconds(),
		links:   int(info.NumberOfLinks),
	}, nil
}

func statVolume(dir *os.File) (volume, error) {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(dir.Fd()), &info); err != nil {
		return volume{}, &os.PathError{Op: "stat", Path: dir.Name(), Err: err}
	}
	space, err := volumeSpace(windows.Handle(dir.Fd()))
	if err != nil {
		return volume{}, &os.PathError{Op: "free space", Path: dir.Name(), Err: err}
	}
	kind := make([]uint16, 32)
	err = windows.GetVolumeInformationByHandle(windows.Handle(dir.Fd()), nil, 0, nil, nil, nil, &kind[0], uint32(len(kind)))
	fat := err == nil && strings.Contains(windows.UTF16ToString(kind), "FAT") // FAT32, exFAT
	return volume{
		id:         strconv.FormatUint(uint64(info.VolumeSerialNumber), 16),
		lastingIDs: !fat,
		free:       space.free * space.unit(),
		total:      space.total * space.unit(),
	}, nil
}

// fullSize is FILE_FS_FULL_SIZE_INFORMATION.
type fullSize struct {
	total, free, reallyFree       int64 // allocation units; free is what quotas leave of reallyFree
	sectorsPerUnit, bytesInSector uint32
}

func (s fullSize) unit() int64 { return int64(s.sectorsPerUnit) * int64(s.bytesInSector) }

// procQueryVolume is missing in x/sys/windows.
var procQueryVolume = windows.NewLazySystemDLL("ntdll.dll").NewProc("NtQueryVolumeInformationFile")

// volumeSpace asks for the room on the volume of an open file or folder. All other calls take the path of a folder,
// which for a file that was handed to us we may have no right to.
func volumeSpace(file windows.Handle) (s fullSize, err error) {
	const fullSizeInformation = 7
	var status windows.IO_STATUS_BLOCK
	code, _, _ := procQueryVolume.Call(uintptr(file), uintptr(unsafe.Pointer(&status)), uintptr(unsafe.Pointer(&s)), unsafe.Sizeof(s), fullSizeInformation)
	if code != 0 {
		return s, windows.NTStatus(code)
	}
	return s, nil
}

// allocatedRange is FILE_ALLOCATED_RANGE_BUFFER.
type allocatedRange struct{ offset, length int64 }

func dataRange(f *os.File, from int64) (start, end int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	if from >= info.Size() {
		return 0, 0, io.EOF
	}
	ask, got := allocatedRange{from, info.Size() - from}, allocatedRange{}
	var n uint32
	err = windows.DeviceIoControl(windows.Handle(f.Fd()), windows.FSCTL_QUERY_ALLOCATED_RANGES,
		(*byte)(unsafe.Pointer(&ask)), uint32(unsafe.Sizeof(ask)),
		(*byte)(unsafe.Pointer(&got)), uint32(unsafe.Sizeof(got)), &n, nil)
	switch {
	case err != nil && !errors.Is(err, windows.ERROR_MORE_DATA):
		return from, info.Size(), nil // the file system does not know
	case n == 0:
		return 0, 0, io.EOF
	}
	return max(from, got.offset), got.offset + got.length, nil
}

func noSuchCall(error) bool { return false }

func renameNoReplace(d *osFolder, from, to string) error {
	old, err := longPath(d.path(from))
	if err != nil {
		return err
	}
	new, err := longPath(d.path(to))
	if err != nil {
		return err
	}
	if err := windows.MoveFileEx(old, new, windows.MOVEFILE_WRITE_THROUGH); err != nil {
		return &os.LinkError{Op: "rename", Old: d.path(from), New: d.path(to), Err: err}
	}
	return nil
}

// longPath makes a path that may be longer than MAX_PATH.
func longPath(path string) (*uint16, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(path, `\\?\`):
	case strings.HasPrefix(path, `\\`):
		path = `\\?\UNC` + path[1:]
	default:
		path = `\\?\` + path
	}
	return windows.UTF16PtrFromString(path)
}

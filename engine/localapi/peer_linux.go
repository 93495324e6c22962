package localapi

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mostGroups is how many groups a process can be in; see NGROUPS_MAX in setgroups(2).
const mostGroups = 65536

// peerOf returns the user who connected to the socket fd, and the groups of the process that did; see SO_PEERCRED in
// unix(7), and SO_PEERGROUPS, which is Linux's since 4.13.
func peerOf(fd int) (uid uint32, groups []uint32, err error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, nil, err
	}
	groups, err = peerGroups(fd)
	return cred.Uid, append(groups, cred.Gid), err
}

// peerGroups asks again with more room if there was not enough. x/sys has no call for it.
func peerGroups(fd int) ([]uint32, error) {
	for room := 64; room <= mostGroups; room *= 4 {
		groups := make([]uint32, room)
		size := uint32(room) * uint32(unsafe.Sizeof(groups[0]))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return groups[:size/uint32(unsafe.Sizeof(groups[0]))], nil
		case errno == unix.ENOPROTOOPT: // an older kernel: only the first group is known
			return nil, nil
		case errno != unix.ERANGE:
			return nil, errno
		}
	}
	return nil, errors.New("the caller is in too many groups")
}

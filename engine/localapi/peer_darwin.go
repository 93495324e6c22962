package localapi

import "golang.org/x/sys/unix"

// peerOf returns the user who connected to the socket fd, and the first groups of the process that did; see
// LOCAL_PEERCRED in unix(4).
func peerOf(fd int) (uid uint32, groups []uint32, err error) {
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, nil, err
	}
	n := min(max(0, int(cred.Ngroups)), len(cred.Groups))
	return cred.Uid, cred.Groups[:n], nil
}

package peerlink

import (
	"net"

	"golang.org/x/sys/unix"
)

// receiveBuffer asks how large the buffer for arriving packets is, in bytes; 0: nobody knows. The system counts its own
// bookkeeping in, and so reports twice what was asked for (socket(7)), as does quic-go's own comparison.
func receiveBuffer(udp *net.UDPConn) (size int) {
	raw, err := udp.SyscallConn()
	if err != nil {
		return 0
	}
	err = raw.Control(func(fd uintptr) {
		if size, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF); err != nil {
			size = 0
		}
	})
	if err != nil {
		return 0
	}
	return size
}

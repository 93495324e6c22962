//go:build unix

package client

import (
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// carrying returns the connection such that a copy of the file goes with the first bytes (SCM_RIGHTS, see unix(7)).
func carrying(conn net.Conn, file *os.File) (net.Conn, error) {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("hand a file over: %T is not a Unix socket", conn)
	}
	return &carrier{UnixConn: socket, file: file}, nil
}

type carrier struct {
	*net.UnixConn
	file *os.File // nil when it has gone
}

func (c *carrier) Write(b []byte) (int, error) {
	if c.file == nil || len(b) == 0 {
		return c.UnixConn.Write(b)
	}
	n, _, err := c.WriteMsgUnix(b, unix.UnixRights(int(c.file.Fd())), nil)
	if err != nil {
		return n, err
	}
	c.file = nil
	if n < len(b) {
		more, err := c.UnixConn.Write(b[n:])
		return n + more, err
	}
	return n, nil
}

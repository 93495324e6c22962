//go:build unix

package localapi

import (
	"net"
	"os"
	"sync"
	"syscall"
)

// receiving returns the connection with an ear for the descriptors that come beside its bytes.
func receiving(c net.Conn) fileConn {
	socket, ok := c.(*net.UnixConn)
	if !ok {
		return deafConn{c} // of a test
	}
	return &unixConn{UnixConn: socket, oob: make([]byte, syscall.CmsgSpace(4))}
}

// unixConn keeps the one descriptor that came last (SCM_RIGHTS, see unix(7)) until it is taken or the connection ends.
// The kernel hands it over with the bytes that it was sent with, so it is here when those are.
type unixConn struct {
	*net.UnixConn
	oob []byte // of the read that goes on; there is one at a time

	mu     sync.Mutex
	file   *os.File
	closed bool
}

func (c *unixConn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil // ReadMsgUnix would read a byte and lose it
	}
	// It marks descriptors as not for programs that we start. What does not fit in oob, the kernel closes.
	n, oobn, _, _, err := c.ReadMsgUnix(b, c.oob)
	if oobn > 0 {
		c.receive(c.oob[:oobn])
	}
	return n, err
}

// receive keeps the first descriptor in a control message, instead of any before it, and closes the others.
func (c *unixConn) receive(oob []byte) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return // of the kernel's own making: this cannot be
	}
	var fds []int
	for _, m := range messages {
		if rights, err := syscall.ParseUnixRights(&m); err == nil {
			fds = append(fds, rights...)
		}
	}
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "handed over")
		if i > 0 || !c.keep(f) {
			_ = f.Close() // nobody wrote to it
		}
	}
}

func (c *unixConn) keep(f *os.File) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	if c.file != nil {
		_ = c.file.Close() // nobody wrote to it
	}
	c.file = f
	return true
}

func (c *unixConn) takeFile(_, _ string, _ bool) (*os.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.file
	c.file = nil
	return f, nil
}

func (c *unixConn) Close() error {
	err := c.UnixConn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.file != nil {
		_ = c.file.Close() // nobody wrote to it
		c.file = nil
	}
	return err
}

// deafConn is a connection through which no files come.
type deafConn struct{ net.Conn }

func (deafConn) takeFile(_, _ string, _ bool) (*os.File, error) { return nil, nil }

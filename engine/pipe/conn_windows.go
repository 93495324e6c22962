package pipe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// Addr is the name of a pipe.
type Addr string

// Network implements net.Addr.
func (Addr) Network() string  { return "pipe" }
func (a Addr) String() string { return string(a) }

// Conn is one end of a pipe. All methods may be called at the same time.
type Conn struct {
	file *os.File // opened for overlapped I/O, so that deadlines and Close end what is under way
	name Addr
}

func newConn(handle windows.Handle, name Addr) *Conn {
	return &Conn{file: os.NewFile(uintptr(handle), string(name)), name: name}
}

func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.file.Read(b)
	return n, c.asNetError("read", err)
}

func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.file.Write(b)
	return n, c.asNetError("write", err)
}

// Close implements net.Conn. The other end can still read what was written.
func (c *Conn) Close() error { return c.asNetError("close", c.file.Close()) }

// LocalAddr and RemoteAddr both name the pipe.
func (c *Conn) LocalAddr() net.Addr  { return c.name }
func (c *Conn) RemoteAddr() net.Addr { return c.name }

func (c *Conn) SetDeadline(t time.Time) error { return c.asNetError("set", c.file.SetDeadline(t)) }
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.asNetError("set", c.file.SetReadDeadline(t))
}
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.asNetError("set", c.file.SetWriteDeadline(t))
}

// asNetError turns an error of a file into one of a connection. net/http tells a deadline that it set itself from a
// connection that broke by net.Error, which errors of files are not.
func (c *Conn) asNetError(op string, err error) error {
	fault, ok := errors.AsType[*fs.PathError](err)
	if !ok {
		return err // nil and io.EOF are the same for both
	}
	cause := fault.Err
	if errors.Is(cause, fs.ErrClosed) {
		cause = net.ErrClosed
	}
	return &net.OpError{Op: op, Net: c.name.Network(), Addr: c.name, Err: cause}
}

// Trust is what a client lets the server of a pipe do in its name.
type Trust uint32

// The levels of trust, see SECURITY_IMPERSONATION_LEVEL.
const (
	// Identify tells the server who the client is, and no more.
	Identify Trust = windows.SECURITY_IDENTIFICATION
	// Act lets the server open files on this machine as the client. Only for a call that hands over a file.
	Act Trust = windows.SECURITY_IMPERSONATION
)

// connectRights are those of Connect: to ask for GENERIC_WRITE would be to ask for a server's right, too.
const connectRights = (windows.FILE_GENERIC_READ | windows.FILE_GENERIC_WRITE) &^ windows.FILE_APPEND_DATA

// busyPause is how long Dial waits between two attempts at a pipe whose server is about to take another caller.
const busyPause = 10 * time.Millisecond

// Dial connects to the pipe, and waits until ctx ends while its server is busy. A pipe that does not exist is an
// fs.ErrNotExist. One that belongs neither to this user nor to the system is an fs.ErrPermission: names of pipes are
// free for all, and another user may have taken ours.
func Dial(ctx context.Context, name string, trust Trust) (net.Conn, error) {
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, fmt.Errorf("pipe %q: %w", name, err)
	}
	for {
		handle, err := windows.CreateFile(path, connectRights, 0, nil, windows.OPEN_EXISTING,
			windows.FILE_FLAG_OVERLAPPED|windows.SECURITY_SQOS_PRESENT|uint32(trust), 0)
		if err == nil {
			if err := checkOwner(handle); err != nil {
				return nil, errors.Join(fmt.Errorf("pipe %s: %w", name, err), windows.CloseHandle(handle))
			}
			return newConn(handle, Addr(name)), nil
		}
		if !errors.Is(err, windows.ERROR_PIPE_BUSY) {
			return nil, fmt.Errorf("pipe %s: %w", name, err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("pipe %s is busy: %w", name, ctx.Err())
		case <-time.After(busyPause):
		}
	}
}

// trusted are the accounts of services beside this user's own: ours is LocalService.
var trusted = []windows.WELL_KNOWN_SID_TYPE{windows.WinLocalSystemSid, windows.WinLocalServiceSid}

func checkOwner(pipe windows.Handle) error {
	security, err := windows.GetSecurityInfo(pipe, windows.SE_KERNEL_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("find the owner: %w", err)
	}
	owner, _, err := security.Owner()
	if err != nil {
		return fmt.Errorf("find the owner: %w", err)
	}
	for _, sid := range trusted {
		if owner.IsWellKnown(sid) {
			return nil
		}
	}
	me, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return fmt.Errorf("find the current user: %w", err)
	}
	if !owner.Equals(me.User.Sid) {
		return fmt.Errorf("it belongs to %s: %w", owner, fs.ErrPermission)
	}
	return nil
}

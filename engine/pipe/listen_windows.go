package pipe

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Connect is the right to open a pipe for both directions as a client, as access lists write it. It is what "GRGW"
// would give without FILE_APPEND_DATA, which on a pipe is the right to be its server.
const Connect = "0x12019b"

// bufferSize is what the system holds for a slow reader, in bytes for each direction.
const bufferSize = 64 << 10

// Listener takes the callers of a pipe. Make one with Listen.
type Listener struct {
	name     Addr
	security *windows.SecurityAttributes
	stop     windows.Handle // event: Close was called
	once     sync.Once

	accepting sync.Mutex // guards all below
	closed    bool
	next      windows.Handle // the instance that waits for a caller
	// The system writes to this while the instance waits: it must not move.
	waiting windows.Overlapped
}

// Listen makes the pipe. access is who may do what with it: a DACL in SDDL, see Connect. Callers from other machines
// are turned away whatever access says. If the pipe exists already, the error is an fs.ErrPermission.
func Listen(name, access string) (*Listener, error) {
	me, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, fmt.Errorf("find the current user: %w", err)
	}
	// Elevated processes would make it the property of all administrators, and clients look at whose it is.
	descriptor, err := windows.SecurityDescriptorFromString("O:" + me.User.Sid.String() + access)
	if err != nil {
		return nil, fmt.Errorf("pipe %s: read the access list %q: %w", name, access, err)
	}
	l := &Listener{name: Addr(name), security: &windows.SecurityAttributes{SecurityDescriptor: descriptor}}
	l.security.Length = uint32(unsafe.Sizeof(*l.security))
	if l.next, err = l.create(windows.FILE_FLAG_FIRST_PIPE_INSTANCE); err != nil {
		return nil, fmt.Errorf("pipe %s: %w", name, err)
	}
	if l.stop, err = windows.CreateEvent(nil, 1, 0, nil); err != nil {
		return nil, errors.Join(err, windows.CloseHandle(l.next))
	}
	if l.waiting.HEvent, err = windows.CreateEvent(nil, 1, 0, nil); err != nil {
		return nil, errors.Join(err, windows.CloseHandle(l.next), windows.CloseHandle(l.stop))
	}
	return l, nil
}

// create makes another instance of the pipe: each serves one caller.
func (l *Listener) create(flags uint32) (windows.Handle, error) {
	path, err := windows.UTF16PtrFromString(string(l.name))
	if err != nil {
		return 0, err
	}
	return windows.CreateNamedPipe(path,
		windows.PIPE_ACCESS_DUPLEX|windows.FILE_FLAG_OVERLAPPED|flags,
		windows.PIPE_TYPE_BYTE|windows.PIPE_READMODE_BYTE|windows.PIPE_WAIT|windows.PIPE_REJECT_REMOTE_CLIENTS,
		windows.PIPE_UNLIMITED_INSTANCES, bufferSize, bufferSize, 0, l.security)
}

// Accept implements net.Listener; it returns a *Conn.
func (l *Listener) Accept() (net.Conn, error) {
	l.accepting.Lock()
	defer l.accepting.Unlock()
	if l.closed {
		return nil, l.fault(net.ErrClosed)
	}
	err := l.waitForCaller()
	for errors.Is(err, windows.ERROR_NO_DATA) { // the caller has gone already
		if err := windows.DisconnectNamedPipe(l.next); err != nil {
			return nil, l.fault(err)
		}
		err = l.waitForCaller()
	}
	if err != nil {
		return nil, l.fault(err)
	}
	// While an instance exists nobody can take the name over, so the new one comes before the caller is handed on.
	fresh, err := l.create(0)
	if err != nil {
		return nil, l.fault(errors.Join(err, windows.DisconnectNamedPipe(l.next)))
	}
	c := newConn(l.next, l.name)
	l.next = fresh
	return c, nil
}

// waitForCaller returns nil when a caller has connected to l.next.
func (l *Listener) waitForCaller() error {
	err := windows.ConnectNamedPipe(l.next, &l.waiting)
	if errors.Is(err, windows.ERROR_IO_PENDING) {
		err = l.waitForConnect()
	}
	if errors.Is(err, windows.ERROR_PIPE_CONNECTED) { // before we asked
		return nil
	}
	return err
}

func (l *Listener) waitForConnect() error {
	signalled, err := windows.WaitForMultipleObjects([]windows.Handle{l.stop, l.waiting.HEvent}, false, windows.INFINITE)
	stopped := err == nil && signalled == windows.WAIT_OBJECT_0
	if err != nil || stopped {
		// Whether there was something left to cancel does not matter; that the system is done with l.waiting does.
		_ = windows.CancelIoEx(l.next, &l.waiting)
	}
	var unused uint32
	connected := windows.GetOverlappedResult(l.next, &l.waiting, &unused, true)
	switch {
	case stopped:
		return net.ErrClosed
	case err != nil:
		return err
	}
	return connected
}

func (l *Listener) fault(err error) error {
	return &net.OpError{Op: "accept", Net: l.name.Network(), Addr: l.name, Err: err}
}

// Close ends a waiting Accept and gives the name up once the callers that were accepted have gone.
func (l *Listener) Close() error {
	err := l.fault(net.ErrClosed)
	l.once.Do(func() {
		stopped := windows.SetEvent(l.stop)
		l.accepting.Lock()
		defer l.accepting.Unlock()
		l.closed = true
		err = errors.Join(stopped, windows.CloseHandle(l.next), windows.CloseHandle(l.stop), windows.CloseHandle(l.waiting.HEvent))
	})
	return err
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.name }

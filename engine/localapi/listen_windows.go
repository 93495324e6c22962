package localapi

import (
	"errors"
	"fmt"
	"net"
	"os/user"
	"strings"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

// ErrInUse says that another service answers at the pipe.
var ErrInUse = errors.New("another tributaryd answers there")

// pipeBuffer is the size of a pipe's buffer in either direction, in bytes.
const pipeBuffer = 64 << 10

// Listen opens the named pipe at path for this user, administrators and the system. The pipe's security
// descriptor keeps all others out, and go-winio refuses callers from other machines.
func Listen(path string) (net.Listener, error) {
	if !strings.HasPrefix(path, `\\.\pipe\`) {
		return nil, fmt.Errorf(`pipe %q: the name must begin with \\.\pipe\`, path)
	}
	me, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("find the current user: %w", err)
	}
	l, err := winio.ListenPipe(path, &winio.PipeConfig{
		SecurityDescriptor: "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;" + me.Uid + ")",
		InputBufferSize:    pipeBuffer,
		OutputBufferSize:   pipeBuffer,
	})
	if errors.Is(err, windows.ERROR_ACCESS_DENIED) { // the first instance of the name exists
		return nil, fmt.Errorf("pipe %s: %w", path, ErrInUse)
	}
	return l, err
}

// identify trusts the pipe's security descriptor: the system has turned away everyone else.
func identify(net.Conn) (caller, error) {
	return caller{name: "a user whom the pipe admits", allowed: true}, nil
}

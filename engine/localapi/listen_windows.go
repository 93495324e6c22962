package localapi

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os/user"
	"strings"

	"github.com/tributary-dl/tributary/engine/pipe"
)

// ErrInUse says that another service answers at the pipe.
var ErrInUse = errors.New("another tributaryd answers there")

// Listen opens the named pipe at path for this user, administrators and the system. Everybody else is kept out
// twice: by the pipe's access list, and by what identify says of the caller.
func Listen(path string) (net.Listener, error) { return listen(path, "SY", "BA") }

// ListenMachine opens the named pipe at path for every user of this machine, whom the server tells apart; see
// ForMachine.
func ListenMachine(path string) (net.Listener, error) { return listen(path, "WD") }

// listen opens a pipe to which this user and the groups, as SDDL names them, may connect.
func listen(path string, groups ...string) (net.Listener, error) {
	if !strings.HasPrefix(path, `\\.\pipe\`) {
		return nil, fmt.Errorf(`pipe %q: the name must begin with \\.\pipe\`, path)
	}
	me, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("find the current user: %w", err)
	}
	access := "D:P(A;;GA;;;" + me.Uid + ")"
	for _, group := range groups {
		access += "(A;;" + pipe.Connect + ";;;" + group + ")"
	}
	l, err := pipe.Listen(path, access)
	if errors.Is(err, fs.ErrPermission) { // the first instance of the name exists
		return nil, fmt.Errorf("pipe %s: %w", path, ErrInUse)
	}
	return l, err
}

// identify asks the system who connected; the answer was fixed when the pipe was opened.
func identify(c net.Conn) (peer, error) {
	end, ok := c.(*pipe.Conn)
	if !ok {
		return peer{}, fmt.Errorf("identify the caller: %T is not a pipe", c)
	}
	who, err := end.Peer()
	if err != nil {
		return peer{}, err
	}
	me, err := user.Current()
	if err != nil {
		return peer{}, fmt.Errorf("find the current user: %w", err)
	}
	return peer{name: who.SID, id: who.SID, self: who.SID == me.Uid, master: who.Administrator, administrator: who.Administrator}, nil
}

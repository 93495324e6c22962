//go:build unix

package localapi

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ErrInUse says that another service answers at the socket.
var ErrInUse = errors.New("another tributaryd answers there")

// probeTimeout bounds the question whether someone still listens on a socket that was left behind.
const probeTimeout = time.Second

// Listen opens the Unix socket at path for this user alone. The folder is made if it is missing, and
// must belong to this user and be closed to all others: who can write there could put a socket of their
// own in our place. A socket that a killed service left behind is replaced.
func Listen(path string) (net.Listener, error) { return listen(path, 0o700, 0o600) }

// ListenMachine opens the Unix socket at path for every user of this machine, whom the server tells apart; see
// ForMachine. The folder must belong to this user, and nobody else may write there.
func ListenMachine(path string) (net.Listener, error) { return listen(path, 0o755, 0o666) }

// listen opens a socket with a mode in a folder that is open no further than folder says.
func listen(path string, folder, mode os.FileMode) (net.Listener, error) {
	if err := checkName(path); err != nil {
		return nil, err
	}
	dir, err := openFolder(filepath.Dir(path), folder)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	// Of two services that start at once, only one may look for a dead socket and take its place.
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir.Name(), err)
	}
	if err := clearStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// checkName refuses what bind(2) would refuse with "invalid argument" alone.
func checkName(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("socket %q: the path must be absolute", path)
	}
	if longest := len(unix.RawSockaddrUnix{}.Path) - 1; len(path) > longest {
		return fmt.Errorf("socket %s: the path has %d bytes, and this system allows %d; choose a shorter one", path, len(path), longest)
	}
	return nil
}

// openFolder opens the folder of the socket, made if it is missing. What it checks is the open folder
// itself, so that nobody can swap it in between.
func openFolder(path string, mode os.FileMode) (*os.File, error) {
	if err := os.MkdirAll(path, mode); err != nil {
		return nil, fmt.Errorf("make the socket's folder: %w", err)
	}
	dir, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open the socket's folder: %w", err)
	}
	if err := checkFolder(dir, mode); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

// checkFolder makes sure that the folder is this user's and open to others no further than most says.
func checkFolder(dir *os.File, most os.FileMode) error {
	info, err := dir.Stat()
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	if int(owner) != os.Geteuid() {
		return fmt.Errorf("the socket's folder %s belongs to uid %d, and this service runs as uid %d; choose a folder of your own", dir.Name(), owner, os.Geteuid())
	}
	if mode := info.Mode().Perm(); mode&^most != 0 {
		return fmt.Errorf("the socket's folder %s is open to other users (mode %o); choose another, or run chmod %o %s", dir.Name(), mode, most, dir.Name())
	}
	return nil
}

// clearStale removes a socket at path on which nobody listens.
func clearStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("socket %s: something else is there; remove it or choose another path", path)
	}
	c, err := net.DialTimeout("unix", path, probeTimeout)
	if err == nil {
		return errors.Join(fmt.Errorf("socket %s: %w", path, ErrInUse), c.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("socket %s: %w", path, err)
	}
	return os.Remove(path)
}

// administrators is the group whose members may change what holds for the whole machine.
const administrators = "tributary-admin"

// overflowUID is what the kernel says of users of other user namespaces, whichever they are; see
// /proc/sys/kernel/overflowuid in proc(5).
const overflowUID = 65534

// identify asks the kernel who connected; the answer was fixed at connect(2) and cannot be forged.
func identify(c net.Conn) (peer, error) {
	socket, ok := c.(*net.UnixConn)
	if !ok {
		return peer{}, fmt.Errorf("identify the caller: %T is not a Unix socket", c)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return peer{}, err
	}
	var uid uint32
	var groups []uint32
	var asked error
	if err := raw.Control(func(fd uintptr) { uid, groups, asked = peerOf(int(fd)) }); err != nil {
		return peer{}, err
	}
	if asked != nil {
		return peer{}, fmt.Errorf("identify the caller: %w", asked)
	}
	return describe(uid, groups), nil
}

func describe(uid uint32, groups []uint32) peer {
	root := uid == 0
	return peer{
		name: fmt.Sprintf("uid %d", uid), id: strconv.FormatUint(uint64(uid), 10),
		self: int(uid) == os.Geteuid(), master: root, unknown: uid == overflowUID,
		administrator: root || isAdministrator(groups),
	}
}

// isAdministrator looks for the group among those of the caller's process. It need not exist.
func isAdministrator(groups []uint32) bool {
	g, err := user.LookupGroup(administrators)
	if err != nil {
		return false
	}
	id, err := strconv.ParseUint(g.Gid, 10, 32)
	return err == nil && slices.Contains(groups, uint32(id))
}

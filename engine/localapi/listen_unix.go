//go:build unix

package localapi

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
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
func Listen(path string) (net.Listener, error) {
	if err := checkName(path); err != nil {
		return nil, err
	}
	dir, err := openPrivate(filepath.Dir(path))
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
	if err := os.Chmod(path, 0o600); err != nil {
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

// openPrivate opens the folder of the socket, made if it is missing. What it checks is the open folder
// itself, so that nobody can swap it in between.
func openPrivate(path string) (*os.File, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the socket's folder: %w", err)
	}
	dir, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open the socket's folder: %w", err)
	}
	if err := checkPrivate(dir); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

func checkPrivate(dir *os.File) error {
	info, err := dir.Stat()
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	if int(owner) != os.Geteuid() {
		return fmt.Errorf("the socket's folder %s belongs to uid %d, and this service runs as uid %d; choose a folder of your own", dir.Name(), owner, os.Geteuid())
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("the socket's folder %s is open to other users (mode %o); choose another, or run chmod 700 %s", dir.Name(), mode, dir.Name())
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

// judge allows the user who runs the service, and root, who could take the socket anyway.
func judge(uid uint32) caller {
	return caller{
		name:    fmt.Sprintf("uid %d", uid),
		allowed: uid == 0 || int(uid) == os.Geteuid(),
	}
}

// identify asks the kernel who connected; the answer was fixed at connect(2) and cannot be forged.
func identify(c net.Conn) (caller, error) {
	socket, ok := c.(*net.UnixConn)
	if !ok {
		return caller{}, fmt.Errorf("identify the caller: %T is not a Unix socket", c)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return caller{}, err
	}
	var uid uint32
	var asked error
	if err := raw.Control(func(fd uintptr) { uid, asked = peerUID(int(fd)) }); err != nil {
		return caller{}, err
	}
	if asked != nil {
		return caller{}, fmt.Errorf("identify the caller: %w", asked)
	}
	return judge(uid), nil
}

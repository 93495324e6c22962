//go:build unix

package manager

import (
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// firstInherited is the number of the first descriptor that a manager hands to a service, after the three
// standard ones.
const firstInherited = 3

// mostInherited is how many descriptors are taken at most: more than any unit of ours asks to be kept.
const mostInherited = 4096

// inherited returns the descriptors that the environment says were handed to this very process.
func inherited(pid, count, names string) []Kept {
	if pid != strconv.Itoa(os.Getpid()) {
		return nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n <= 0 || n > mostInherited {
		return nil
	}
	words := strings.Split(names, ":")
	kept := make([]Kept, n)
	for i := range kept {
		fd := firstInherited + i
		syscall.CloseOnExec(fd)
		if i < len(words) {
			kept[i].Name = words[i]
		}
		kept[i].File = os.NewFile(uintptr(fd), kept[i].Name)
	}
	return kept
}

// send sends a message with a copy of a file. It waits while the manager's queue is full, on a connection of its own:
// net.UnixConn has no call that sends descriptors on a datagram socket that is connected.
func (m Manager) send(message string, f *os.File) error {
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // nothing was buffered
	to, err := c.SyscallConn()
	if err != nil {
		return err
	}
	from, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = from.Control(func(fd uintptr) {
		rights := syscall.UnixRights(int(fd))
		err := to.Write(func(socket uintptr) bool {
			sent = syscall.Sendmsg(int(socket), []byte(message), rights, nil, 0)
			return !errors.Is(sent, syscall.EAGAIN)
		})
		if sent == nil {
			sent = err
		}
	})
	if err == nil {
		err = sent
	}
	return err
}

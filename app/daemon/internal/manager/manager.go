// Package manager tells the service manager how the service is, and has it keep open files over a crash: what
// sd_notify(3) and sd_listen_fds(3) say, in as many lines as are needed. Libraries for it exist, but none of them
// sends a descriptor. Without a service manager every call does nothing. It must never know what a kept file is.
package manager

import (
	"fmt"
	"net"
	"os"
	"strings"
)

// Manager is the service manager that started this process. The zero value is none.
type Manager struct {
	socket string // of its notifications, "" if it wants none
}

// Kept is a file that the manager kept for us while we were not running. The caller owns it.
type Kept struct {
	Name string // what it was called when it was given to Keep
	File *os.File
}

// Find returns the manager that the environment names and what it kept for us. It takes the names out of the
// environment, so that no program that we start takes them for its own.
func Find() (Manager, []Kept) {
	m := Manager{socket: os.Getenv("NOTIFY_SOCKET")}
	kept := inherited(os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES"))
	for _, name := range []string{"NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name) // it fails for names that make no sense, and these do
	}
	return m, kept
}

// Ready says that the service answers. One that is not told of it in time ends us.
func (m Manager) Ready() error { return m.tell("READY=1") }

// Stopping says that the service has begun to stop.
func (m Manager) Stopping() error { return m.tell("STOPPING=1") }

// Keep gives the manager a copy of a file, which the next process gets if this one dies. A manager that has no room
// left says nothing of it. name is of letters, digits and "-".
func (m Manager) Keep(name string, f *os.File) error {
	if m.socket == "" {
		return nil
	}
	// FDPOLL=0: the manager must not drop a file because a disk that is gone reports an error.
	if err := m.send("FDSTORE=1\nFDPOLL=0\nFDNAME="+name, f); err != nil {
		return fmt.Errorf("have %s kept by the service manager: %w", name, err)
	}
	return nil
}

// Drop has the manager close every file of that name.
func (m Manager) Drop(name string) error { return m.tell("FDSTOREREMOVE=1\nFDNAME=" + name) }

// tell sends a message without a file.
func (m Manager) tell(message string) error {
	if m.socket == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell the service manager %q: %w", message, err)
	}
	defer func() { _ = c.Close() }() // nothing was buffered
	if _, err := c.Write([]byte(message)); err != nil {
		return fmt.Errorf("tell the service manager %q: %w", strings.ReplaceAll(message, "\n", " "), err)
	}
	return nil
}

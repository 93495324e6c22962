package lab

import (
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// netnsDir is where `ip netns` keeps the names of namespaces.
const netnsDir = "/run/netns/"

// inside calls f on a thread that stands in the namespace. What f opens (sockets, files of /proc/thread-self/net)
// stays of that namespace, whoever uses it later.
func inside(ns string, f func() error) error {
	done := make(chan error)
	go func() {
		// The thread is never unlocked: it ends with the goroutine, so that no other goroutine is ever run in the
		// wrong network.
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			// The first thread cannot end, and where it stands is where the process is said to stand. While it is
			// locked here, another goroutine is on another thread.
			done <- inside(ns, f)
			runtime.UnlockOSThread()
			return
		}
		done <- enter(ns, f)
	}()
	return <-done
}

func enter(ns string, f func() error) error {
	handle, err := os.Open(netnsDir + ns)
	if err != nil {
		return fmt.Errorf("open namespace: %w", err)
	}
	defer handle.Close()
	if err := unix.Setns(int(handle.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter namespace %s: %w", ns, err)
	}
	return f()
}

// Listen listens on TCP at a port of the host; port 0 picks one. The listener is served by this process.
func (h *Host) Listen(port int) (l net.Listener, err error) {
	err = inside(h.ns, func() (err error) {
		l, err = net.ListenTCP("tcp4", &net.TCPAddr{IP: net.ParseIP(h.addr), Port: port})
		return err
	})
	return l, err
}

// ListenPacket listens on UDP at a port of the host; port 0 picks one.
func (h *Host) ListenPacket(port int) (c net.PacketConn, err error) {
	err = inside(h.ns, func() (err error) {
		c, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(h.addr), Port: port})
		return err
	})
	return c, err
}

// Dial connects by TCP from the host to ADDR:PORT. The address is a number: there is no name service in a laboratory.
func (h *Host) Dial(address string) (conn net.Conn, err error) {
	to, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return nil, err
	}
	err = inside(h.ns, func() (err error) {
		conn, err = net.DialTCP("tcp4", nil, to)
		return err
	})
	return conn, err
}

// openMeter opens the counters of a namespace's interfaces. The file always shows those of the namespace in which it
// was opened.
func openMeter(ns string) (meter *os.File, err error) {
	err = inside(ns, func() (err error) {
		meter, err = os.Open("/proc/thread-self/net/dev")
		return err
	})
	return meter, err
}

// SetTCP chooses the congestion control of one connection: "cubic" or another that the kernel has.
func SetTCP(c net.Conn, law string) error {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	if e := raw.Control(func(fd uintptr) { err = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, law) }); e != nil {
		return e
	}
	if err != nil {
		return fmt.Errorf("choose TCP's congestion control %q: %w", law, err)
	}
	return nil
}

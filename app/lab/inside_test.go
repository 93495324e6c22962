package lab

import (
	"io"
	"net"
	"testing"
	"time"
)

// This process may stand on a host itself: what it sends there passes the host's line, and is counted.
func TestThisProcessOnAHost(t *testing.T) {
	l := newLab(t)
	server := newHost(t, l, "server", HostOptions{Line: Line{Down: 50 * Mbit, Up: 50 * Mbit}})
	user := newHost(t, l, "user", HostOptions{NAT: PortCone, Line: Line{Down: 50 * Mbit, Up: 50 * Mbit}})
	listener, err := server.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	const size = 1_000_000
	sent := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, err = conn.Write(make([]byte, size))
			conn.Close()
		}
		sent <- err
	}()
	conn, err := user.Dial(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if host, _, _ := net.SplitHostPort(conn.LocalAddr().String()); host != user.Addr() {
		t.Errorf("the user dials from %s; want its own address %s", host, user.Addr())
	}
	if n, err := io.Copy(io.Discard, conn); n != size || err != nil {
		t.Fatalf("received %d bytes, %v; want %d", n, err, size)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		read func() (Counters, error)
		pick func(Counters) int64
		most float64 // headers: 66 of 1514 bytes; kept together by the kernel, none to speak of
	}{
		{"the server's line, out", server.Wire, func(c Counters) int64 { return c.Out }, 1.06},
		{"the user's line, in", user.Wire, func(c Counters) int64 { return c.In }, 1.06},
		{"the server's interface, out", server.Counters, func(c Counters) int64 { return c.Out }, 1.06},
		{"the user's interface, in", user.Counters, func(c Counters) int64 { return c.In }, 1.06},
	} {
		got, err := c.read()
		if n := float64(c.pick(got)); err != nil || n < size || n > c.most*size {
			t.Errorf("%s: %.0f bytes, %v; want %d to %.0f", c.what, n, err, size, c.most*size)
		}
	}
	free := newHost(t, l, "free", HostOptions{})
	if _, err := free.Wire(); err == nil {
		t.Error("a line without a rate counts its wire; want an error, for nothing counts there")
	}
}

func TestDatagramsOfThisProcess(t *testing.T) {
	l := newLab(t)
	server, user := newHost(t, l, "server", HostOptions{}), newHost(t, l, "user", HostOptions{NAT: PortCone})
	to, err := server.ListenPacket(9)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	from, err := user.ListenPacket(0)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	if _, err := from.WriteTo([]byte("hello"), to.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 16)
	if err := to.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, sender, err := to.ReadFrom(got)
	if err != nil {
		t.Fatal(err)
	}
	if host, _, _ := net.SplitHostPort(sender.String()); string(got[:n]) != "hello" || host != user.PublicAddr() {
		t.Errorf("%q from %s; want hello from %s", got[:n], host, user.PublicAddr())
	}
}

func TestMeterIsRead(t *testing.T) {
	const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  eth0: 1234567     890    0    0    0     0          0         0  7654321     321    0    0    0     0       0          0
`
	if got, err := parseMeter(text, "eth0"); err != nil || got != (Counters{In: 1234567, Out: 7654321}) {
		t.Errorf("parseMeter() = %+v, %v", got, err)
	}
	for _, bad := range []string{"", "eth0", "eth0: 1 2", text[:60]} {
		if _, err := parseMeter(bad, "eth0"); err == nil {
			t.Errorf("parseMeter(%q) finds an interface", bad)
		}
	}
}

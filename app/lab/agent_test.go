package lab

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// agentRole in the environment turns the test binary into an agent: a program that stands on a host of
// the laboratory and does what its standard input says, a command a line. What happens to it, it says on
// standard output.
const agentRole = "LAB_TEST_AGENT"

func TestMain(m *testing.M) {
	if os.Getenv(agentRole) != "" {
		if err := runAgent(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "agent:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const (
	agentPort  = 7000 // UDP and TCP; UDP also on the port above it
	floodTicks = 7
)

// runAgent obeys:
//
//	send ADDR TEXT    sends a datagram; send2 from the second port
//	call ADDR         connects by TCP, and closes
//	flood ADDR RATE   sends so many bytes a second in big datagrams, for floodTicks tenths of a second
//	count             reads the host's interface
//
// and says "got ADDR TEXT" (but nothing of floods), "called ADDR", "tick N", "count BYTES NANOSECONDS".
func runAgent(in io.Reader, out io.Writer) error {
	var writing sync.Mutex
	say := func(words ...any) {
		writing.Lock()
		defer writing.Unlock()
		fmt.Fprintln(out, words...)
	}
	var sockets [2]*net.UDPConn
	for i := range sockets {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{Port: agentPort + i})
		if err != nil {
			return err
		}
		defer conn.Close()
		sockets[i] = conn
		go func() {
			buf := make([]byte, 1500)
			for {
				n, from, err := conn.ReadFromUDPAddrPort(buf)
				if err != nil {
					return
				}
				if n < 100 {
					say("got", from, string(buf[:n]))
				}
			}
		}()
	}
	listener, err := net.Listen("tcp4", ":"+strconv.Itoa(agentPort))
	if err != nil {
		return err
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			say("called", conn.RemoteAddr())
			conn.Close()
		}
	}()
	say("ready")
	for lines := bufio.NewScanner(in); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if err := obey(sockets, say, words); err != nil {
			return fmt.Errorf("%v: %w", words, err)
		}
	}
	return nil
}

func obey(sockets [2]*net.UDPConn, say func(...any), words []string) error {
	switch words[0] {
	case "send", "send2":
		to, err := net.ResolveUDPAddr("udp4", words[1])
		if err != nil {
			return err
		}
		_, err = sockets[len(words[0])-len("send")].WriteTo([]byte(words[2]), to)
		return err
	case "call":
		conn, err := net.Dial("tcp4", words[1])
		if err != nil {
			return err
		}
		return conn.Close()
	case "count":
		// The interface's own count, with the time beside it: a program that asks from outside is too late.
		bytes, err := os.ReadFile("/sys/class/net/" + hostInterface + "/statistics/rx_bytes")
		if err != nil {
			return err
		}
		say("count", strings.TrimSpace(string(bytes)), time.Now().UnixNano())
		return nil
	case "flood":
		to, err := net.ResolveUDPAddr("udp4", words[1])
		if err != nil {
			return err
		}
		bytesPerSecond, err := strconv.Atoi(words[2])
		if err != nil {
			return err
		}
		return flood(sockets[0], to, bytesPerSecond, say)
	}
	return fmt.Errorf("unknown command")
}

// flood sends evenly, so that it does not take the processor from what it measures.
func flood(socket *net.UDPConn, to net.Addr, bytesPerSecond int, say func(...any)) error {
	const beats = 50 // in a tick
	beat := time.NewTicker(100 * time.Millisecond / beats)
	defer beat.Stop()
	datagram := make([]byte, 1400)
	for i := range floodTicks {
		say("tick", i)
		for range beats {
			<-beat.C
			for sent := 0; sent < bytesPerSecond/10/beats; sent += len(datagram) {
				if _, err := socket.WriteTo(datagram, to); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// agent is the test's end of an agent.
type agent struct {
	t    *testing.T
	host *Host
	in   io.Writer
	out  *bufio.Scanner
}

func startAgent(t *testing.T, h *Host) *agent {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := h.Command(t.Context(), self)
	cmd.Env = append(os.Environ(), agentRole+"=1")
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil && t.Context().Err() == nil {
			t.Errorf("agent on %s: %v", h.Name(), err)
		}
	})
	a := &agent{t: t, host: h, in: in, out: bufio.NewScanner(out)}
	if got := a.hear(); got != "ready" {
		t.Fatalf("agent on %s said %q; want ready", h.Name(), got)
	}
	return a
}

// tell gives the agent a command.
func (a *agent) tell(format string, args ...any) {
	a.t.Helper()
	if _, err := fmt.Fprintf(a.in, format+"\n", args...); err != nil {
		a.t.Fatalf("tell the agent on %s: %v", a.host.Name(), err)
	}
}

// hear returns the next thing that the agent says.
func (a *agent) hear() string {
	a.t.Helper()
	if !a.out.Scan() {
		a.t.Fatalf("the agent on %s ended: %v", a.host.Name(), a.out.Err())
	}
	return a.out.Text()
}

// datagram is one that an agent got.
type datagram struct{ from, text string }

// hearUntil waits for the datagram with the text and returns it, and those that came before it.
func (a *agent) hearUntil(text string) (last datagram, before []datagram) {
	a.t.Helper()
	for {
		words := strings.Fields(a.hear())
		if words[0] != "got" {
			continue
		}
		d := datagram{from: words[1], text: words[2]}
		if d.text == text {
			return d, before
		}
		before = append(before, d)
	}
}

// addr is where the agent listens, as its own host sees it.
func (a *agent) addr() string { return net.JoinHostPort(a.host.Addr(), strconv.Itoa(agentPort)) }

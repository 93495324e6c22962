package e2e

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/time/rate"
)

// gate is a TCP relay on the loopback interface before a server. It counts what the server sends, slows
// it, and can be cut: then it behaves like a machine that is switched off.
type gate struct {
	t      *testing.T
	addr   string // where the gate listens
	target string
	rate   *rate.Limiter
	passed atomic.Int64 // bytes from the server

	mu       sync.Mutex
	listener net.Listener // nil: cut
	conns    map[net.Conn]bool
	relays   sync.WaitGroup
}

// chunk is what passes a gate in one piece, in bytes.
const chunk = 16 << 10

func newGate(t *testing.T, target string) *gate {
	t.Helper()
	g := &gate{t: t, addr: "127.0.0.1:0", target: target, rate: rate.NewLimiter(rate.Inf, chunk), conns: make(map[net.Conn]bool)}
	g.open()
	t.Cleanup(func() {
		g.cut()
		g.relays.Wait()
	})
	return g
}

// open lets connections pass, again at the same address after a cut.
func (g *gate) open() {
	g.t.Helper()
	listener, err := net.Listen("tcp4", g.addr)
	if err != nil {
		g.t.Fatal(err)
	}
	g.mu.Lock()
	g.addr, g.listener = listener.Addr().String(), listener
	g.mu.Unlock()
	g.relays.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			g.relays.Go(func() { g.relay(conn) })
		}
	})
}

// cut ends all connections and refuses new ones.
func (g *gate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener != nil {
		g.listener.Close()
		g.listener = nil
	}
	for conn := range g.conns {
		conn.Close()
	}
}

// slow lets so many bytes a second come from the server, over all connections.
func (g *gate) slow(bytesPerSecond int) { g.rate.SetLimit(rate.Limit(bytesPerSecond)) }

// hold takes a connection into the gate's care; it says no if the gate is cut.
func (g *gate) hold(conn net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.listener == nil {
		return false
	}
	g.conns[conn] = true
	return true
}

func (g *gate) drop(conn net.Conn) {
	conn.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, conn)
}

func (g *gate) relay(client net.Conn) {
	defer g.drop(client)
	server, err := net.Dial("tcp4", g.target)
	if err != nil {
		return
	}
	defer g.drop(server)
	if !g.hold(client) || !g.hold(server) {
		return
	}
	var requests sync.WaitGroup
	requests.Go(func() {
		io.Copy(server, client)
		server.Close()
	})
	buf := make([]byte, chunk)
	for {
		n, err := server.Read(buf)
		if n > 0 {
			if g.rate.WaitN(context.Background(), n) != nil {
				break
			}
			g.passed.Add(int64(n))
			if _, err := client.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	client.Close()
	requests.Wait()
}

const (
	ownPorts    = 20000 // below those that Linux gives to connections and to whoever asks for any port, from 32768 on
	ownPortsEnd = 32000
	portsOfOne  = 4 // a control plane has two UDP ports beside its TCP port
)

var nextPort atomic.Int64 // counts in steps of portsOfOne

func init() { nextPort.Store(rand.Int64N((ownPortsEnd - ownPorts) / portsOfOne)) }

// freeAddr is an address on the loopback interface where a program that is started next can listen: nobody else takes it before.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", ownPorts+nextPort.Add(1)*portsOfOne%(ownPortsEnd-ownPorts))
		l, err := net.Listen("tcp4", addr)
		if err == nil {
			l.Close()
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}

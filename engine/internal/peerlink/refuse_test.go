package peerlink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun"
	"github.com/quic-go/quic-go"
	"golang.org/x/time/rate"

	"github.com/tributary-dl/tributary/control/protocol"
)

// knock connects to an endpoint as device would, without an introduction, and returns what it is told
// after it has sent the bytes.
func knock(t *testing.T, from, to *Endpoint, words []byte) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), attemptTime)
	defer cancel()
	anyone := from.identity.tlsConfig(func(protocol.DeviceKey) error { return nil })
	conn, err := from.transport.Dial(ctx, to.udp.LocalAddr(), anyone, quicConfig())
	if err != nil {
		return err
	}
	defer conn.CloseWithError(0, "")
	stream, err := conn.OpenStream()
	if err != nil {
		return err
	}
	if _, err := stream.Write(words); err != nil {
		return err
	}
	_, err = io.ReadFull(stream, make([]byte, 1))
	return err
}

func TestStrangersAreTurnedAway(t *testing.T) {
	host, guest, stranger := listen(t, nil), listen(t, nil), listen(t, nil)
	expected, other := [16]byte{1}, [16]byte{2}
	hello := func(introduction [16]byte) []byte {
		return encoded(t, helloMessage{introduction: introduction, content: testContent})
	}

	var transport *quic.TransportError
	if err := knock(t, guest, host, hello(expected)); !errors.As(err, &transport) || transport.ErrorCode != quic.ConnectionRefused {
		t.Errorf("while nobody is expected: %v", err)
	}
	x := expectation{guest.DeviceKey(), expected}
	arrivals := host.expect(x)
	if err := knock(t, stranger, host, hello(expected)); !errors.As(err, &transport) || !transport.ErrorCode.IsCryptoError() {
		t.Errorf("a stranger: %v; want a refused certificate", err)
	}
	var application *quic.ApplicationError
	if err := knock(t, guest, host, hello(other)); !errors.As(err, &application) || application.ErrorCode != codeUnknown {
		t.Errorf("another introduction: %v", err)
	}
	if err := knock(t, guest, host, []byte("GET / HTTP/1.1\r\n\r\n")); !errors.As(err, &application) || application.ErrorCode != codeRefused {
		t.Errorf("no hello: %v", err)
	}
	if len(arrivals) != 0 {
		t.Fatal("one of them got in")
	}
	late := make(chan error, 1)
	go func() { late <- knock(t, guest, host, hello(expected)) }()
	if !host.hand(x, <-arrivals) { // it has arrived, and is there again when the attempt ends
		t.Fatal("the arrival was not expected")
	}
	host.unexpect(x)
	if err := <-late; !errors.As(err, &application) || application.ErrorCode != codeUnknown {
		t.Errorf("an arrival that nobody took: %v", err)
	}
}

// Introductions about several objects come at once between the same two devices, over the same sockets.
func TestSameDevicesMeetForSeveralObjects(t *testing.T) {
	a, b := listen(t, nil), listen(t, nil)
	var meeting sync.WaitGroup
	for range defaultAttempts {
		inA, inB := introduce(a, b)
		meeting.Go(func() {
			fromA, fromB := meet(a, b, inA, inB, hello(nil), hello(goodGrant))
			if fromA.err != nil || fromB.err != nil {
				t.Errorf("dialer %v, acceptor %v", fromA.err, fromB.err)
			}
		})
	}
	meeting.Wait()
}

func TestSocketKinds(t *testing.T) {
	for _, tc := range []struct{ listen, seen string }{{":0", "127.0.0.1"}, {"0.0.0.0:0", "127.0.0.1"}, {"[::1]:0", "::1"}} {
		t.Run(tc.listen, func(t *testing.T) {
			if c, err := net.ListenPacket("udp", tc.listen); err == nil {
				_ = c.Close()
			} else {
				t.Logf("this machine has no such address: %v", err)
				return
			}
			on := func(c *Config) { c.Listen = tc.listen }
			a, b := listen(t, on), listen(t, on)
			inA, inB := introduce(a, b)
			inA.PeerAddress, inB.PeerAddress = tc.seen, tc.seen
			inA.PeerLocal, inB.PeerLocal = b.LocalAddress(), a.LocalAddress()
			fromA, fromB := meet(a, b, inA, inB, hello(nil), hello(nil))
			if fromA.err != nil || fromB.err != nil {
				t.Fatalf("dialer %v, acceptor %v", fromA.err, fromB.err)
			}
			exchange(t, fromA.link, fromB.link, 100_000)
		})
	}
}

func TestBusy(t *testing.T) {
	a, b := listen(t, func(c *Config) { c.MaxAttemptsPerMinute = 1 }), listen(t, nil)
	inA, inB := introduce(a, b)
	if fromA, _ := meet(a, b, inA, inB, hello(nil), hello(nil)); fromA.err != nil {
		t.Fatal(fromA.err)
	}
	inA, inB = introduce(a, b)
	fromA, fromB := meet(a, b, inA, inB, hello(nil), hello(nil))
	if !errors.Is(fromA.err, ErrBusy) {
		t.Errorf("second attempt of the minute: %v; want ErrBusy", fromA.err)
	}
	if fromB.err == nil || fromB.err.Error() != fmt.Sprintf("the peer gave up: %q", "no link") {
		t.Errorf("the other end: %v; want to be told", fromB.err)
	}
}

// Peers that are introduced and say nothing leave room for those that do.
func TestSilentPeersKeepNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInternet(t)
		hostA, hostB, hostC := in.host("portcone"), in.host("portcone"), in.host("open")
		defer in.start()()
		a, b, nobody := hostA(), hostB(), hostC().Endpoint
		for _, h := range []host{a, b} {
			if _, err := h.Detect(t.Context(), stunPorts, false); err != nil {
				t.Fatal(err)
			}
		}
		var silent sync.WaitGroup
		for range 2 * defaultAttempts {
			_, inB := introduce(nobody, b.Endpoint)
			silent.Go(func() {
				if _, err := b.Connect(t.Context(), inB, node{nobody}, hello(nil)); err == nil {
					t.Error("met a peer that says nothing")
				}
			})
		}
		synctest.Wait()
		inA, inB := introduce(a.Endpoint, b.Endpoint)
		inA.PeerAddress, inB.PeerAddress = b.public, a.public
		began := time.Now()
		fromA, fromB := meet(a.Endpoint, b.Endpoint, inA, inB, hello(nil), hello(nil))
		if fromA.err != nil || fromB.err != nil || time.Since(began) > time.Second {
			t.Errorf("after %s: dialer %v, acceptor %v", time.Since(began), fromA.err, fromB.err)
		}
		silent.Wait()
	})
}

// All STUN of the device goes through one bucket, whatever the agents want to send.
func TestSTUNIsLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		m := newSTUNMux(func(b []byte, _ net.Addr) (int, error) { sent++; return len(b), nil }, rate.NewLimiter(stunPacketsPerSecond, stunBurst))
		packet, _ := newBindingRequest()
		for range 1000 {
			for range 50 {
				if _, err := m.send(packet, nil); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(5 * time.Millisecond)
		}
		if most := stunBurst + 5*stunPacketsPerSecond; sent > most || sent < most*9/10 {
			t.Errorf("%d packets in 5 s; want about %d", sent, most)
		}
	})
}

// Only checks that name an agent, and answers to what was sent, reach an agent.
func TestRoutingOfSTUN(t *testing.T) {
	m := newSTUNMux(func(b []byte, _ net.Addr) (int, error) { return len(b), nil }, rate.NewLimiter(rate.Inf, 0))
	r := newRemotes(Introduction{PeerAddress: "203.0.113.7"}, false)
	socket := m.newAgentSocket(nil, r)
	conn, err := socket.GetConn("ours", &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4000})
	if err != nil {
		t.Fatal(err)
	}
	peer := &net.UDPAddr{IP: net.IPv4(203, 0, 113, 7), Port: 4000}
	request, _ := newBindingRequest()
	if _, err := conn.WriteTo(request, peer); err != nil {
		t.Fatal(err)
	}
	answer := append([]byte{1, 1, 0, 0}, request[4:stunHeader]...)
	unasked := append([]byte{1, 1, 0, 0}, built(t, stun.TransactionID, stun.BindingRequest)[4:stunHeader]...)
	for _, tc := range []struct {
		what   string
		packet []byte
		from   *net.UDPAddr
		want   int
	}{
		{"a check for the agent", built(t, stun.TransactionID, stun.BindingRequest, stun.NewUsername("ours:theirs")), peer, 1},
		{"a check for nobody", built(t, stun.TransactionID, stun.BindingRequest, stun.NewUsername("others:theirs")), peer, 0},
		{"a check from where nobody may send to", built(t, stun.TransactionID, stun.BindingRequest, stun.NewUsername("ours:theirs")), &net.UDPAddr{IP: net.IPv4(192, 168, 1, 1), Port: 4000}, 0},
		{"the answer to the agent's check", answer, peer, 1},
		{"an answer that nobody asked for", unasked, peer, 0},
		{"garbage", []byte("garbage"), peer, 0},
	} {
		m.receive(tc.packet, tc.from)
		in := socket.conns[0].in
		if len(in) != tc.want {
			t.Errorf("%s: %d packets reach the agent; want %d", tc.what, len(in), tc.want)
		}
		for len(in) > 0 {
			<-in
		}
	}
	socket.RemoveConnByUfrag("ours")
	m.receive(answer, peer)
	if len(socket.conns[0].in) != 0 {
		t.Error("an agent that is gone gets packets")
	}
}

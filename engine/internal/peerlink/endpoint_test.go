package peerlink

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/engine/api"
)

var (
	testContent = protocol.ContentID{1, 2, 3}
	goodGrant   = []byte("a good grant")
	badGrant    = []byte("a bad grant")
)

// node relays signals to an endpoint, as a connection node does.
type node struct{ to *Endpoint }

func (n node) Signal(s Signal) error {
	n.to.Deliver(s)
	return nil
}

func newDevice(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func listen(t testing.TB, change func(*Config)) *Endpoint {
	t.Helper()
	cfg := Config{
		Listen: "127.0.0.1:0", Device: newDevice(t), AllowLoopback: true,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg)
	}
	e, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func hello(grant []byte) Hello {
	return Hello{Content: testContent, Grant: grant, Check: func(g []byte, _ protocol.DeviceKey) error {
		if !bytes.Equal(g, goodGrant) {
			return errors.New("not good")
		}
		return nil
	}}
}

// introduce returns the two halves of an introduction: for the controlling a and the controlled b.
func introduce(a, b *Endpoint) (forA, forB Introduction) {
	var id [16]byte
	_, _ = rand.Read(id[:])
	forA = Introduction{ID: id, Content: testContent, PeerKey: b.DeviceKey(), Peer: [16]byte{'b'}, Controlling: true, PeerAddress: "127.0.0.1", SamePublicAddress: true}
	forB = Introduction{ID: id, Content: testContent, PeerKey: a.DeviceKey(), Peer: [16]byte{'a'}, PeerAddress: "127.0.0.1", SamePublicAddress: true}
	return forA, forB
}

type outcome struct {
	link *Link
	err  error
}

// meet connects a, which dials, with b.
func meet(a, b *Endpoint, inA, inB Introduction, helloA, helloB Hello) (fromA, fromB outcome) {
	var both sync.WaitGroup
	both.Go(func() { fromA.link, fromA.err = a.Connect(context.Background(), inA, node{b}, helloA) })
	both.Go(func() { fromB.link, fromB.err = b.Connect(context.Background(), inB, node{a}, helloB) })
	both.Wait()
	return fromA, fromB
}

// linked returns the two ends of a link between new endpoints.
func linked(t testing.TB) (a, b *Link) {
	t.Helper()
	ea, eb := listen(t, nil), listen(t, nil)
	inA, inB := introduce(ea, eb)
	fromA, fromB := meet(ea, eb, inA, inB, hello(goodGrant), hello(nil))
	if fromA.err != nil || fromB.err != nil {
		t.Fatalf("Connect: dialer %v, acceptor %v", fromA.err, fromB.err)
	}
	return fromA.link, fromB.link
}

func TestTwoDevicesMeet(t *testing.T) {
	a, b := linked(t)
	if a.Kind() != api.PathLAN || a.Peer() != [16]byte{'b'} || b.Peer() != [16]byte{'a'} {
		t.Errorf("link of kind %s to %q and %q", a.Kind(), a.Peer(), b.Peer())
	}
	if a.PeerKey() != b.endpoint.DeviceKey() {
		t.Error("the dialer's link names another key")
	}
	exchange(t, a, b, 3<<20)
	exchange(t, b, a, 3<<20)

	const last = "written right before Close"
	if _, err := a.Write([]byte(last)); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(b); err != nil || string(got) != last {
		t.Errorf("after Close the peer read %q, %v; want %q and the end", got, err, last)
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read of a closed link: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	<-a.conn.Context().Done() // both have closed: the connection ends without a timeout
}

// exchange sends n random bytes and compares them.
func exchange(t *testing.T, from, to net.Conn, n int) {
	t.Helper()
	var seed [32]byte
	want := make([]byte, n)
	_, _ = mathrand.NewChaCha8(seed).Read(want)
	sent := make(chan error, 1)
	go func() {
		_, err := from.Write(want)
		sent <- err
	}()
	got := make([]byte, n)
	if _, err := io.ReadFull(to, got); err != nil {
		t.Fatalf("read: %v", err)
	}
	if err := <-sent; err != nil {
		t.Fatalf("write: %v", err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("other bytes came out than went in")
	}
}

// A peer that dialled in the LAN may move its end of the connection elsewhere; nothing follows it there.
func TestLinkEndsWhenAPeerLeavesTheLAN(t *testing.T) {
	dialer, acceptor := linked(t)
	if _, err := acceptor.Write(make([]byte, 4<<10)); err != nil {
		t.Fatal(err)
	}
	elsewhere, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	other := &quic.Transport{Conn: elsewhere}
	t.Cleanup(func() { _ = errors.Join(other.Close(), elsewhere.Close()) })
	path, err := dialer.conn.AddPath(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := path.Switch(); err != nil {
		t.Fatal(err)
	}
	// Past our own Link, whose look at the address QUIC's switch would race with: ours never switch.
	if _, err := dialer.stream.Write([]byte("I am here now")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(acceptor, make([]byte, len("I am here now"))); err != nil {
		t.Fatal(err)
	}
	// QUIC hands over what a packet carries before it follows the packet's sender.
	for begun := time.Now(); remoteOf(acceptor.conn) == acceptor.path; time.Sleep(time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("the connection has not moved")
		}
	}
	if n, err := acceptor.Write(make([]byte, 4<<10)); n != 0 || !errors.Is(err, errMoved) {
		t.Errorf("Write = %d, %v; want nothing, and %v", n, err, errMoved)
	}
}

func TestWhoIsRefused(t *testing.T) {
	stranger := protocol.DeviceKey{9}
	for name, tc := range map[string]struct {
		change         func(inA, inB *Introduction)
		helloA, helloB Hello
		wantA, wantB   error // nil: any
	}{
		"dialer was told another key":   {change: func(a, _ *Introduction) { a.PeerKey = stranger }, wantA: errOtherPeer},
		"acceptor was told another key": {change: func(_, b *Introduction) { b.PeerKey = stranger }},
		"dialer shows a bad grant":      {helloA: hello(badGrant)},
		"acceptor shows a bad grant":    {helloB: hello(badGrant)},
		"hello about another object": {
			change: func(_, b *Introduction) { b.Content = protocol.ContentID{7} },
			helloB: Hello{Content: protocol.ContentID{7}, Check: hello(nil).Check}, wantB: errHello,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := listen(t, nil), listen(t, nil)
			inA, inB := introduce(a, b)
			if tc.change != nil {
				tc.change(&inA, &inB)
			}
			for _, h := range []*Hello{&tc.helloA, &tc.helloB} {
				if h.Check == nil {
					*h = hello(goodGrant)
				}
			}
			fromA, fromB := meet(a, b, inA, inB, tc.helloA, tc.helloB)
			// An acceptor whose dialer refuses afterwards learns it from the link.
			if fromB.err == nil {
				_, fromB.err = fromB.link.Read(make([]byte, 1))
			}
			if fromA.err == nil || fromB.err == nil {
				t.Fatalf("a link came up: dialer %v, acceptor %v", fromA.err, fromB.err)
			}
			if tc.wantA != nil && !errors.Is(fromA.err, tc.wantA) {
				t.Errorf("dialer: %v; want %v", fromA.err, tc.wantA)
			}
			if tc.wantB != nil && !errors.Is(fromB.err, tc.wantB) {
				t.Errorf("acceptor: %v; want %v", fromB.err, tc.wantB)
			}
		})
	}
}

func TestGarbageDoesNotBreakATransfer(t *testing.T) {
	a, b := linked(t)
	flood, err := net.Dial("udp", b.endpoint.udp.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer flood.Close()
	request, _ := newBindingRequest()
	stop := make(chan struct{})
	var flooding sync.WaitGroup
	flooding.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			packet := make([]byte, mathrand.IntN(1400)+1)
			for i := range packet {
				packet[i] = byte(mathrand.Uint32())
			}
			if n%2 == 0 { // half of it looks like STUN at first
				copy(packet, request[:mathrand.IntN(len(request))])
			}
			_, _ = flood.Write(packet)
		}
	})
	exchange(t, a, b, 2<<20)
	exchange(t, b, a, 2<<20)
	close(stop)
	flooding.Wait()
}

func TestDeadlines(t *testing.T) {
	a, b := linked(t)
	past := time.Now().Add(-time.Second)
	if err := a.SetReadDeadline(past); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, err := a.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("Read past its deadline: %v", err)
	}
	if err := a.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	exchange(t, b, a, 1000)
}

// pace has the link share the uplink, as none on loopback does by itself.
func (l *Link) pace(ask func() sample) {
	l.way = newPath(time.Now(), ask)
	l.endpoint.uplink.join(l.way)
}

// A Write that the uplink holds back ends at its deadline, and with the link; small ones pass.
func TestPacedWriteEnds(t *testing.T) {
	a, b := linked(t)
	a.pace(func() sample { return sample{} })
	a.endpoint.uplink.control.rate = minRate
	if err := a.SetWriteDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	n, err := a.Write(make([]byte, 1<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) || n > 64<<10 {
		t.Errorf("Write sent %d bytes at %d a second, then %v; want the deadline", n, int(minRate), err)
	}
	if err := a.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(b, make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	exchange(t, a, b, smallWrite-1)

	ended := make(chan error, 1)
	go func() {
		_, err := a.Write(make([]byte, 1<<20))
		ended <- err
	}()
	if _, err := b.Read(make([]byte, 1)); err != nil { // the Write is under way
		t.Fatal(err)
	}
	_ = a.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write at Close of the link: %v", err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	a, b := linked(t)
	waiting := make(chan error, 1)
	in, _ := introduce(a.endpoint, b.endpoint)
	go func() {
		_, err := a.endpoint.Connect(context.Background(), in, node{a.endpoint}, hello(nil))
		waiting <- err
	}()
	if err := a.endpoint.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Connect under way at Close: %v", err)
	}
	if _, err := a.Write(make([]byte, 1<<20)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Close of the endpoint: %v", err)
	}
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the peer reads %v; want the end", err)
	}
	if _, err := a.endpoint.Connect(context.Background(), in, node{b.endpoint}, hello(nil)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Connect after Close: %v", err)
	}
	_ = a.Close()
}

// BenchmarkLink sends over a link of two endpoints on loopback; "paced" with the upload controller,
// which a real link on loopback would not use.
func BenchmarkLink(b *testing.B) {
	for _, paced := range []bool{false, true} {
		b.Run(fmt.Sprintf("paced=%v", paced), func(b *testing.B) {
			from, to := linked(b)
			if paced {
				from.pace(from.sample)
			}
			block := make([]byte, 64<<10)
			b.SetBytes(int64(len(block)))
			var reading sync.WaitGroup
			reading.Go(func() {
				_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{to}, make([]byte, 256<<10))
			})
			b.ResetTimer()
			for range b.N {
				if _, err := from.Write(block); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			_ = from.Close()
			reading.Wait()
		})
	}
}

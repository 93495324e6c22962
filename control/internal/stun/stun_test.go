package stun

import (
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	pion "github.com/pion/stun"
)

// request is a Binding request as another implementation makes it.
func request(t testing.TB, setters ...pion.Setter) []byte {
	t.Helper()
	m, err := pion.Build(append([]pion.Setter{pion.TransactionID, pion.BindingRequest}, setters...)...)
	if err != nil {
		t.Fatal(err)
	}
	return m.Raw
}

func TestBothPortsTellTheSameMapping(t *testing.T) {
	s, err := Listen("127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	client, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.SetDeadline(time.Now().Add(10 * time.Second))
	first, second := s.Ports()
	if first == second {
		t.Fatal("a mapping test needs two ports")
	}
	for _, port := range []uint16{first, second} {
		server := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port)
		if _, err := client.WriteToUDPAddrPort(request(t, pion.Fingerprint), server); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 1500)
		n, from, err := client.ReadFromUDPAddrPort(buffer)
		if err != nil {
			t.Fatal(err)
		}
		if from != server {
			t.Errorf("answer from %v; want from the port that was asked, %v", from, server)
		}
		if got := mapped(t, buffer[:n]); got != client.LocalAddr().(*net.UDPAddr).AddrPort() {
			t.Errorf("mapped address = %v; want %v", got, client.LocalAddr())
		}
	}
}

// mapped reads a response with another implementation.
func mapped(t testing.TB, response []byte) netip.AddrPort {
	t.Helper()
	m := &pion.Message{Raw: response}
	if err := m.Decode(); err != nil || m.Type != pion.BindingSuccess {
		t.Fatalf("response %x: %v, %v", response, m.Type, err)
	}
	var x pion.XORMappedAddress
	if err := x.GetFrom(m); err != nil {
		t.Fatal(err)
	}
	address, _ := netip.AddrFromSlice(x.IP)
	return netip.AddrPortFrom(address.Unmap(), uint16(x.Port))
}

// A device that hears this answer is one that a symmetric NAT can reach.
func TestAnswerFromAnotherPort(t *testing.T) {
	s, err := Listen("127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	client, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.SetDeadline(time.Now().Add(10 * time.Second))
	first, second := s.Ports()
	ask := request(t, pion.RawAttribute{Type: pion.AttrChangeRequest, Length: 4, Value: []byte{0, 0, 0, 2}})
	if _, err := client.WriteToUDPAddrPort(ask, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), first)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 1500)
	n, from, err := client.ReadFromUDPAddrPort(buffer)
	if err != nil {
		t.Fatal(err)
	}
	if from.Port() == first || from.Port() == second {
		t.Errorf("the answer came from port %d, which clients ask", from.Port())
	}
	if got := mapped(t, buffer[:n]); got != client.LocalAddr().(*net.UDPAddr).AddrPort() {
		t.Errorf("mapped address = %v; want %v", got, client.LocalAddr())
	}
}

func TestAnswerOnlyWellFormedRequests(t *testing.T) {
	good := request(t, pion.NewSoftware("other client"), pion.Fingerprint)
	from := netip.MustParseAddrPort("[2001:db8::7]:4711")
	out, _, ok := answer(nil, good, from, 0)
	if !ok || mapped(t, out) != from {
		t.Fatalf("answer = %x, %v", out, ok)
	}
	if len(out) > 44 {
		t.Errorf("an answer has %d bytes; want the least possible", len(out))
	}
	change := func(at int, value byte) []byte {
		bad := append([]byte(nil), good...)
		bad[at] = value
		return bad
	}
	for name, bad := range map[string][]byte{
		"nothing":             nil,
		"a response":          change(0, 1),
		"another cookie":      change(4, 0),
		"too long a length":   change(3, 200),
		"a byte behind":       append(append([]byte(nil), good...), 0),
		"a wrong fingerprint": change(len(good)-1, ^good[len(good)-1]),
		"a long attribute":    change(23, 0xff),
		"an attribute that must be understood": request(t,
			pion.RawAttribute{Type: pion.AttrChangeRequest, Length: 4, Value: []byte{0, 0, 0, 6}}),
	} {
		if _, _, ok := answer(nil, bad, from, 0); ok {
			t.Errorf("%s was answered", name)
		}
	}
}

// Whoever asks is told when the request arrived, and nobody gets more bytes than a usual request and its answer differ by.
func TestAnswerTellsTheArrival(t *testing.T) {
	from := netip.MustParseAddrPort("[2001:db8::7]:4711")
	ask := request(t, pion.RawAttribute{Type: attrArrival, Value: make([]byte, 8)})
	out, _, ok := answer([]byte("before"), ask, from, 1234567*time.Microsecond)
	if !ok || mapped(t, out[6:]) != from {
		t.Fatalf("answer = %x, %v", out, ok)
	}
	m := &pion.Message{Raw: out[6:]}
	if err := m.Decode(); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Get(attrArrival); err != nil || binary.BigEndian.Uint64(got) != 1234567 {
		t.Errorf("arrival = %x, %v; want 1234567", got, err)
	}
}

func TestLimiterIsPerSource(t *testing.T) {
	l := newLimiter()
	now := time.Unix(1000, 0)
	flood, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1")
	allowed := 0
	for range 1000 {
		if l.allow(flood, now) {
			allowed++
		}
	}
	if allowed != burst {
		t.Errorf("%d requests at once were allowed; want %d", allowed, burst)
	}
	if !l.allow(other, now) {
		t.Error("another source was refused")
	}
	if !l.allow(flood, now.Add(time.Second)) {
		t.Error("the source was refused after a second of rest")
	}
	a, b := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::ffff")
	for range burst {
		l.allow(a, now)
	}
	if l.allow(b, now) {
		t.Error("a host got a fresh bucket for each address of its /64")
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(request(f))
	f.Add(request(f, pion.Fingerprint))
	f.Add(request(f, pion.NewSoftware("x")))
	f.Add(request(f, pion.RawAttribute{Type: attrArrival, Value: make([]byte, 8)}))
	from := netip.MustParseAddrPort("192.0.2.1:1")
	f.Fuzz(func(t *testing.T, datagram []byte) {
		out, _, ok := answer(nil, datagram, from, time.Second)
		if ok && len(out) > len(datagram)+12 {
			t.Errorf("%d bytes for %d", len(out), len(datagram))
		}
		if ok && mapped(t, out) != from {
			t.Error("the answer does not tell the source")
		}
	})
}

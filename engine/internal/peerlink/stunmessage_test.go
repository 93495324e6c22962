package peerlink

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"github.com/pion/stun"
)

// built encodes a message with pion, whose decoder is what parseSTUN protects.
func built(t testing.TB, setters ...stun.Setter) []byte {
	t.Helper()
	m, err := stun.Build(setters...)
	if err != nil {
		t.Fatal(err)
	}
	return m.Raw
}

func raw(kind uint16, value ...byte) stun.Setter {
	return stun.RawAttribute{Type: stun.AttrType(kind), Value: value}
}

func TestParseSTUN(t *testing.T) {
	check := built(t, stun.TransactionID, stun.BindingRequest, stun.NewUsername("ours:theirs"), raw(attrUseCandidate),
		raw(attrControlling, 1, 2, 3, 4, 5, 6, 7, 8), raw(attrPriority, 1, 2, 3, 4), stun.NewShortTermIntegrity("password"), stun.Fingerprint)
	for name, tc := range map[string]struct {
		packet []byte
		want   string // local fragment of a request, mapped address of a response; "-": refused
	}{
		"ICE check": {check, "ours"},
		"answer, IPv4": {built(t, stun.TransactionID, stun.BindingSuccess, &stun.XORMappedAddress{IP: net.IPv4(203, 0, 113, 9), Port: 4000},
			stun.NewSoftware("any server"), stun.Fingerprint), "203.0.113.9:4000"},
		"answer, IPv6": {built(t, stun.TransactionID, stun.BindingSuccess, &stun.XORMappedAddress{IP: net.ParseIP("2001:db8::9"), Port: 4000}),
			"[2001:db8::9]:4000"},
		"empty":                      {nil, "-"},
		"header cut":                 {check[:19], "-"},
		"attribute cut":              {check[:len(check)-4], "-"},
		"bytes behind":               {append(bytes.Clone(check), 0, 0, 0, 0), "-"},
		"wrong cookie":               {append(append(bytes.Clone(check[:4]), 0, 0, 0, 0), check[8:]...), "-"},
		"indication":                 {built(t, stun.TransactionID, stun.NewType(stun.MethodBinding, stun.ClassIndication)), "-"},
		"error response":             {built(t, stun.TransactionID, stun.BindingError), "-"},
		"other method":               {built(t, stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest)), "-"},
		"address of one byte":        {built(t, stun.TransactionID, stun.BindingSuccess, raw(attrXORMapped, 0)), "-"},
		"old address of one byte":    {built(t, stun.TransactionID, stun.BindingSuccess, raw(attrXORMappedOld, 0)), "-"},
		"address of unknown family":  {built(t, stun.TransactionID, stun.BindingSuccess, raw(attrXORMapped, 0, 3, 1, 2, 3, 4, 5, 6)), "-"},
		"IPv6 family, IPv4 length":   {built(t, stun.TransactionID, stun.BindingSuccess, raw(attrXORMapped, 0, 2, 1, 2, 3, 4, 5, 6)), "-"},
		"username twice":             {built(t, stun.TransactionID, stun.BindingRequest, stun.NewUsername("a:b"), stun.NewUsername("a:b")), "-"},
		"unknown but required":       {built(t, stun.TransactionID, stun.BindingRequest, raw(0x7777)), "-"},
		"fingerprint not last":       {built(t, stun.TransactionID, stun.BindingRequest, stun.Fingerprint, stun.NewSoftware("x")), "-"},
		"integrity of another size":  {built(t, stun.TransactionID, stun.BindingRequest, raw(attrMessageIntegrity, 1, 2, 3, 4)), "-"},
		"username without separator": {built(t, stun.TransactionID, stun.BindingRequest, stun.NewUsername("ours")), ""},
		"seventeen attributes": {built(t, append([]stun.Setter{stun.TransactionID, stun.BindingRequest}, func() (many []stun.Setter) {
			for n := range uint16(maxAttributes + 1) {
				many = append(many, raw(0x9000+n))
			}
			return many
		}()...)...), "-"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := parseSTUN(tc.packet)
			got := m.localFragment()
			if m.response {
				got = m.mapped.String()
			}
			if err != nil {
				got = "-"
			}
			if got != tc.want {
				t.Errorf("parseSTUN gave %q; want %q", got, tc.want)
			}
		})
	}
}

// Our own request is understood by others, and no answer to it is longer.
func TestBindingRequest(t *testing.T) {
	packet, id := newBindingRequest()
	m := &stun.Message{Raw: packet}
	if err := m.Decode(); err != nil || m.Type != stun.BindingRequest || m.TransactionID != id {
		t.Fatalf("pion reads our request as %v, %v", m, err)
	}
	answer := built(t, m, stun.BindingSuccess, &stun.XORMappedAddress{IP: net.ParseIP("2001:db8::9"), Port: 1})
	if len(answer) > len(packet) {
		t.Errorf("a request of %d bytes, an answer of %d", len(packet), len(answer))
	}
}

// What parseSTUN lets through is whole, and pion decodes it to the same.
func FuzzParseSTUN(f *testing.F) {
	request, _ := newBindingRequest()
	f.Add(request)
	f.Add(built(f, stun.TransactionID, stun.BindingRequest, stun.NewUsername("a:b"), raw(attrPriority, 1, 2, 3, 4), stun.NewShortTermIntegrity("p"), stun.Fingerprint))
	f.Add(built(f, stun.TransactionID, stun.BindingSuccess, &stun.XORMappedAddress{IP: net.IPv4(1, 2, 3, 4), Port: 5}))
	f.Add(built(f, stun.TransactionID, stun.BindingSuccess, raw(attrXORMappedOld, 0)))
	f.Fuzz(func(t *testing.T, packet []byte) {
		before := bytes.Clone(packet)
		m, err := parseSTUN(packet)
		if !bytes.Equal(before, packet) {
			t.Fatal("parseSTUN changed the packet")
		}
		if err != nil {
			return
		}
		if int(binary.BigEndian.Uint16(packet[2:]))+stunHeader != len(packet) {
			t.Fatal("the length does not fit")
		}
		theirs := &stun.Message{Raw: bytes.Clone(packet)}
		if err := theirs.Decode(); err != nil {
			t.Fatalf("pion refuses what we accept: %v", err)
		}
		var mapped stun.XORMappedAddress
		if mapped.GetFrom(theirs) == nil {
			ip, _ := netip.AddrFromSlice(mapped.IP)
			if got := netip.AddrPortFrom(ip.Unmap(), uint16(mapped.Port)); got != m.mapped {
				t.Fatalf("mapped address %s; pion reads %s", m.mapped, got)
			}
		}
		_ = stun.NewShortTermIntegrity("password").Check(theirs)
	})
}

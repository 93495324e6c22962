package stun

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"time"
)

// The parts of RFC 8489 that a server of plain Binding requests needs.
const (
	headerLength   = 20
	cookie         = 0x2112A442
	bindingRequest = 0x0001
	bindingSuccess = 0x0101

	attrChangeRequest    = 0x0003 // RFC 5780 section 7.2
	attrXORMappedAddress = 0x0020
	attrFingerprint      = 0x8028
	attrOptional         = 0x8000 // from here on a server may ignore what it does not know
	// attrArrival is ours. A request that has it, with any 8 bytes, is answered with it: the moment at which the request arrived, in
	// microseconds since an arbitrary one. Its changes tell how long packets wait on the way here, and not on the way back.
	attrArrival = 0xCF01

	fingerprintXOR = 0x5354554e
	changePort     = 2   // of attrChangeRequest: answer from another port
	maxRequest     = 548 // bytes; RFC 8489 section 6.1: fits the smallest path
)

// answer builds the Binding response for a datagram and reports whether it deserves one. Only a
// well-formed request does, and only its cookie and transaction are echoed, so that nobody can make us
// send bytes of his choice or many for few. It appends to buffer. otherPort says that the answer is to come from a port
// that was not asked. arrived is for those who want to know when.
func answer(buffer, datagram []byte, from netip.AddrPort, arrived time.Duration) (out []byte, otherPort, ok bool) {
	asked, ok := wellFormed(datagram)
	if !ok {
		return nil, false, false
	}
	address := from.Addr().Unmap()
	ip := address.AsSlice()
	family := byte(1)
	if address.Is6() {
		family = 2
	}
	out = binary.BigEndian.AppendUint16(buffer, bindingSuccess)
	out = binary.BigEndian.AppendUint16(out, uint16(8+len(ip)))
	mask := datagram[4:headerLength] // cookie and transaction ID: what the address is XORed with
	out = append(out, mask...)
	out = binary.BigEndian.AppendUint16(out, attrXORMappedAddress)
	out = binary.BigEndian.AppendUint16(out, uint16(4+len(ip)))
	out = append(out, 0, family)
	out = binary.BigEndian.AppendUint16(out, from.Port()^cookie>>16)
	for i, b := range ip {
		out = append(out, b^mask[i])
	}
	if asked.arrival {
		out = binary.BigEndian.AppendUint16(out, attrArrival)
		out = binary.BigEndian.AppendUint16(out, 8)
		out = binary.BigEndian.AppendUint64(out, uint64(arrived.Microseconds()))
		binary.BigEndian.PutUint16(out[len(buffer)+2:], uint16(len(out)-len(buffer)-headerLength))
	}
	return out, asked.otherPort, true
}

// asked is all that we understand of what a request may ask.
type asked struct {
	otherPort bool // an answer from another port
	arrival   bool // when it arrived
}

// wellFormed reports whether the datagram is exactly one Binding request, and what it asks.
func wellFormed(d []byte) (a asked, ok bool) {
	if len(d) < headerLength || len(d) > maxRequest ||
		binary.BigEndian.Uint16(d) != bindingRequest ||
		int(binary.BigEndian.Uint16(d[2:])) != len(d)-headerLength ||
		binary.BigEndian.Uint32(d[4:]) != cookie {
		return a, false
	}
	for at := headerLength; at < len(d); {
		if len(d)-at < 4 {
			return a, false
		}
		kind, length := binary.BigEndian.Uint16(d[at:]), int(binary.BigEndian.Uint16(d[at+2:]))
		next := at + 4 + (length+3)&^3 // values are padded to four bytes
		if next > len(d) {
			return a, false
		}
		elsewhere := kind == attrChangeRequest && length == 4 && binary.BigEndian.Uint32(d[at+4:]) == changePort
		if kind < attrOptional && !elsewhere {
			return a, false
		}
		a.otherPort = a.otherPort || elsewhere
		a.arrival = a.arrival || kind == attrArrival && length == 8
		if kind == attrFingerprint && (length != 4 || next != len(d) ||
			binary.BigEndian.Uint32(d[at+4:]) != crc32.ChecksumIEEE(d[:at])^fingerprintXOR) {
			return a, false
		}
		at = next
	}
	return a, true
}

package peerlink

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net/netip"
	"time"
)

// STUN (RFC 8489): a header of 20 bytes, then attributes of type, length and a value padded to 4 bytes.
const (
	stunHeader      = 20
	maxSTUN         = 1500 // bytes; no answer or check comes near it
	maxAttributes   = 16
	magicCookie     = 0x2112A442
	bindingRequest  = 0x0001
	bindingResponse = 0x0101

	attrChangeRequest    = 0x0003
	attrUsername         = 0x0006
	attrMessageIntegrity = 0x0008
	attrXORMapped        = 0x0020
	attrPriority         = 0x0024
	attrUseCandidate     = 0x0025
	attrXORMappedOld     = 0x8020 // written by servers of before RFC 5389; pion takes it for attrXORMapped
	attrSoftware         = 0x8022
	attrFingerprint      = 0x8028
	attrControlled       = 0x8029
	attrControlling      = 0x802A
	attrMapped           = 0x0001
	attrArrival          = 0xCF01 // ours: when the request arrived, see control/internal/stun
)

// transaction is the ID that ties an answer to its request.
type transaction [12]byte

// stunMessage is what routing needs to know of a checked message. Its slices alias the packet.
type stunMessage struct {
	response bool
	id       transaction
	username []byte // of a request: ufrag of the receiver, ":", ufrag of the sender
	mapped   netip.AddrPort
	reached  stamp // of a response
}

// stamp is when a server had our request, by a clock that counts from any moment.
type stamp struct {
	at    time.Duration
	known bool
}

var errSTUN = errors.New("not an acceptable STUN message")

// parseSTUN checks the whole structure of a packet: pion/stun v0 gets no security fixes any more, and
// panics on an address attribute of one byte. Only binding requests and their success responses pass.
// An attribute that a receiver must understand, and we do not, fails the message; so does any
// attribute that comes twice, or one whose length is not the one of its type.
func parseSTUN(b []byte) (m stunMessage, err error) {
	if len(b) < stunHeader || len(b) > maxSTUN || len(b)%4 != 0 ||
		binary.BigEndian.Uint32(b[4:]) != magicCookie || int(binary.BigEndian.Uint16(b[2:])) != len(b)-stunHeader {
		return m, errSTUN
	}
	switch binary.BigEndian.Uint16(b) {
	case bindingRequest:
	case bindingResponse:
		m.response = true
	default:
		return m, errSTUN
	}
	copy(m.id[:], b[8:stunHeader])
	var seen [maxAttributes]uint16
	for n, rest := 0, b[stunHeader:]; len(rest) > 0; n++ {
		if n == maxAttributes || len(rest) < 4 {
			return m, errSTUN
		}
		kind, length := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		padded := (length + 3) &^ 3
		if padded > len(rest)-4 || !lengthFits(kind, length) {
			return m, errSTUN
		}
		value := rest[4 : 4+length]
		rest = rest[4+padded:]
		if kind == attrXORMappedOld {
			kind = attrXORMapped
		}
		for _, k := range seen[:n] {
			if k == kind {
				return m, errSTUN
			}
		}
		seen[n] = kind
		switch kind {
		case attrUsername:
			m.username = value
		case attrXORMapped:
			if m.mapped, err = unmask(value, m.id); err != nil {
				return m, err
			}
		case attrArrival:
			m.reached = stamp{at: time.Duration(binary.BigEndian.Uint64(value)&(1<<52-1)) * time.Microsecond, known: true}
		case attrFingerprint:
			if len(rest) > 0 { // RFC 8489 section 14.7: it is the last one
				return m, errSTUN
			}
		}
	}
	return m, nil
}

// lengthFits knows the attributes of ICE checks and of answers of STUN servers.
func lengthFits(kind uint16, length int) bool {
	switch kind {
	case attrPriority, attrFingerprint:
		return length == 4
	case attrControlled, attrControlling, attrArrival:
		return length == 8
	case attrUseCandidate:
		return length == 0
	case attrMessageIntegrity:
		return length == 20
	case attrMapped, attrXORMapped, attrXORMappedOld:
		return length == 8 || length == 20
	case attrUsername:
		return length > 0 && length <= 2*maxCredential+1
	default:
		return kind >= 0x8000 // comprehension-optional
	}
}

// unmask decodes XOR-MAPPED-ADDRESS (RFC 8489 section 14.2).
func unmask(value []byte, id transaction) (netip.AddrPort, error) {
	const ipv4, ipv6 = 1, 2
	if family := value[1]; family == ipv4 && len(value) != 8 || family == ipv6 && len(value) != 20 || family != ipv4 && family != ipv6 {
		return netip.AddrPort{}, errSTUN
	}
	mask := append(binary.BigEndian.AppendUint32(nil, magicCookie), id[:]...)
	ip := bytes.Clone(value[4:])
	for i := range ip {
		ip[i] ^= mask[i]
	}
	addr, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(addr.Unmap(), binary.BigEndian.Uint16(value[2:])^(magicCookie>>16)), nil
}

// localFragment is the part of a request's username that names the agent it is for.
func (m stunMessage) localFragment() string {
	local, _, found := bytes.Cut(m.username, []byte(":"))
	if !found {
		return ""
	}
	return string(local)
}

// newBindingRequest asks a server for our address. It is as long as the longest answer (an IPv6
// address), so that a server need not answer with more than it was sent.
func newBindingRequest() (packet []byte, id transaction) {
	_, _ = rand.Read(id[:])                 // never fails
	const software = "tributary           " // 20 bytes
	packet = binary.BigEndian.AppendUint16(nil, bindingRequest)
	packet = binary.BigEndian.AppendUint16(packet, 4+uint16(len(software)))
	packet = binary.BigEndian.AppendUint32(packet, magicCookie)
	packet = append(packet, id[:]...)
	packet = binary.BigEndian.AppendUint16(packet, attrSoftware)
	packet = binary.BigEndian.AppendUint16(packet, uint16(len(software)))
	return append(packet, software...), id
}

// newSoundingRequest asks a server also when the request arrived. Other servers leave that out.
func newSoundingRequest() (packet []byte, id transaction) {
	packet, id = newBindingRequest()
	packet = binary.BigEndian.AppendUint16(packet, attrArrival)
	packet = binary.BigEndian.AppendUint16(packet, 8)
	packet = binary.BigEndian.AppendUint64(packet, 0)
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)-stunHeader))
	return packet, id
}

// newOtherPortRequest asks a server for the same, to be answered from a port that was not asked (RFC 5780 section 7.2).
func newOtherPortRequest() (packet []byte, id transaction) {
	const changePort = 2
	packet, id = newBindingRequest()
	packet = binary.BigEndian.AppendUint16(packet, attrChangeRequest)
	packet = binary.BigEndian.AppendUint16(packet, 4)
	packet = binary.BigEndian.AppendUint32(packet, changePort)
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)-stunHeader))
	return packet, id
}

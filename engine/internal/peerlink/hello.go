package peerlink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/tributary-dl/tributary/control/protocol"
)

// Hello is this end's part of the first words on a new link.
type Hello struct {
	Content protocol.ContentID
	// Grant is our own sealed grant for the content; empty for a pure seeder.
	Grant []byte
	// Check judges each grant that the peer shows, if it shows one. An error ends the link. It is called
	// on the goroutine of Connect, and on the link's own for what the peer shows later. Required.
	Check func(grant []byte, peer protocol.DeviceKey) error
}

// helloMessage is the first thing each end says. On the wire: two bytes length (big-endian, of what
// follows), version 1, introduction, content ID, grant. Between the dialer's and the acceptor's stands
// one byte, accepted: until it has come, the dialer of TLS 1.3 does not know that its certificate was.
type helloMessage struct {
	introduction [16]byte
	content      protocol.ContentID
	grant        []byte // empty: none
}

const (
	helloVersion = 1
	helloFixed   = 1 + 16 + 32
	maxHello     = 2048 // bytes behind the length
	accepted     = 1
)

var errHello = errors.New("not a hello of this protocol")

func (h helloMessage) encode() ([]byte, error) {
	n := helloFixed + len(h.grant)
	if n > maxHello {
		return nil, fmt.Errorf("a grant of %d bytes does not fit into a hello", len(h.grant))
	}
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 2+n), uint16(n))
	b = append(b, helloVersion)
	b = append(b, h.introduction[:]...)
	b = append(b, h.content[:]...)
	return append(b, h.grant...), nil
}

// readHello reads not a byte more than the hello.
func readHello(r io.Reader) (h helloMessage, err error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return h, fmt.Errorf("read hello: %w", err)
	}
	n := int(binary.BigEndian.Uint16(length[:]))
	if n < helloFixed || n > maxHello {
		return h, errHello
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return h, fmt.Errorf("read hello: %w", err)
	}
	if b[0] != helloVersion {
		return h, errHello
	}
	copy(h.introduction[:], b[1:])
	copy(h.content[:], b[17:])
	h.grant = b[helloFixed:]
	return h, nil
}

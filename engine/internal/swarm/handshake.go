package swarm

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
)

// handshake of BEP 3: protocol string, 8 reserved bytes, info hash, peer ID. We set no reserved bit: each
// would offer an extension, and every extension is code of the library's that strangers can reach.
type handshake [68]byte

const (
	protocolString   = "\x13BitTorrent protocol"
	handshakeTimeout = 10 * time.Second
)

func newHandshake(hash [20]byte, id [20]byte) (h handshake) {
	copy(h[:], protocolString)
	copy(h[28:], hash[:])
	copy(h[48:], id[:])
	return h
}

func (h *handshake) hash() [20]byte { return [20]byte(h[28:48]) }
func (h *handshake) id() [20]byte   { return [20]byte(h[48:68]) }

// infoHash is what a handshake calls an object: the v2 info hash, cut to 20 bytes (BEP 52).
func infoHash(id protocol.ContentID) [20]byte { return [20]byte(id[:20]) }

// wireAddress is the address under which the library knows a peer, and bans it: one of fd00::/8 for
// each PeerID, as several peers may share a real one. Port zero would count as a bad address.
func wireAddress(peer PeerID) string {
	sum := sha256.Sum256(peer[:])
	ip := append(net.IP{0xfd}, sum[:15]...)
	return net.JoinHostPort(ip.String(), "1")
}

// shakeHands says ours and returns the peer's handshake. Both ends speak at once, whoever dialled, so
// there is one way to do it and it takes half a round trip. It fails if the peer means another object.
func shakeHands(conn net.Conn, ours handshake) (theirs handshake, err error) {
	timer := time.AfterFunc(handshakeTimeout, func() { conn.Close() })
	defer timer.Stop()
	wrote := make(chan error, 1)
	go func() {
		_, err := conn.Write(ours[:])
		wrote <- err
	}()
	_, err = io.ReadFull(conn, theirs[:])
	if err != nil {
		conn.Close() // ends the write, too
	}
	if wrErr := <-wrote; err == nil {
		err = wrErr
	}
	switch {
	case err != nil:
		return theirs, fmt.Errorf("handshake: %w", err)
	case string(theirs[:len(protocolString)]) != protocolString:
		return theirs, errors.New("handshake: not the peer wire protocol")
	case theirs.hash() != ours.hash():
		return theirs, errors.New("handshake: another object")
	case theirs.id() == ours.id():
		return theirs, errors.New("handshake: connected to ourselves")
	}
	return theirs, nil
}

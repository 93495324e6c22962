package swarm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// Messages of the peer wire protocol (BEP 3) that a link lets through. No other ever passes: the
// fast extension's crash the library, and nothing of the others is needed between our clients.
const (
	msgChoke         = 0
	msgUnchoke       = 1
	msgInterested    = 2
	msgNotInterested = 3
	msgHave          = 4
	msgBitfield      = 5
	msgRequest       = 6
	msgPiece         = 7
	msgCancel        = 8
)

const (
	mostChunk   = 64 << 10 // bytes of a block, at most
	prefix      = 4        // bytes of a frame's length
	pieceHeader = 9        // bytes of a piece message before its payload
)

// block is a part of a piece.
type block struct {
	piece, begin, length int
}

// message is a decoded frame. Which fields count depends on id.
type message struct {
	keepAlive bool
	id        byte
	block     block  // have: only its piece
	payload   []byte // of a piece or a bitfield; aliases the frame
	claims    []int  // see claims.go
}

// maxFrame is the longest body of a frame that the rules allow.
func (l *layout) maxFrame() int { return max(pieceHeader+mostChunk, 1+l.bitfieldSize()) }

func (l *layout) bitfieldSize() int { return (l.pieces + 7) / 8 }

// decode reads the body of one frame, strictly: known messages of exactly their length, pieces that
// exist, blocks within them, no spare bits.
func (l *layout) decode(body []byte) (m message, err error) {
	if len(body) == 0 {
		return message{keepAlive: true}, nil
	}
	m.id = body[0]
	rest := body[1:]
	switch m.id {
	case msgChoke, msgUnchoke, msgInterested, msgNotInterested:
		if len(rest) != 0 {
			return m, errLength(m.id, len(body))
		}
	case msgHave:
		if len(rest) != 4 {
			return m, errLength(m.id, len(body))
		}
		m.block.piece, err = l.piece(rest)
	case msgBitfield:
		if len(rest) != l.bitfieldSize() {
			return m, errLength(m.id, len(body))
		}
		if spare := len(rest)*8 - l.pieces; bits.TrailingZeros8(rest[len(rest)-1]) < spare {
			return m, errors.New("bitfield has spare bits set")
		}
		m.payload = rest
	case msgRequest, msgCancel:
		if len(rest) != 12 {
			return m, errLength(m.id, len(body))
		}
		m.block, err = l.block(rest, binary.BigEndian.Uint32(rest[8:]))
	case msgPiece:
		if len(body) < pieceHeader || len(body) > pieceHeader+mostChunk {
			return m, errLength(m.id, len(body))
		}
		m.payload = body[pieceHeader:]
		m.block, err = l.block(rest, uint32(len(m.payload)))
	case msgClaims:
		m.claims, err = l.claimsOf(rest)
	default:
		return m, fmt.Errorf("message %d is not allowed", m.id)
	}
	return m, err
}

func errLength(id byte, n int) error { return fmt.Errorf("message %d has %d bytes", id, n) }

func (l *layout) piece(b []byte) (int, error) {
	i := binary.BigEndian.Uint32(b)
	if i >= uint32(l.pieces) {
		return 0, fmt.Errorf("piece %d of %d", i, l.pieces)
	}
	return int(i), nil
}

// block reads piece and begin from b; both are unsigned on the wire, so nothing is negative.
func (l *layout) block(b []byte, length uint32) (x block, err error) {
	if x.piece, err = l.piece(b); err != nil {
		return x, err
	}
	begin := binary.BigEndian.Uint32(b[4:])
	if length == 0 || length > mostChunk || int64(begin)+int64(length) > l.size(x.piece) {
		return x, fmt.Errorf("%d bytes at %d of piece %d", length, begin, x.piece)
	}
	x.begin, x.length = int(begin), int(length)
	return x, nil
}

// Frames without a body but their id.
var (
	frameKeepAlive = []byte{0, 0, 0, 0}
	frameChoke     = []byte{0, 0, 0, 1, msgChoke}
	frameUnchoke   = []byte{0, 0, 0, 1, msgUnchoke}
)

// putPieceHeader writes the beginning of a piece message, up to its payload, to dst.
func putPieceHeader(dst []byte, b block) {
	binary.BigEndian.PutUint32(dst, uint32(pieceHeader+b.length))
	dst[prefix] = msgPiece
	binary.BigEndian.PutUint32(dst[prefix+1:], uint32(b.piece))
	binary.BigEndian.PutUint32(dst[prefix+5:], uint32(b.begin))
}

// checkOutgoing checks a buffer of whole frames that the library wants to send. Anything that it
// should not say is a mistake of ours, and must not reach the peer.
func (l *layout) checkOutgoing(p []byte) error {
	for len(p) > 0 {
		if len(p) < prefix {
			return errors.New("the library wrote part of a frame")
		}
		n := binary.BigEndian.Uint32(p)
		if n > uint32(len(p)-prefix) {
			return errors.New("the library wrote part of a frame")
		}
		m, err := l.decode(p[prefix : prefix+n])
		if err != nil {
			return fmt.Errorf("outgoing: %w", err)
		}
		if !m.keepAlive && (m.id == msgChoke || m.id == msgUnchoke || m.id == msgPiece || m.id == msgClaims) {
			return fmt.Errorf("outgoing: message %d is not the library's to send", m.id)
		}
		p = p[prefix+n:]
	}
	return nil
}

package swarm

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
)

// raw speaks the wire protocol by hand, well or badly. Its far end is offered to a client.
type raw struct {
	t    *testing.T
	conn *pipeEnd
}

// dialRaw connects a raw peer and shakes hands.
func dialRaw(t *testing.T, c *client, name string) *raw {
	t.Helper()
	near, far := newPipe()
	var peer PeerID
	copy(peer[:], name)
	if err := c.Offer(peer, far, false, OfferOptions{MayServe: true}); err != nil {
		t.Fatal(err)
	}
	r := &raw{t, near}
	hello := newHandshake(infoHash(c.id), [20]byte{1, 2, 3})
	r.write(hello[:])
	var theirs handshake
	if _, err := io.ReadFull(near, theirs[:]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	return r
}

func (r *raw) write(b []byte) {
	if _, err := r.conn.Write(b); err != nil && !errors.Is(err, net.ErrClosed) {
		r.t.Error(err)
	}
}

func message1(id byte, body ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(1+len(body)))
	return append(append(b, id), body...)
}

func words(w ...uint32) (b []byte) {
	for _, x := range w {
		b = binary.BigEndian.AppendUint32(b, x)
	}
	return b
}

// hasAll is a full bitfield.
func (o *object) hasAll() []byte {
	b := make([]byte, (o.Pieces+7)/8)
	for i := range o.Pieces {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return message1(msgBitfield, b...)
}

// next returns the next message but keep-alives, or false when the connection has ended.
func (r *raw) next() (id byte, body []byte, ok bool) {
	for {
		var head [4]byte
		if _, err := io.ReadFull(r.conn, head[:]); err != nil {
			return 0, nil, false
		}
		body := make([]byte, binary.BigEndian.Uint32(head[:]))
		if _, err := io.ReadFull(r.conn, body); err != nil {
			return 0, nil, false
		}
		if len(body) > 0 {
			return body[0], body[1:], true
		}
	}
}

// ended waits until the other side has closed the connection.
func (r *raw) ended() {
	for {
		if _, _, ok := r.next(); !ok {
			return
		}
	}
}

func asBlock(body []byte) block {
	return block{int(binary.BigEndian.Uint32(body)), int(binary.BigEndian.Uint32(body[4:])), int(binary.BigEndian.Uint32(body[8:]))}
}

func (r *raw) sendBlock(o *object, b block, spoil bool) {
	data := append([]byte(nil), o.piece(b.piece)[b.begin:b.begin+b.length]...)
	if spoil {
		data[len(data)/2] ^= 1
	}
	r.write(message1(msgPiece, append(words(uint32(b.piece), uint32(b.begin)), data...)...))
}

// serve answers requests, those that spoil says with a wrong bit, until the connection ends.
func (r *raw) serve(o *object, spoil func(block) bool) {
	r.announce(o)
	r.answer(o, spoil)
}

// announce says that it has everything and that it may be asked.
func (r *raw) announce(o *object) {
	r.write(o.hasAll())
	r.write(message1(msgUnchoke))
}

func (r *raw) answer(o *object, spoil func(block) bool) {
	for {
		id, body, ok := r.next()
		if !ok {
			return
		}
		if id == msgRequest {
			b := asBlock(body)
			r.sendBlock(o, b, spoil(b))
		}
	}
}

package node

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
)

// frameBuffer is the size of the buffers between the WebSocket and TLS, in bytes. net/http's own are sixteen times as
// large and would stay with a session for its life; what is larger than a buffer passes it by.
const frameBuffer = 256

// maxSend is how much is sent under one deadline; whoever cannot take it by then does not keep up.
const maxSend = protocol.MaxMessage

// maxKept is the largest memory that a gathered write leaves for the next one.
const maxKept = 16 << 10

// taker hands a connection over to a WebSocket with buffers of our own.
type taker struct {
	http.ResponseWriter
	conn *gatherer // set by Hijack
}

// Hijack implements http.Hijacker.
func (t *taker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	hijacker, ok := t.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("the connection cannot be taken over")
	}
	conn, buffers, err := hijacker.Hijack()
	if err != nil {
		return nil, nil, err
	}
	// net/http answers before it hands over: the client may have said something by then.
	early, err := buffers.Reader.Peek(buffers.Reader.Buffered())
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	t.conn = &gatherer{Conn: conn}
	reader := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(slices.Clone(early)), t.conn), max(frameBuffer, len(early)))
	if _, err := reader.Peek(len(early)); err != nil { // the WebSocket takes over what is buffered, and only that
		return nil, nil, errors.Join(err, conn.Close())
	}
	return t.conn, bufio.NewReadWriter(reader, bufio.NewWriterSize(t.conn, frameBuffer)), nil
}

// gatherer is a connection that can gather what is written and send it at once: one TLS record and one system call
// for many WebSocket frames. A write of at most maxSend bytes that
// takes longer than writeDeadline fails, and with it the connection.
type gatherer struct {
	net.Conn

	mu        sync.Mutex
	gathering bool
	held      *[]byte // from heldPool
}

var heldPool = sync.Pool{New: func() any { return new([]byte) }}

// Write implements net.Conn.
func (g *gatherer) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.gathering {
		return g.send(b)
	}
	*g.held = append(*g.held, b...)
	return len(b), nil
}

// gather has writes held back until release.
func (g *gatherer) gather() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gathering = true
	g.held = heldPool.Get().(*[]byte)
}

// release sends what was held back.
func (g *gatherer) release() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	held := g.held
	g.gathering, g.held = false, nil
	var err error
	for rest := range slices.Chunk(*held, maxSend) {
		if _, err = g.send(rest); err != nil {
			break
		}
	}
	if cap(*held) <= maxKept {
		*held = (*held)[:0]
		heldPool.Put(held)
	}
	return err
}

// send needs g.mu: what is gathered and what is not must not overtake each other.
func (g *gatherer) send(b []byte) (int, error) {
	if err := g.SetWriteDeadline(time.Now().Add(writeDeadline)); err != nil {
		return 0, err
	}
	return g.Conn.Write(b)
}

// cut ends the connection at once, without a word to the other end and without waiting for a write under way.
func (g *gatherer) cut() {
	conn := g.Conn
	if secured, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secured.NetConn() // TLS would send its farewell first
	}
	conn.Close()
}

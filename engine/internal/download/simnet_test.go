package download

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// line is one direction of a host's way to the Internet. All its connections share it.
type line struct {
	mu   sync.Mutex
	rate float64 // bytes a second
	free time.Time
}

// pass returns how long n bytes need to pass, behind those that came before.
func (l *line) pass(n int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.free.Before(now) {
		l.free = now
	}
	l.free = l.free.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	return l.free.Sub(now)
}

// host is a computer with a line in each direction, and its open connections.
type host struct {
	up, down line
	site     *host          // whose lines lead out of its LAN; nil: it has no LAN
	flows    sync.WaitGroup // of connections that it has opened

	mu    sync.Mutex
	conns []*end
	dead  bool
	mute  bool // who dials it gets no answer
}

func newHost(up, down float64) *host { return &host{up: line{rate: up}, down: line{rate: down}} }

// kill closes its connections and takes no more.
func (h *host) kill() {
	h.mu.Lock()
	h.dead = true
	conns := h.conns
	h.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

// freeze lets its connections stand, but no byte leaves any more.
func (h *host) freeze() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mute = true
	for _, c := range h.conns {
		c.out.set(func() { c.out.frozen = true })
	}
}

// wake lets it take connections again; those that were frozen stay so.
func (h *host) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dead, h.mute = false, false
}

var errDead = errors.New("connection refused")

const (
	oneWay   = 10 * time.Millisecond // delay between hosts
	packet   = 16 << 10              // bytes that pass a line at a time
	pipeRoom = 256 << 10             // bytes that a connection holds on their way, as a TCP window does
	anyRoom  = 1 << 30               // more than a writer fills: it never waits

	connectTimeout = 10 * time.Second
)

// connect opens a connection between two hosts and returns their ends. It holds room bytes in each direction. The
// piece engine writes while it holds a lock, and whoever waits for a lock stops the time of a bubble, so
// its connections must have anyRoom.
func connect(a, b *host, room int) (atA, atB *end, err error) {
	there, back := newFlow(a, a.way(b), room), newFlow(a, b.way(a), room)
	atA, atB = &end{in: back, out: there}, &end{in: there, out: back}
	for _, x := range []struct {
		h *host
		e *end
	}{{a, atA}, {b, atB}} {
		x.h.mu.Lock()
		if x.h.dead {
			err = errDead
		}
		x.h.conns = append(x.h.conns, x.e)
		x.h.mu.Unlock()
	}
	if err != nil {
		atA.Close()
		atB.Close()
		return nil, nil, err
	}
	return atA, atB, nil
}

// way is the lines between two hosts, in order.
func (h *host) way(to *host) []*line {
	switch {
	case h.site == to.site:
		return []*line{&h.up, &to.down}
	case to.site == nil:
		return []*line{&h.up, &h.site.up, &to.down}
	case h.site == nil:
		return []*line{&h.up, &to.site.down, &to.down}
	}
	return []*line{&h.up, &h.site.up, &to.site.down, &to.down}
}

// flow is one direction of a connection.
type flow struct {
	way  []*line
	room int

	mu       sync.Mutex
	change   sync.Cond
	entering []byte   // written, not on the line yet
	arriving []parcel // off the line
	held     int      // bytes in all of it
	ended    bool     // the writer has closed
	closed   bool     // the reader has
	frozen   bool
	expired  bool // the read deadline
	deadline *time.Timer
}

type parcel struct {
	data []byte
	due  time.Time
}

func newFlow(owner *host, way []*line, room int) *flow {
	f := &flow{way: way, room: room}
	f.change.L = &f.mu
	owner.flows.Go(f.run)
	return f
}

func (f *flow) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	f.change.Broadcast()
}

// run carries bytes over the lines until the connection is closed.
func (f *flow) run() {
	for {
		f.mu.Lock()
		for (len(f.entering) == 0 || f.frozen) && !f.ended && !f.closed {
			f.change.Wait()
		}
		k := min(len(f.entering), packet)
		data := f.entering[:k:k]
		f.entering = f.entering[k:]
		over := k == 0 || f.closed || f.frozen
		f.mu.Unlock()
		if over {
			return
		}
		for _, l := range f.way {
			time.Sleep(l.pass(k))
		}
		f.set(func() { f.arriving = append(f.arriving, parcel{data, time.Now().Add(oneWay)}) })
		time.AfterFunc(oneWay, func() { f.set(func() {}) })
	}
}

func (f *flow) read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.closed:
			return 0, net.ErrClosed
		case f.expired:
			return 0, os.ErrDeadlineExceeded
		case len(f.arriving) > 0 && !f.arriving[0].due.After(time.Now()):
			first := &f.arriving[0]
			n := copy(p, first.data)
			f.held -= n
			if first.data = first.data[n:]; len(first.data) == 0 {
				f.arriving = f.arriving[1:]
			}
			f.change.Broadcast()
			return n, nil
		case f.ended && !f.frozen && f.held == 0:
			return 0, io.EOF
		}
		f.change.Wait()
	}
}

func (f *flow) write(p []byte) (n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(p) > 0 {
		for f.held >= f.room && !f.ended && !f.closed {
			f.change.Wait()
		}
		if f.ended || f.closed {
			return n, net.ErrClosed
		}
		k := min(len(p), f.room-f.held)
		f.entering = append(f.entering, p[:k]...)
		f.held += k
		p, n = p[k:], n+k
		f.change.Broadcast()
	}
	return n, nil
}

// end is one end of a connection.
type end struct{ in, out *flow }

func (e *end) Read(p []byte) (int, error)  { return e.in.read(p) }
func (e *end) Write(p []byte) (int, error) { return e.out.write(p) }

func (e *end) Close() error {
	e.in.set(func() { e.in.closed = true })
	e.out.set(func() { e.out.ended = true })
	return nil
}

func (e *end) SetReadDeadline(at time.Time) error {
	f := e.in
	f.set(func() {
		if f.deadline != nil {
			f.deadline.Stop()
		}
		f.expired = !at.IsZero() && !at.After(time.Now())
		if !at.IsZero() && !f.expired {
			f.deadline = time.AfterFunc(time.Until(at), func() { f.set(func() { f.expired = true }) })
		}
	})
	return nil
}

func (e *end) SetWriteDeadline(time.Time) error { return nil }
func (e *end) SetDeadline(at time.Time) error   { return e.SetReadDeadline(at) }
func (e *end) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1} }
func (e *end) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 2} }

// door is a listener that gets its connections from dial.
type door struct {
	host   *host
	queue  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newDoor(h *host) *door {
	return &door{host: h, queue: make(chan net.Conn), closed: make(chan struct{})}
}

// dial is how a user's edge client reaches it.
func (d *door) dial(ctx context.Context, user *host) (net.Conn, error) {
	d.host.mu.Lock()
	mute := d.host.mute
	d.host.mu.Unlock()
	if mute {
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	here, there, err := connect(user, d.host, pipeRoom)
	if err != nil {
		return nil, err
	}
	select {
	case d.queue <- there:
		return here, nil
	case <-d.closed:
	case <-ctx.Done():
	}
	here.Close()
	there.Close()
	return nil, errDead
}

func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.queue:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

func (d *door) Close() error   { d.once.Do(func() { close(d.closed) }); return nil }
func (d *door) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 80} }

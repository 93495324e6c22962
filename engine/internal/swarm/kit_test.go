package swarm

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/control/protocol/bencode"
	"github.com/tributary-dl/tributary/control/protocol/merkle"
)

// object is made-up content with its description.
type object struct {
	Content
	data []byte
}

func makeObject(length, pieceLength int) *object {
	data := make([]byte, length)
	rand.NewChaCha8([32]byte{byte(length), byte(length >> 8)}).Read(data)
	var layer []merkle.Hash
	for rest := data; len(rest) > 0; {
		n := min(pieceLength, len(rest))
		var h merkle.Hasher
		h.Write(rest[:n])
		leaves := 1
		if length > pieceLength {
			leaves = pieceLength / merkle.BlockSize
		}
		layer = append(layer, h.Root(leaves))
		rest = rest[n:]
	}
	root := merkle.LayerRoot(layer, pieceLength/merkle.BlockSize)
	layers := map[string]string{}
	if len(layer) > 1 {
		var joined []byte
		for _, h := range layer {
			joined = append(joined, h[:]...)
		}
		layers[string(root[:])] = string(joined)
	}
	info := bencode.Encode(bencode.Dict{
		"meta version": 2, "name": "object", "piece length": pieceLength,
		"file tree": bencode.Dict{"object": bencode.Dict{"": bencode.Dict{"length": length, "pieces root": root[:]}}},
	})
	return &object{Content{
		ID: sha256.Sum256(info), Name: "object", InfoBytes: info, PieceLayers: layers,
		PieceLength: int64(pieceLength), Length: int64(length), Pieces: len(layer),
	}, data}
}

func (o *object) piece(i int) []byte {
	from := i * int(o.PieceLength)
	return o.data[from:min(from+int(o.PieceLength), len(o.data))]
}

// memory is Pieces in memory. It checks that whatever is marked is right.
type memory struct {
	t *testing.T
	o *object

	room chan struct{} // nil: there is always room; else not before it is closed

	mu       sync.Mutex
	data     []byte
	verified []bool
	missing  int
	complete chan struct{} // closed when nothing is missing
	fail     error         // of WriteBlock
}

func (o *object) empty(t *testing.T) *memory {
	return &memory{t: t, o: o, data: make([]byte, o.Length), verified: make([]bool, o.Pieces),
		missing: o.Pieces, complete: make(chan struct{})}
}

func (o *object) full(t *testing.T) *memory { return o.with(t, func(int) bool { return true }) }

func (o *object) with(t *testing.T, has func(i int) bool) *memory {
	m := o.empty(t)
	for i := range o.Pieces {
		if has(i) {
			m.commit(i)
		}
	}
	return m
}

func (m *memory) AwaitRoom(ctx context.Context) {
	if m.room == nil {
		return
	}
	select {
	case <-m.room:
	case <-ctx.Done():
	}
}

func (m *memory) WriteBlock(i int, off int64, b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if !m.verified[i] {
		copy(m.data[int64(i)*m.o.PieceLength+off:], b)
	}
	return nil
}

func (m *memory) ReadAt(b []byte, i int, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := copy(b, m.data[int64(i)*m.o.PieceLength+off:])
	if n < len(b) {
		return n, io.ErrUnexpectedEOF
	}
	return n, nil
}

func (m *memory) MarkVerified(i int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	from := i * int(m.o.PieceLength)
	if string(m.data[from:from+len(m.o.piece(i))]) != string(m.o.piece(i)) {
		m.t.Errorf("piece %d is marked verified and wrong", i)
	}
	m.mark(i)
	return nil
}

func (m *memory) mark(i int) {
	if m.verified[i] {
		return
	}
	m.verified[i] = true
	if m.missing--; m.missing == 0 {
		close(m.complete)
	}
}

// commit is what an edge does.
func (m *memory) commit(i int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	copy(m.data[int64(i)*m.o.PieceLength:], m.o.piece(i))
	m.mark(i)
}

func (m *memory) Verified(i int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.verified[i]
}

func (m *memory) count() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.verified) - m.missing
}

// diary is an Observer that remembers.
type diary struct {
	mu       sync.Mutex
	credit   map[PeerID]int64
	verified map[int]int64 // sum of credits
	rejected []int
	blamed   map[PeerID]int
	failed   error
	changed  chan struct{}
}

func newDiary() *diary {
	return &diary{credit: map[PeerID]int64{}, verified: map[int]int64{}, blamed: map[PeerID]int{}, changed: make(chan struct{}, 1)}
}

func (d *diary) note(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

func (d *diary) PieceVerified(i int, from map[PeerID]int64) {
	d.note(func() {
		for p, n := range from {
			d.credit[p] += n
			d.verified[i] += n
		}
	})
}

func (d *diary) PieceRejected(i int, from []PeerID, bytes int64) {
	d.note(func() {
		d.rejected = append(d.rejected, i)
		for _, p := range from {
			d.blamed[p]++
		}
	})
}

func (d *diary) PeersChanged()           { d.note(func() {}) }
func (d *diary) StorageFailed(err error) { d.note(func() { d.failed = err }) }

// until waits until the condition holds; it is asked, under the diary's lock, after each call.
func (d *diary) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	ask := func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return holds()
	}
	for !ask() {
		select {
		case <-d.changed:
		case <-limit.C:
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// client is an engine with one swarm.
type client struct {
	*Swarm
	engine *Engine
	mem    *memory
	diary  *diary
	name   PeerID
}

func everybody(PeerID) bool { return true }

func newClient(t *testing.T, name string, m *memory, change ...func(*Config)) *client {
	t.Helper()
	cfg := Config{Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))}
	for _, f := range change {
		f(&cfg)
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	c := &client{engine: e, mem: m, diary: newDiary()}
	copy(c.name[:], name)
	if c.Swarm, err = e.Join(m.o.Content, m, c.diary); err != nil {
		t.Fatal(err)
	}
	c.SetUpload(everybody)
	for i := range m.o.Pieces {
		if !m.Verified(i) {
			c.Want(i)
		}
	}
	return c
}

// far joins two clients by a line that takes delay each way.
func far(t *testing.T, a, b *client, delay time.Duration) {
	t.Helper()
	x, nearX := newPipe()
	y, nearY := newPipe()
	var lines sync.WaitGroup
	t.Cleanup(func() {
		x.Close()
		y.Close()
		lines.Wait()
	})
	carry := func(from, to *pipeEnd) {
		type parcel struct {
			due  time.Time
			data []byte
		}
		line := make(chan parcel, 1<<12)
		lines.Go(func() {
			defer close(line)
			for {
				buf := make([]byte, 32<<10)
				n, err := from.Read(buf)
				if err != nil {
					return
				}
				line <- parcel{time.Now().Add(delay), buf[:n]}
			}
		})
		lines.Go(func() {
			defer to.Close()
			for p := range line {
				time.Sleep(time.Until(p.due))
				to.Write(p.data)
			}
		})
	}
	carry(nearX, nearY)
	carry(nearY, nearX)
	for _, err := range []error{
		a.Offer(b.name, x, true, OfferOptions{MayServe: true}),
		b.Offer(a.name, y, false, OfferOptions{MayServe: true}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// connect joins two clients by a connection in memory and returns its ends.
func connect(t *testing.T, a, b *client) (*pipeEnd, *pipeEnd) {
	t.Helper()
	return connectWith(t, a, b, OfferOptions{MayServe: true})
}

func connectWith(t *testing.T, a, b *client, o OfferOptions) (*pipeEnd, *pipeEnd) {
	t.Helper()
	x, y := newPipe()
	if err := a.Offer(b.name, x, true, o); err != nil {
		t.Fatal(err)
	}
	if err := b.Offer(a.name, y, false, o); err != nil {
		t.Fatal(err)
	}
	return x, y
}

func wait(t *testing.T, m *memory) {
	t.Helper()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	select {
	case <-m.complete:
	case <-limit.C:
		t.Fatalf("has %d of %d pieces after 30 s", m.count(), m.o.Pieces)
	}
}

// pacer is a Limiter of some bytes a second, zero for none at all.
type pacer struct {
	mu   sync.Mutex
	rate float64
	free time.Time
}

func (p *pacer) WaitN(ctx context.Context, n int) error {
	p.mu.Lock()
	if p.rate == 0 {
		p.mu.Unlock()
		<-ctx.Done()
		return ctx.Err()
	}
	now := time.Now()
	if p.free.Before(now) {
		p.free = now
	}
	wait := p.free.Sub(now)
	p.free = p.free.Add(time.Duration(float64(n) / p.rate * float64(time.Second)))
	p.mu.Unlock()
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pipeEnd is one end of a buffered connection in memory.
type pipeEnd struct {
	in, out *pipeHalf
}

type pipeHalf struct {
	mu       sync.Mutex
	change   sync.Cond
	buf      []byte
	closed   bool
	frozen   bool // readers get nothing
	expired  bool // the read deadline
	deadline *time.Timer
	written  int // bytes, ever
}

const pipeRoom = 256 << 10

func newPipe() (*pipeEnd, *pipeEnd) {
	a, b := &pipeHalf{}, &pipeHalf{}
	a.change.L, b.change.L = &a.mu, &b.mu
	return &pipeEnd{a, b}, &pipeEnd{b, a}
}

func (h *pipeHalf) set(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	h.change.Broadcast()
}

func (e *pipeEnd) Read(p []byte) (int, error) {
	h := e.in
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.expired:
			return 0, os.ErrDeadlineExceeded
		case len(h.buf) > 0 && !h.frozen:
			n := copy(p, h.buf)
			h.buf = h.buf[n:]
			h.change.Broadcast()
			return n, nil
		case h.closed:
			return 0, io.EOF
		}
		h.change.Wait()
	}
}

func (e *pipeEnd) Write(p []byte) (n int, err error) {
	h := e.out
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(p) > 0 {
		for len(h.buf) >= pipeRoom && !h.closed {
			h.change.Wait()
		}
		if h.closed {
			return n, net.ErrClosed
		}
		k := min(len(p), pipeRoom-len(h.buf))
		h.buf = append(h.buf, p[:k]...)
		h.written += k
		p, n = p[k:], n+k
		h.change.Broadcast()
	}
	return n, nil
}

func (e *pipeEnd) Close() error {
	e.in.set(func() { e.in.closed = true })
	e.out.set(func() { e.out.closed = true })
	return nil
}

func (e *pipeEnd) SetReadDeadline(at time.Time) error {
	h := e.in
	h.set(func() {
		if h.deadline != nil {
			h.deadline.Stop()
			h.deadline = nil
		}
		h.expired = !at.IsZero() && !at.After(time.Now())
		if !at.IsZero() && !h.expired {
			h.deadline = time.AfterFunc(time.Until(at), func() { h.set(func() { h.expired = true }) })
		}
	})
	return nil
}

// written returns how many bytes have ever left through this end.
func (e *pipeEnd) written() (n int) {
	e.out.set(func() { n = e.out.written })
	return n
}

// freeze stops what comes to this end, or lets it come again.
func (e *pipeEnd) freeze(on bool) { e.in.set(func() { e.in.frozen = on }) }

func (e *pipeEnd) SetWriteDeadline(time.Time) error { return errors.New("no write deadlines") }
func (e *pipeEnd) SetDeadline(time.Time) error      { return errors.New("no deadlines") }
func (e *pipeEnd) LocalAddr() net.Addr              { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
func (e *pipeEnd) RemoteAddr() net.Addr             { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

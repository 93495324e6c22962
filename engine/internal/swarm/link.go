package swarm

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// link is one connection to a peer. Towards the library it is a net.Conn that carries the few messages
// the library shall know of. Read, Write and serve run on one goroutine each.
type link struct {
	swarm    *Swarm
	peer     PeerID
	options  OfferOptions
	outgoing bool
	conn     net.Conn
	addr     *address
	since    time.Time // set by join
	theirID  [20]byte

	knowsClaims bool // see claims.go

	ctx    context.Context // ends with the link
	cancel context.CancelCauseFunc
	closed sync.Once

	uploads uploads
	haves   haves       // has its own lock
	writing sync.Mutex  // frames to the peer are written one at a time
	stalled atomic.Bool // nothing comes, see pulse
	chokes  atomic.Bool // the peer chokes us

	proved chan struct{} // closed when a piece that the peer had part in has been verified

	// Of Read alone.
	in       *bufio.Reader
	ready    []byte // bytes for the library, waiting for room
	consumed int    // bytes of in that end with ready
	choked   bool   // the library has been told that the peer chokes us
	sawHave  bool   // a bitfield would come too late
	unproved int64  // payload bytes taken while nothing had proved the peer

	unread int // of Write alone: bytes of the library's handshake to swallow

	pulse // has its own lock

	// Guarded by Swarm.mu. Payload bytes.
	has        bitset
	hidden     bitset // of has: what the library has not been told of, see far.go
	hasCount   int
	reveal     []int     // hidden until now, to be told as soon as Read gets to it
	shown      time.Time // when the last was taken out of hidden
	coming     []int     // pieces that the peer is fetching from the edge
	claimsTold []int     // of ours, the last that the peer was told
	received   int64
	useful     int64 // as far as one knew when it came
	redundant  int64
	wasted     int64 // redundant, or useful and then discarded with its piece
	unjudged   int64 // of the last message, of which it is not known yet whether it is useful
	ended      bool  // the library takes nothing more
	parted     bool  // not counted among the connected any more
	bad        int   // rejected pieces it had part in
	good       int   // verified pieces it had part in
	sent       int64
	sending    meter
}

// address is what the library knows a link by.
type address struct {
	link *link
	text string
}

func (*address) Network() string  { return "tcp" } // a name that the library knows; it must not be empty
func (a *address) String() string { return a.text }

func (a *address) ip() string {
	host, _, _ := net.SplitHostPort(a.text)
	return host
}

var (
	errDisconnected = errors.New("disconnected")
	errForbidden    = errors.New("what is being sent may not be sent any more")
	errSilent       = errors.New("peer says nothing any more")
	errNoWake       = errors.New("peer is stalled, and its connection cannot be interrupted")
)

const (
	keepAlive    = time.Minute       // what BEP 3 clients expect is less than 2 minutes
	silence      = 150 * time.Second // longer than this, and the peer is gone
	writeTimeout = time.Minute       // for one frame

	trialPieces   = 2
	proofPatience = 20 * time.Millisecond // for each chunk; a hash takes about 1 ms for each MiB
)

func newLink(s *Swarm, peer PeerID, conn net.Conn, outgoing bool, o OfferOptions) *link {
	l := &link{swarm: s, peer: peer, options: o, outgoing: outgoing, conn: conn, proved: make(chan struct{})}
	l.addr = &address{l, wireAddress(peer)}
	l.ctx, l.cancel = context.WithCancelCause(s.ctx)
	l.uploads.wake = make(chan struct{}, 1)
	l.haves.timer = newStoppedTimer(l.tellHaves)
	l.pulse.chunk = float64(s.layout.chunk)
	return l
}

// run is the link's goroutine: it shakes hands, hands the link to the library, and uploads.
func (l *link) run() {
	defer context.AfterFunc(l.ctx, func() { l.conn.Close() })() // Leave does not know it while it shakes hands
	defer l.haves.timer.Stop()
	ours := newHandshake(infoHash(l.swarm.id), l.swarm.self)
	ours[reservedByte] |= knowsClaims
	theirs, err := shakeHands(l.conn, ours)
	l.theirID = theirs.id()
	l.knowsClaims = theirs[reservedByte]&knowsClaims != 0
	if err := l.swarm.join(l, err); err != nil {
		l.close(err)
		return
	}
	select {
	case l.swarm.acceptor.links <- l:
		l.swarm.workers.Go(l.keep)
		l.serve()
	case <-l.ctx.Done():
	}
	l.close(nil)
	l.swarm.part(l)
}

// join counts the link among the connected, if it may.
func (s *Swarm) join(l *link, err error) error {
	l.has, l.hidden = newBitset(s.layout.pieces), newBitset(s.layout.pieces)
	l.since = time.Now()
	l.in = bufio.NewReaderSize(pulseReader{l}, max(128<<10, prefix+s.layout.maxFrame()))
	theirs := newHandshake(s.alias, l.theirID)
	l.ready = theirs[:]
	l.unread = len(theirs)
	l.chokes.Store(true)
	l.choked = true

	s.mu.Lock()
	s.offers--
	old := s.links[l.peer]
	switch {
	case err != nil:
	case s.left:
		err = ErrClosed
	case old != nil && (old.outgoing == l.outgoing || !l.preferred()):
		err = ErrConnected
	default:
		s.links[l.peer] = l
		s.addresses[l.addr.ip()] = l.peer
		s.news.changed = true
	}
	s.mu.Unlock()
	if err == nil && old != nil {
		old.close(ErrConnected)
	}
	s.signal()
	return err
}

// preferred tells which of two connections with the same peer, dialled by either end, to keep: that
// of the end with the higher ID, so that both ends keep the same.
func (l *link) preferred() bool {
	return (string(l.swarm.self[:]) > string(l.theirID[:])) == l.outgoing
}

// part takes the link out of the connected.
func (s *Swarm) part(l *link) {
	s.mu.Lock()
	if s.links[l.peer] == l {
		delete(s.links, l.peer)
	}
	l.parted = true
	l.has.common(l.has, 0, func(i int) bool {
		s.holders[i]--
		return true
	})
	for _, i := range l.coming {
		s.coming[i]--
	}
	l.coming = nil
	s.news.changed, s.news.gone = true, true
	s.mu.Unlock()
	s.log.Debug("peer gone", "peer", l.peer, "reason", context.Cause(l.ctx))
	s.signal()
}

func (l *link) close(reason error) {
	l.closed.Do(func() {
		l.cancel(reason)
		l.conn.Close()
	})
}

// Read gives the library what it shall see of the peer's messages. Only whole frames are passed on, so
// that a choke can be slipped in between while a peer hangs in the middle of one.
func (l *link) Read(p []byte) (n int, err error) {
	for n == 0 || (n < len(p) && (len(l.ready) > 0 || l.frameBuffered())) {
		if len(l.ready) == 0 {
			if err = l.next(); err != nil {
				l.close(err)
				break
			}
		}
		k := copy(p[n:], l.ready)
		n, l.ready = n+k, l.ready[k:]
		if len(l.ready) == 0 {
			_, _ = l.in.Discard(l.consumed) // all of it has been peeked at
			l.consumed = 0
		}
	}
	if n > 0 {
		return n, nil
	}
	return 0, err
}

func (l *link) frameBuffered() bool {
	if l.in.Buffered() < prefix {
		return false
	}
	head, _ := l.in.Peek(prefix)
	return uint64(l.in.Buffered()) >= prefix+uint64(binary.BigEndian.Uint32(head))
}

// next waits for one frame, or for a stall to begin or end, and puts what the library shall see of it
// into ready.
func (l *link) next() error {
	if choked := l.chokes.Load() || l.stalled.Load(); choked != l.choked {
		// To the library a stalled peer is one that chokes: it asks others, and still takes what comes.
		l.choked = choked
		if choked {
			l.ready = frameChoke
		} else {
			l.ready = frameUnchoke
		}
		return nil
	}
	if l.ready = l.revealed(); len(l.ready) > 0 {
		return nil
	}
	body, err := l.frame()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return l.conn.SetReadDeadline(time.Time{}) // woken
	}
	if err != nil {
		return err
	}
	m, err := l.swarm.layout.decode(body)
	if err != nil {
		return fmt.Errorf("incoming: %w", err)
	}
	pass, err := l.take(m)
	if err != nil {
		return fmt.Errorf("incoming: %w", err)
	}
	if !pass {
		_, _ = l.in.Discard(prefix + len(body)) // all of it has been peeked at
		return nil
	}
	l.consumed = prefix + len(body)
	l.ready, _ = l.in.Peek(l.consumed)
	return nil
}

// frame waits for a whole frame and returns its body, which stays in the reader's buffer.
func (l *link) frame() ([]byte, error) {
	head, err := l.in.Peek(prefix)
	if err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head)
	if size > uint32(l.swarm.layout.maxFrame()) {
		return nil, fmt.Errorf("incoming: frame of %d bytes", size)
	}
	all, err := l.in.Peek(prefix + int(size))
	if err != nil {
		return nil, err
	}
	return all[prefix:], nil
}

// take acts on a message and reports whether the library shall see it.
func (l *link) take(m message) (pass bool, err error) {
	if m.keepAlive {
		return false, nil
	}
	switch m.id {
	case msgChoke, msgUnchoke:
		l.chokes.Store(m.id == msgChoke)
		return false, nil // next tells the library
	case msgHave:
		l.sawHave = true
		return l.swarm.peerHas(l, m.block.piece), nil
	case msgBitfield:
		if l.sawHave {
			return false, errors.New("bitfield is not the first to say what the peer has")
		}
		l.sawHave = true
		return l.swarm.peerHasAll(l, m.payload), nil
	case msgRequest:
		return false, l.requested(m.block)
	case msgCancel:
		l.uploads.remove(m.block)
		return false, nil
	case msgClaims:
		l.swarm.claimed(l, m.claims)
		return false, nil
	case msgPiece:
		l.swarm.countReceived(l, len(m.payload))
		if err := l.awaitProof(len(m.payload)); err != nil {
			return false, err
		}
		return true, l.throttle(len(m.payload))
	default: // interested or not: links serve whom they may, asked or not
		return false, nil
	}
}

// awaitProof holds up a chunk of a peer that has given two pieces and nothing yet that was verified, while its first may be
// being hashed: who sends rubbish could else send more of it than its ban is worth. It does not wait for long: pieces may also be
// unfinished for want of other peers.
func (l *link) awaitProof(n int) error {
	if l.unproved += int64(n); l.unproved <= trialPieces*l.swarm.layout.pieceLength {
		return nil
	}
	select {
	case <-l.proved:
		return nil
	default:
	}
	l.pause(true) // that nothing is read now is not the peer's fault
	defer l.pause(false)
	patience := time.NewTimer(proofPatience)
	defer patience.Stop()
	select {
	case <-l.proved:
	case <-patience.C:
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	}
	return nil
}

// throttle holds up a chunk while the disk has enough to do, and then as our limits say. Reading is the place to wait: it
// holds no lock of anybody's, and the peer sends no more than the connection takes.
func (l *link) throttle(n int) error {
	l.pause(true) // that nothing is read now is not the peer's fault
	defer l.pause(false)
	if err := l.awaitRoom(); err != nil {
		return err
	}
	for _, limiter := range []Limiter{l.swarm.limiter, l.swarm.engine.cfg.DownloadLimiter} {
		if limiter == nil {
			continue
		}
		if err := limiter.WaitN(l.ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) awaitRoom() error {
	if err := l.swarm.storing.enter(); err != nil { // the library may read when it was left
		return err
	}
	defer l.swarm.storing.exit()
	l.swarm.pieces.AwaitRoom(l.ctx)
	return nil
}

// Write takes the library's messages. It swallows the library's handshake; ours was said long ago.
func (l *link) Write(p []byte) (int, error) {
	k := min(l.unread, len(p))
	l.unread -= k
	frames := p[k:]
	if len(frames) == 0 {
		return len(p), nil
	}
	if err := l.swarm.layout.checkOutgoing(frames); err != nil {
		l.swarm.log.Error("piece engine wants to say what it must not", "err", err)
		l.close(err)
		return 0, err
	}
	if frames = l.holdBack(frames, time.Now()); len(frames) == 0 {
		return len(p), nil
	}
	if _, err := l.send(frames); err != nil {
		return 0, err
	}
	return len(p), nil
}

// send writes whole frames to the peer and returns how many bytes left.
func (l *link) send(frames []byte) (int, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	_ = l.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // best effort: not every connection has deadlines
	n, err := l.conn.Write(frames)
	if err != nil {
		l.close(err)
	}
	return n, err
}

// Close is the library's way to end the link.
func (l *link) Close() error {
	l.close(nil)
	return nil
}

func (l *link) LocalAddr() net.Addr  { return l.swarm.acceptor.Addr() }
func (l *link) RemoteAddr() net.Addr { return l.addr }

// The library panics when setting a deadline fails; links keep their own time.

func (l *link) SetDeadline(time.Time) error      { return nil }
func (l *link) SetReadDeadline(time.Time) error  { return nil }
func (l *link) SetWriteDeadline(time.Time) error { return nil }

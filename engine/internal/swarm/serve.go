package swarm

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// uploads is what a peer has asked for and not got yet, in its order.
type uploads struct {
	mu      sync.Mutex // guards queue
	queue   []block
	wake    chan struct{}
	sending atomic.Bool // a piece message is being written
}

const maxRequests = 1024 // outstanding from one peer; ours ask for fewer

func (u *uploads) add(b block) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.queue) >= maxRequests {
		return errors.New("too many requests")
	}
	if !slices.Contains(u.queue, b) {
		u.queue = append(u.queue, b)
	}
	u.signal()
	return nil
}

// remove takes a request out and reports whether it was there.
func (u *uploads) remove(b block) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	i := slices.Index(u.queue, b)
	if i < 0 {
		return false
	}
	u.queue = slices.Delete(u.queue, i, i+1)
	return true
}

func (u *uploads) first() (b block, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.queue) == 0 {
		return b, false
	}
	return u.queue[0], true
}

func (u *uploads) clear() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.queue = nil
}

func (u *uploads) signal() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// serve answers the peer's requests until the link ends. It alone writes chokes, unchokes, claims and
// pieces, so the peer sees them in the order in which they were decided.
func (l *link) serve() {
	open := false // the peer knows that it may ask
	for l.ctx.Err() == nil {
		if may := l.mayUpload(); may != open {
			open = may
			l.open(open)
			continue
		}
		if news := l.claimNews(open); news != nil {
			_, _ = l.send(news) // an error has closed the link
			continue
		}
		if b, ok := l.uploads.first(); ok && open {
			if err := l.answerRequest(b); err != nil {
				l.close(err)
			}
			continue
		}
		select {
		case <-l.ctx.Done():
		case <-l.uploads.wake:
		}
	}
}

// keep keeps the link alive, and ends it if the peer does not. It also has serve look again at what time alone
// decides: the hours of sharing, a new month.
func (l *link) keep() {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case now := <-tick.C:
			if now.Sub(l.since) > silence && now.Sub(l.lastSign()) > silence {
				l.close(errSilent)
				return
			}
			_, _ = l.send(frameKeepAlive) // an error has closed the link
			l.uploads.signal()
		}
	}
}

// open tells the peer whether it may ask. What it asked before it may not any more is forgotten on both
// sides (BEP 3).
func (l *link) open(on bool) {
	if on {
		_, _ = l.send(frameUnchoke) // an error has closed the link
		return
	}
	l.uploads.clear()
	_, _ = l.send(frameChoke) // an error has closed the link
}

func (l *link) mayUpload() bool {
	l.swarm.mu.Lock()
	allow := l.swarm.allow
	l.swarm.mu.Unlock()
	o := &l.options
	return o.MayServe && allow(l.peer) && (o.Allow == nil || o.Allow())
}

// answerRequest sends one block, when the limiter lets it. The request stays in the queue meanwhile, so
// that it can be cancelled.
func (l *link) answerRequest(b block) error {
	if limiter := l.swarm.engine.cfg.UploadLimiter; limiter != nil {
		if err := limiter.WaitN(l.ctx, b.length); err != nil {
			return err
		}
	}
	if !l.uploads.remove(b) {
		return nil
	}
	buf := buffers.Get().(*buffer)
	defer buffers.Put(buf)
	const header = prefix + pieceHeader
	putPieceHeader(buf[:], b)
	if err := l.swarm.read(b, buf[header:header+b.length]); err != nil {
		return err
	}
	l.uploads.sending.Store(true) // before asking: who forbids it now cuts it off, see Kick
	defer l.uploads.sending.Store(false)
	if !l.mayUpload() { // changed while waiting; serve tells the peer
		return nil
	}
	n, err := l.send(buf[:header+b.length])
	l.swarm.countSent(l, n-header)
	return err
}

// requested queues a request, if it is for something that the peer may think we have.
func (l *link) requested(b block) error {
	s := l.swarm
	if err := s.storing.enter(); err != nil {
		return err
	}
	defer s.storing.exit()
	if !s.pieces.Verified(b.piece) {
		return fmt.Errorf("request of piece %d, which we do not have", b.piece)
	}
	return l.uploads.add(b)
}

func (s *Swarm) read(b block, dst []byte) error {
	if err := s.storing.enter(); err != nil {
		return err
	}
	defer s.storing.exit()
	if _, err := s.pieces.ReadAt(dst, b.piece, int64(b.begin)); err != nil {
		return fmt.Errorf("read piece %d to upload it: %w", b.piece, err)
	}
	return nil
}

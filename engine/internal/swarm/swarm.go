package swarm

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anacrolix/torrent"

	"github.com/tributary-dl/tributary/control/protocol"
)

// Pieces is an object's storage, as swarm needs it. All methods may be called from several goroutines
// at once, and none is called after Leave has returned.
type Pieces interface {
	// AwaitRoom waits until the disk can take more, but no longer than ctx. It is called before WriteBlock.
	AwaitRoom(ctx context.Context)
	// WriteBlock takes bytes of piece i that no hash has confirmed. It drops them if the piece is
	// verified. It does not wait for room: the library calls it.
	WriteBlock(i int, off int64, b []byte) error
	// ReadAt reads of piece i, verified or not, and returns less than len(b) only with an error.
	ReadAt(b []byte, i int, off int64) (int, error)
	// MarkVerified is told that the hash of piece i fits. Marking a verified piece changes nothing.
	MarkVerified(i int) error
	// Verified reports whether piece i may be served.
	Verified(i int) bool
}

// Observer hears what peers did. It is called from the swarm's own goroutine, so it must not block and
// must not call Leave; no lock is held.
type Observer interface {
	// PieceVerified tells that peers completed piece i, and how many bytes each one gave. The sum is
	// the size of the piece.
	PieceVerified(i int, from map[PeerID]int64)
	// PieceRejected tells that bytes from these peers did not make piece i. It is asked for again.
	PieceRejected(i int, from []PeerID, bytes int64)
	// PeersChanged tells that peers came, went, stalled or recovered.
	PeersChanged()
	// StorageFailed tells that Pieces returned an error. The swarm has stopped asking peers; leave it
	// and join again when the storage works.
	StorageFailed(err error)
}

const (
	maxPeers     = 64              // connected peers in a swarm
	leaveTimeout = 5 * time.Second // how long Leave waits for connections and storage that hang
)

// Swarm is the peers of one object.
//
// Locks are taken in this order: asking, the library's, mu, a link's. mu and a link's are taken in the
// library's callbacks, so the library must never be called under them.
type Swarm struct {
	engine *Engine
	id     protocol.ContentID
	self   [20]byte // our peer ID on the wire: random for each swarm, so that swarms cannot be linked
	alias  [20]byte // what the library calls the object, see startLibrary
	log    *slog.Logger
	layout *layout
	pieces Pieces
	obs    Observer

	limiter Limiter // of this object alone; may be nil

	client  *torrent.Client // set by start
	torrent *torrent.Torrent

	ctx      context.Context // ends when Leave begins
	cancel   context.CancelFunc
	acceptor *acceptor
	storing  gate // the library's calls of Pieces
	workers  sync.WaitGroup
	leave    sync.Once
	wake     chan struct{} // for the pump
	horizon  atomic.Int64  // see lookAhead
	beside   atomic.Int64  // see Beside

	asking sync.Mutex // makes a change of asked and its telling to the library one step

	mu        sync.Mutex // guards the fields below
	left      bool
	offers    int // links that have not shaken hands yet
	links     map[PeerID]*link
	addresses map[string]PeerID // by the IP under which the library knows them; also of those gone
	allow     func(PeerID) bool
	turns     []int             // see Turns; nil: nobody has said
	onlyTurns bool              // likewise
	wanted    bitset            // peers shall be asked for it
	waiting   bitset            // wanted, and the library does not know yet
	asked     bitset            // wanted, and the library knows
	work      map[int]*progress // pieces that peers are at
	spoiled   map[int]bool      // pieces that were rejected and are not verified since
	holders   []uint16          // connected peers that have each piece
	coming    []uint16          // connected peers that are fetching each piece from the edge
	claims    []int             // pieces that this client is fetching from it; never changed, only replaced
	totals    Totals
	news      news
	hopeless  bool // the storage failed
}

func newSwarm(e *Engine, c Content, l *layout, p Pieces, o Observer) *Swarm {
	s := &Swarm{
		engine: e, id: c.ID, layout: l, pieces: p, obs: o, limiter: c.Limiter,
		log:   e.cfg.Log.With("object", c.ID.String()[:16], "name", c.Name),
		wake:  make(chan struct{}, 1),
		alias: sha1.Sum(c.InfoBytes),
		links: map[PeerID]*link{}, addresses: map[string]PeerID{},
		allow:  func(PeerID) bool { return false },
		wanted: newBitset(l.pieces), waiting: newBitset(l.pieces), asked: newBitset(l.pieces),
		work: map[int]*progress{}, spoiled: map[int]bool{}, holders: make([]uint16, l.pieces), coming: make([]uint16, l.pieces),
	}
	s.horizon.Store(int64(windowTime))
	rand.Read(s.self[:])
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.acceptor = &acceptor{links: make(chan *link), closed: s.ctx.Done()}
	return s
}

func (s *Swarm) start(c Content) error {
	if err := s.startLibrary(c); err != nil {
		return err
	}
	s.workers.Go(s.pump)
	return nil
}

// OfferOptions say what is known of a connection's peer.
type OfferOptions struct {
	MayServe bool   // it showed a valid grant: pieces may be sent to it
	Label    string // for people, in PeerStats
	Near     bool   // it is in our LAN: what it gives crosses no line to the Internet
	// Allow has a say in what this connection carries, beside the function of SetUpload and asked like it;
	// nil: no objection.
	Allow func() bool
	// Sent is told of payload that has left, after each piece message. It is called on the link's goroutine and
	// must not block; nil: nobody is told.
	Sent func(bytes int)
}

// Offer adds a peer by a connection that is authenticated and authorised. It takes ownership of conn
// and closes it in the end, also if it returns an error. Conn is a reliable stream whose Close ends its
// Read and Write; it should have read deadlines, see DECISIONS.md. Outgoing tells who dialled; if two peers dial
// each other at once, both keep the same one of the two connections. A peer that is gone is not
// dialled again; it may be offered again, unless it is banned.
func (s *Swarm) Offer(peer PeerID, conn net.Conn, outgoing bool, o OfferOptions) error {
	l := newLink(s, peer, conn, outgoing, o)
	err := error(nil)
	banned := s.engine.isBanned(peer)
	s.mu.Lock()
	old := s.links[peer]
	switch {
	case s.left:
		err = ErrClosed
	case banned:
		err = ErrBanned
	case old != nil && old.outgoing == outgoing:
		err = ErrConnected
	case len(s.links)+s.offers >= maxPeers:
		err = ErrFull
	default:
		s.offers++
		s.workers.Go(l.run) // under mu: Leave waits only after it has set left
	}
	s.mu.Unlock()
	if err != nil {
		l.close(err)
	}
	return err
}

// Disconnect closes the connection to a peer, if there is one.
func (s *Swarm) Disconnect(peer PeerID) {
	s.mu.Lock()
	l := s.links[peer]
	s.mu.Unlock()
	if l != nil {
		l.close(errDisconnected)
	}
}

// Want adds pieces that peers shall be asked for. Which of them are asked for first, and of whom, is
// the swarm's choice: the rarest of a random part.
func (s *Swarm) Want(pieces ...int) {
	s.mu.Lock()
	for _, i := range pieces {
		if !s.asked.has(i) {
			s.waiting.add(i)
		}
		s.wanted.add(i)
	}
	s.mu.Unlock()
	s.signal()
}

// Unwant takes pieces back. When it has returned, no new request for them is sent, but Outstanding
// requests stay until they are answered, the peer goes, or Done.
func (s *Swarm) Unwant(pieces ...int) {
	s.asking.Lock()
	defer s.asking.Unlock()
	var known []int
	s.mu.Lock()
	for _, i := range pieces {
		if s.asked.has(i) {
			known = append(known, i)
		}
		s.asked.remove(i)
		s.waiting.remove(i)
		s.wanted.remove(i)
	}
	s.mu.Unlock()
	for _, i := range known {
		s.torrent.Piece(i).SetPriority(torrent.PiecePriorityNone)
	}
}

// Done tells that the caller has committed piece i, from an edge but for its first kept bytes, which are what peers have
// delivered. Requests for it are cancelled and peers hear that we have it. What else peers delivered of it counts as wasted. After
// Leave it does nothing, like the other methods that change something.
func (s *Swarm) Done(i int, kept int64) {
	if s.ctx.Err() != nil {
		return
	}
	s.torrent.Piece(i).UpdateCompletion()
	s.mu.Lock()
	s.waste(i, kept)
	s.settle(i)
	spoiled := s.spoiled[i]
	delete(s.spoiled, i)
	if spoiled && !s.left {
		s.workers.Go(func() { s.convict(i) })
	}
	s.mu.Unlock()
	s.signal()
}

// convict lets the library hash a piece that is known to be right. It remembers what peers sent when
// the piece was rejected, and bans those whose blocks differ.
func (s *Swarm) convict(i int) {
	if err := s.torrent.Piece(i).VerifyDataContext(s.ctx); err == nil {
		s.mu.Lock()
		s.news.gone = true
		s.mu.Unlock()
		s.signal()
	}
}

// SetUpload decides whom pieces are sent to, among those that may be served at all. Allow is asked for
// each piece message before it is written, from many goroutines; it must not block. Call Kick when its
// answers change.
func (s *Swarm) SetUpload(allow func(PeerID) bool) {
	s.mu.Lock()
	s.allow = allow
	s.mu.Unlock()
	s.Kick()
}

// Kick asks again whom to serve: peers are choked and unchoked at once. Where a block is being written that may
// not be sent any more, the connection is cut in the middle of it.
func (s *Swarm) Kick() {
	for _, l := range s.connected() {
		l.uploads.signal()
		if l.uploads.sending.Load() && !l.mayUpload() {
			l.close(errForbidden)
		}
	}
}

// Leave closes all connections and gives the library's memory back. When it returns, nothing is called
// any more; if a connection or the storage hangs, it returns after leaveTimeout all the same.
func (s *Swarm) Leave() {
	s.leave.Do(s.doLeave)
}

func (s *Swarm) doLeave() {
	s.mu.Lock()
	s.left = true
	s.mu.Unlock()
	s.cancel()
	for _, l := range s.connected() {
		l.close(ErrClosed)
	}
	done := make(chan struct{})
	go func() { // outlives leaveTimeout only together with what hangs
		defer close(done)
		s.stopLibrary()
		s.storing.close()
		s.workers.Wait()
	}()
	timer := time.NewTimer(leaveTimeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		s.log.Warn("left a swarm that hangs")
	}
	s.engine.forget(s)
}

func (s *Swarm) connected() []*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*link, 0, len(s.links))
	for _, l := range s.links {
		list = append(list, l)
	}
	return list
}

func (s *Swarm) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

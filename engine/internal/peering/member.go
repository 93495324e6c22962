package peering

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/download"
	"github.com/tributary-dl/tributary/engine/internal/session"
	"github.com/tributary-dl/tributary/engine/internal/swarm"
)

const (
	enoughPeers  = 12               // connected; more are taken only if they come by themselves
	askedAtOnce  = 4                // what peerlink works on at a time
	lookAgain    = 20 * time.Second // while there are enough peers, or none to be had
	firstPause   = time.Second      // after a look-up that brought nobody new; doubles up to lookAgain
	meetingTime  = time.Second      // after which introductions have had a start, and more can be asked for
	idleSwarm    = 2 * time.Minute  // a shared object without peers keeps its swarm for so long
	grantReserve = 5 * time.Minute  // before its end a grant is renewed
	grantTime    = 8 * time.Second  // for an edge to issue one
)

// member is what one download has to do with peers. It may have its object's place among them, see arrange. Then the swarm
// exists while the object is being downloaded or has peers; a shared object that nobody asks for costs nothing.
type member struct {
	service *Service
	control *control
	object  download.Object
	ctx     context.Context
	cancel  context.CancelFunc
	wake    chan struct{}
	work    sync.WaitGroup
	leaving sync.Once

	turn sync.Mutex // to join or to leave the swarm, one at a time; held while that takes, and taken before mu

	mu       sync.Mutex   // guards the fields below
	swarm    *swarm.Swarm // nil until needed
	hasPlace bool
	vacated  <-chan struct{} // closed when all who had the place before have left the swarm; nil: nobody had it
	left     bool
	seeking  bool
	looking  bool         // seek runs
	wanted   map[int]bool // pieces, while there is no swarm
	known    map[swarm.PeerID]known
	meetings map[swarm.PeerID]*meeting // under way
	base     download.Totals           // of swarms that were left
	grant    []byte
	grantEnd time.Time
	idle     *time.Timer
}

func (m *member) content() protocol.ContentID { return m.object.Manifest.ID }

func (m *member) signal() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Seek looks for peers from now on, or does not any more.
func (m *member) Seek(on bool) {
	m.mu.Lock()
	m.seeking = on
	m.followSeek()
	m.mu.Unlock()
	m.service.mu.Lock()
	defer m.service.mu.Unlock()
	m.service.arrange(m.content())
}

// followSeek does what follows from the place and from seeking; m.mu is held.
func (m *member) followSeek() {
	m.announce()
	if m.seeking && m.hasPlace && !m.looking && !m.left {
		m.looking = true
		m.work.Go(m.seek) // looks up at once, and need not be woken to do it again
		return
	}
	m.signal()
}

// mayOffer tells whether anything of the object may be sent to anybody now. What may be sent at all may be sent on a LAN.
func (m *member) mayOffer() bool {
	return !m.object.Observer.Withheld() && m.service.cfg.MaySend(m.upload(), api.PathLAN)
}

// announce offers the object, or withdraws it while nothing of it may be sent. Who has not the place says nothing; m.mu
// is held.
func (m *member) announce() {
	if m.left || !m.hasPlace {
		return
	}
	if !m.mayOffer() {
		m.control.Withdraw(m.content())
		return
	}
	p := m.object.Data.Progress()
	percent := 100
	if p.VerifiedLength < p.Length {
		percent = min(99, int((p.VerifiedLength*100+p.Length-1)/p.Length)) // a single piece is more than nothing, and one too few is not all
	}
	m.control.Announce(m.content(), percent)
}

func (m *member) settingsChanged() {
	m.announceAgain()
	m.kick()
}

func (m *member) announceAgain() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.announce()
}

// kick has the swarm ask again whom it may serve.
func (m *member) kick() {
	if sw := m.joined(); sw != nil {
		sw.Kick()
	}
}

// seek looks up peers until nobody wants it any more.
func (m *member) seek() {
	pause := firstPause
	for {
		m.mu.Lock()
		if m.left || !m.seeking || !m.hasPlace || m.ctx.Err() != nil {
			m.looking = false
			m.mu.Unlock()
			return
		}
		m.announce()
		m.mu.Unlock()
		before := m.connected()
		wait := lookAgain
		if before < enoughPeers {
			found, err := m.lookUp(min(askedAtOnce, enoughPeers-before))
			switch {
			case err != nil:
				if m.ctx.Err() == nil {
					m.service.log.Debug("looking for peers", "object", m.object.Manifest.Name, "err", err)
				}
				wait, pause = m.afterError(err, pause)
			case found.Introduced > 0:
				wait, pause = meetingTime, firstPause
			default:
				wait, pause = pause, min(2*pause, lookAgain)
			}
			wait = max(wait, found.RetryAfter)
		}
		wait = wait*3/4 + rand.N(wait/2)
		select {
		case <-m.ctx.Done():
		case <-m.wake:
		case <-time.After(wait):
		}
	}
}

func (m *member) afterError(err error, pause time.Duration) (wait, next time.Duration) {
	if r, ok := errors.AsType[*session.RefusedError](err); ok {
		if r.Code == "bad_grant" || r.Code == "expired" {
			m.mu.Lock()
			m.grant = nil
			m.mu.Unlock()
		}
		return max(pause, r.RetryAfter), min(2*pause, lookAgain)
	}
	return pause, min(2*pause, lookAgain)
}

func (m *member) lookUp(want int) (session.Found, error) {
	grant, _, err := m.ensureGrant()
	if err != nil {
		return session.Found{}, err
	}
	ctx, cancel := context.WithTimeout(m.ctx, 10*time.Second)
	defer cancel()
	return m.control.Lookup(ctx, m.content(), grant, want, m.useless())
}

// ensureGrant returns a grant that is good for a while, from an edge of the object, and when it ends.
func (m *member) ensureGrant() (grant []byte, end time.Time, err error) {
	m.mu.Lock()
	grant, end = m.grant, m.grantEnd
	m.mu.Unlock()
	if grant != nil && time.Until(end) > grantReserve {
		return grant, end, nil
	}
	terms := m.object.Manifest.Terms
	var errs []error
	for _, edge := range append([]string{m.object.GrantURL}, terms.Edges...) {
		sealed, g, err := m.askForGrant(edge)
		if err == nil {
			m.mu.Lock()
			m.grant, m.grantEnd = sealed, g.Expires
			m.mu.Unlock()
			return sealed, g.Expires, nil
		}
		errs = append(errs, err)
	}
	return nil, end, fmt.Errorf("grant: %w", errors.Join(errs...))
}

func (m *member) askForGrant(edge string) (sealed []byte, g protocol.Grant, err error) {
	ctx, cancel := context.WithTimeout(m.ctx, grantTime)
	defer cancel()
	question := protocol.NewGrantRequest(m.content(), m.service.cfg.Device, time.Now())
	if sealed, err = m.service.cfg.Edges.Grant(ctx, m.object.Request, edge, question); err != nil {
		return nil, g, err
	}
	g, err = protocol.OpenGrant(sealed, m.object.Manifest.Terms.GrantKey, time.Now())
	return sealed, g, err
}

func (m *member) complete() bool {
	p := m.object.Data.Progress()
	return p.Length >= 0 && p.VerifiedLength >= p.Length
}

// ensureSwarm joins the swarm if that has not been done, or not since the last peer went.
func (m *member) ensureSwarm() (*swarm.Swarm, error) {
	if !m.claimTurn() {
		return nil, swarm.ErrClosed
	}
	defer m.turn.Unlock()
	if sw := m.joined(); sw != nil {
		return sw, nil
	}
	f := m.object.Manifest
	content := swarm.Content{ID: f.ID, Name: f.Name, InfoBytes: f.InfoBytes(), PieceLayers: f.PieceLayers(),
		PieceLength: f.PieceLength, Length: f.Length, Pieces: f.Pieces()}
	if m.object.Limit != nil { // a nil pointer in an interface would not be nil
		content.Limiter = m.object.Limit
	}
	sw, err := m.service.swarms.Join(content, newCheckedPieces(m.object.Data, f, m.object.Observer.StorageFailed), watcher{m})
	if err != nil {
		return nil, err
	}
	sw.SetUpload(func(swarm.PeerID) bool { return true }) // each connection has a rule of its own, see meet
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left {
		m.work.Go(sw.Leave)
		return nil, swarm.ErrClosed
	}
	sw.Want(slices.Collect(maps.Keys(m.wanted))...)
	clear(m.wanted)
	m.swarm = sw
	m.watchIdle()
	return sw, nil
}

// watchIdle leaves the swarm of a finished object when no peer has come for a while; m.mu is held.
func (m *member) watchIdle() {
	if m.idle == nil {
		m.idle = time.AfterFunc(idleSwarm, m.leaveIfIdle)
		return
	}
	m.idle.Reset(idleSwarm)
}

func (m *member) leaveIfIdle() {
	m.turn.Lock()
	defer m.turn.Unlock()
	sw := m.forsaken()
	if sw == nil {
		return
	}
	defer m.work.Done()
	sw.Leave()
	m.keepCounts(sw)
}

// forsaken returns the swarm if it is to be left now, and counts that as work, which Leave waits for.
func (m *member) forsaken() *swarm.Swarm {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left || m.swarm == nil {
		return nil
	}
	if m.seeking || len(m.swarm.Peers()) > 0 {
		m.watchIdle()
		return nil
	}
	m.work.Add(1)
	return m.swarm
}

// Leave withdraws the object; nothing of it is touched any more when it returns.
func (m *member) Leave() { m.leaving.Do(m.leave) }

func (m *member) leave() {
	m.mu.Lock()
	m.left = true
	sw := m.swarm
	if m.idle != nil {
		m.idle.Stop()
	}
	m.mu.Unlock()
	m.cancel()
	if sw != nil {
		sw.Leave()
	}
	m.work.Wait()
	m.service.remove(m)
}

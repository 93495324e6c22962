package peering

import (
	"context"
	"errors"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/peerlink"
	"github.com/tributary-dl/tributary/engine/internal/session"
	"github.com/tributary-dl/tributary/engine/internal/swarm"
)

const (
	secondTry    = 300 * time.Millisecond // after the first failure: the peer may have been busy, or a packet lost
	firstRefusal = 3 * time.Second        // a peer that could not be met is not asked for so long; doubles
	lastRefusal  = 2 * time.Minute
	manyKnown    = 1000 // peers met, before those that are gone are forgotten
)

// meeting is an attempt to connect to a peer that is under way.
type meeting struct {
	peer   session.PeerID
	cancel context.CancelFunc
}

// known is what is remembered of a peer that was met.
type known struct {
	session  session.PeerID
	failures int       // attempts in a row that failed
	again    time.Time // no attempt before, after a failure
}

// useless names peers that need not be introduced: connected already, being met, or just tried in vain. The
// node ends the introduction of a peer that is asked for again, and with it the meeting.
func (m *member) useless() (ids []session.PeerID) {
	connected := map[swarm.PeerID]bool{}
	for _, p := range m.stats() {
		connected[p.ID] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, now := range m.meetings {
		ids = append(ids, now.peer)
	}
	for id, k := range m.known {
		if m.meetings[id] != nil {
			continue
		}
		if connected[id] || time.Now().Before(k.again) {
			ids = append(ids, k.session)
		}
	}
	return ids
}

// introduced begins to meet a peer, and does not block. The peer counts as being met when it returns, so that a look-up
// that follows does not ask for it again.
func (m *member) introduced(in session.Introduction) {
	id := swarm.PeerID(in.PeerKey.GUID())
	m.mu.Lock()
	defer m.mu.Unlock()
	grant, end, complete := m.grant, m.grantEnd, m.complete()
	if complete || time.Now().After(end) { // a stale one would end the link; a new one can be shown later
		grant, end = nil, time.Time{}
	}
	if m.left || !m.hasPlace || complete && !m.mayOffer() {
		return
	}
	if old := m.meetings[id]; old != nil {
		old.cancel() // the node has ended that introduction: the peer has lost what came of it
	}
	ctx, cancel := context.WithCancel(m.ctx)
	now := &meeting{peer: in.Peer, cancel: cancel}
	m.meetings[id] = now
	m.work.Go(func() {
		defer cancel()
		m.meet(ctx, id, in, grant, end)
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.meetings[id] == now {
			delete(m.meetings, id)
		}
	})
}

// meet connects to an introduced peer and offers the connection to the swarm.
func (m *member) meet(ctx context.Context, id swarm.PeerID, in session.Introduction, grant []byte, grantEnd time.Time) {
	var admitted admission
	check := func(sealed []byte, peer protocol.DeviceKey) error {
		g, err := m.judge(sealed, peer)
		if err == nil {
			admitted.extend(g)
			m.kick()
		}
		return err
	}
	link, err := m.service.endpoint.Connect(ctx, peerlink.Introduction{ID: in.ID, Content: in.Content, PeerKey: in.PeerKey, Peer: in.Peer,
		Controlling: in.Controlling, PeerAddress: in.PeerAddress.String(), SamePublicAddress: in.SamePublicAddress, PeerLocal: addrText(in)},
		signaller{m.control}, peerlink.Hello{Content: in.Content, Grant: grant, Check: check})
	superseded := ctx.Err() != nil && m.ctx.Err() == nil
	if err == nil || !superseded && !errors.Is(err, peerlink.ErrBusy) { // which say nothing about the peer
		m.remember(id, in.Peer, err)
	}
	if err != nil {
		m.service.log.Debug("meeting a peer", "peer", id, "err", err)
		return
	}
	sw, err := m.ensureSwarm()
	if err != nil {
		_ = link.Close() // the swarm's error is the one to tell
		if errors.Is(err, swarm.ErrClosed) {
			return // the download leaves, or another one of the object has the place now
		}
		m.service.log.Warn("joining a swarm", "object", m.object.Manifest.Name, "err", err)
		return
	}
	upload, path := m.upload(), link.Kind()
	options := swarm.OfferOptions{MayServe: true, Label: string(path), Near: path == api.PathLAN, // to be decided for each block
		Allow: func() bool {
			return admitted.holds() && !m.object.Observer.Withheld() && m.service.cfg.MaySend(upload, path)
		},
		Sent: func(bytes int) { m.service.cfg.Sent(upload, id, bytes) }}
	if err := sw.Offer(id, link, in.Controlling, options); err != nil {
		m.service.log.Debug("offering a peer", "peer", id, "err", err)
		return
	}
	m.work.Go(func() { keepShown(m.ctx, link, grantEnd, m.neededGrant, m.service.log) })
}

// upload is what the user's rules and ledger know the object by.
func (m *member) upload() Upload {
	f := m.object.Manifest
	return Upload{ContentID: f.ID.String(), Name: f.Name, Publisher: f.Terms.Publisher, Size: f.Length, Copies: f.Terms.Policy.UploadsPerObject}
}

// remember notes how a meeting ended. What is known of peers that are connected must stay, the rest only
// saves vain attempts.
func (m *member) remember(id swarm.PeerID, peer session.PeerID, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := known{session: peer}
	if err != nil {
		k.failures = m.known[id].failures + 1
		pause := min(firstRefusal<<min(k.failures-1, 6), lastRefusal)
		if k.failures == 1 {
			pause = secondTry
			time.AfterFunc(pause, m.signal)
		}
		k.again = time.Now().Add(pause)
	}
	m.known[id] = k
	if len(m.known) <= manyKnown {
		return
	}
	keep := map[swarm.PeerID]known{id: k}
	if m.swarm != nil {
		for _, p := range m.swarm.Peers() {
			keep[p.ID] = m.known[p.ID]
		}
	}
	m.known = keep
}

func addrText(in session.Introduction) string {
	if !in.PeerLocalAddress.IsValid() {
		return ""
	}
	return in.PeerLocalAddress.String()
}

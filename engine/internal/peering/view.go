package peering

import (
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/download"
	"github.com/tributary-dl/tributary/engine/internal/session"
	"github.com/tributary-dl/tributary/engine/internal/swarm"
)

// watcher passes on what a swarm tells.
type watcher struct{ m *member }

func (w watcher) PieceVerified(i int, from map[swarm.PeerID]int64) {
	var bytes int64
	for _, n := range from {
		bytes += n
	}
	w.m.object.Observer.PieceVerified(i, bytes)
}

func (w watcher) PieceRejected(i int, _ []swarm.PeerID, bytes int64) {
	w.m.object.Observer.PieceRejected(i, bytes)
}

func (w watcher) PeersChanged() {
	w.m.object.Observer.PeersChanged()
}

func (w watcher) StorageFailed(err error) { w.m.object.Observer.StorageFailed(err) }

func (m *member) joined() *swarm.Swarm {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.swarm
}

func (m *member) stats() []swarm.PeerStats {
	if sw := m.joined(); sw != nil {
		return sw.Peers()
	}
	return nil
}

func (m *member) connected() int { return len(m.stats()) }

// Want implements download.Swarm.
func (m *member) Want(pieces ...int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.swarm != nil {
		m.swarm.Want(pieces...)
		return
	}
	for _, i := range pieces {
		m.wanted[i] = true
	}
}

// Unwant implements download.Swarm.
func (m *member) Unwant(pieces ...int) {
	if sw := m.forget(pieces); sw != nil {
		sw.Unwant(pieces...)
	}
}

// forget takes pieces out of what the next swarm is asked for, and returns the one there is.
func (m *member) forget(pieces []int) *swarm.Swarm {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, i := range pieces {
		delete(m.wanted, i)
	}
	return m.swarm
}

// Progress implements download.Swarm.
func (m *member) Progress(dst []swarm.PieceProgress) {
	if sw := m.joined(); sw != nil {
		sw.Progress(dst)
		return
	}
	clear(dst)
}

// Availability implements download.Swarm.
func (m *member) Availability(dst []uint16) []uint16 {
	if sw := m.joined(); sw != nil {
		return sw.Availability(dst)
	}
	return dst[:0]
}

// Neighbours implements download.Swarm.
func (m *member) Neighbours() download.Neighbours {
	return download.NeighboursAmong(swarm.PeerID(m.service.device.GUID()), m.stats(), m.object.Manifest.Pieces())
}

// Turns implements download.Swarm.
func (m *member) Turns(turns []int, only bool) {
	if sw := m.joined(); sw != nil {
		sw.Turns(turns, only)
	}
}

// Claim implements download.Swarm.
func (m *member) Claim(pieces []int) {
	if sw := m.joined(); sw != nil {
		sw.Claim(pieces)
	}
}

// Claimed implements download.Swarm.
func (m *member) Claimed(dst []uint16) []uint16 {
	if sw := m.joined(); sw != nil {
		return sw.Claimed(dst)
	}
	return dst[:0]
}

// Beside implements download.Swarm.
func (m *member) Beside(rate float64) {
	if sw := m.joined(); sw != nil {
		sw.Beside(rate)
	}
}

// Done implements download.Swarm.
func (m *member) Done(i int, kept int64) {
	if sw := m.forget([]int{i}); sw != nil {
		sw.Done(i, kept)
	}
}

// Totals implements download.Swarm.
func (m *member) Totals() download.Totals {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.base
	t.Behind = !m.hasPlace
	if m.swarm != nil {
		t.Add(m.swarm.Totals(), m.swarm.Peers())
	}
	return t
}

// UplinkQueue implements download.Swarm.
func (m *member) UplinkQueue() time.Duration { return m.service.endpoint.UplinkQueue() }

// Sources implements download.Swarm.
func (m *member) Sources() []api.Source {
	var list []api.Source
	for _, p := range m.stats() {
		state := "idle"
		switch {
		case p.Stalled:
			state = "not answering"
		case p.Rate > 0 && p.SendRate > 0:
			state = "exchanging"
		case p.Rate > 0:
			state = "sending to us"
		case p.SendRate > 0:
			state = "receiving from us"
		}
		list = append(list, api.Source{Kind: "peer", Name: "peer " + p.ID.String()[:6], Path: api.PathKind(p.Label),
			Received: p.Received, Sent: p.Sent, Wasted: p.Wasted, Rate: int64(p.Rate), SendRate: int64(p.SendRate), State: state})
	}
	return list
}

// ReportProgress implements download.Swarm.
func (m *member) ReportProgress(p download.Progress) {
	m.control.Report(session.Report{Content: m.content(), Download: m.object.ReportID, Sequence: p.Sequence, Total: p.Total,
		Edge: p.Edge, Peers: p.Peers, Wasted: p.Wasted, Uploaded: p.Uploaded, Active: time.Duration(p.Milliseconds) * time.Millisecond,
		Outcome: protocol.Outcome(p.Outcome), Reason: p.Reason})
}

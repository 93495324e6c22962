package peering

import (
	"slices"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/engine/internal/swarm"
)

// An object has one place among the peers: one swarm, one offer to the control plane. Of the downloads of an object the first
// has it, the others wait; all of them report. Whoever seeks goes before whoever only gives, so that a second
// download of what is complete here gets peers, too. It gives what it has meanwhile, and the complete one has its turn again
// when the other has gone.

// add lets a download wait for its object's place, or take it at once; s.mu is held.
func (s *Service) add(m *member) {
	id := m.content()
	s.members[id] = append(s.members[id], m)
	s.arrange(id)
}

// remove forgets a download that has left, and gives its place to the next one.
func (s *Service) remove(m *member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := m.content()
	s.members[id] = slices.DeleteFunc(s.members[id], func(other *member) bool { return other == m })
	if m.isPlaced() {
		m.control.Withdraw(id)
	}
	if len(s.members[id]) == 0 {
		delete(s.members, id)
		delete(s.vacated, id)
		return
	}
	s.arrange(id)
}

// arrange gives an object's place to whom it belongs; s.mu is held.
func (s *Service) arrange(id protocol.ContentID) {
	list := s.members[id]
	if s.closed || len(list) == 0 {
		return
	}
	next := max(0, slices.IndexFunc(list, (*member).seeks))
	if first := list[0]; first.isPlaced() {
		if next == 0 {
			return
		}
		vacated := first.stepBack(s.vacated[id])
		if vacated == nil {
			return // it is leaving, and that ends here again
		}
		s.vacated[id] = vacated
	}
	m := list[next]
	copy(list[1:next+1], list[:next])
	list[0] = m
	m.take(s.vacated[id])
}

// placed returns who has an object's place, nil if nobody does; s.mu is held.
func (s *Service) placed(id protocol.ContentID) *member {
	if list := s.members[id]; len(list) > 0 {
		return list[0]
	}
	return nil
}

func (m *member) isPlaced() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hasPlace
}

func (m *member) seeks() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seeking && !m.left
}

// take begins to use the place. The swarm can be joined when vacated is closed, at once if it is nil.
func (m *member) take(vacated <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hasPlace, m.vacated = true, vacated
	m.followSeek()
	if !m.left {
		m.work.Go(m.object.Observer.PeersChanged)
	}
}

// stepBack gives the place up. The channel is closed when this member has left the swarm, and all who had the place before
// it, too (earlier, nil if none had): one that gives it up at once has never waited for them. It is nil if the member is
// leaving anyway.
func (m *member) stepBack(earlier <-chan struct{}) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left {
		return nil
	}
	m.hasPlace = false
	m.control.Withdraw(m.content())
	for _, now := range m.meetings {
		now.cancel()
	}
	vacated := make(chan struct{})
	m.work.Go(func() {
		m.leaveSwarm()
		if earlier != nil {
			<-earlier
		}
		close(vacated)
		m.object.Observer.PeersChanged()
	})
	return vacated
}

// leaveSwarm leaves the swarm, if there is one, and keeps what it has counted.
func (m *member) leaveSwarm() {
	m.turn.Lock()
	defer m.turn.Unlock()
	sw := m.joined()
	if sw == nil {
		return
	}
	sw.Leave()
	m.keepCounts(sw)
}

func (m *member) keepCounts(sw *swarm.Swarm) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.base.Add(sw.Totals(), nil)
	m.swarm = nil
}

// claimTurn waits until the object's swarm may be joined, and returns true with m.turn held: a place that is lost from then
// on is given up when that turn has ended. Without the place it is false, and nothing is held.
func (m *member) claimTurn() bool {
	for {
		m.mu.Lock()
		vacated := m.vacated
		m.mu.Unlock()
		if vacated != nil {
			select {
			case <-vacated:
			case <-m.ctx.Done():
			}
		}
		m.turn.Lock()
		mine, changed := m.stands(vacated)
		if mine && !changed {
			return true
		}
		m.turn.Unlock()
		if !mine {
			return false
		}
	}
}

// stands tells whether this member has the place, and whether it was lost and taken again since it waited for vacated.
func (m *member) stands(vacated <-chan struct{}) (mine, changed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hasPlace && !m.left, m.vacated != vacated
}

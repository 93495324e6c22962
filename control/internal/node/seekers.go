package node

import (
	"slices"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/control/internal/selection"
	"github.com/tributary-dl/tributary/control/protocol"
)

const (
	// seekingLife is for how long a look-up is remembered that found too few. A client looks up again before that.
	seekingLife = 30 * time.Second
	// maxSeekers of one object are remembered. Where so many look, they find each other by looking.
	maxSeekers = 64
	// maxWelcome is to how many seekers somebody is introduced who begins to have an object: a client connects to as
	// many at a time.
	maxWelcome = 4
	// maxExcluded is how many peers a remembered look-up may exclude, which are kept with it. Who names more is not remembered.
	maxExcluded = 200
)

// seekers are those who found fewer holders than they wanted, by object. Who comes later is introduced to them at once: a
// download that takes ten seconds has no use for a peer that its next look-up would find.
type seekers struct {
	mu sync.Mutex
	of map[protocol.ContentID][]seeking // who looked first in front
}

type seeking struct {
	*selection.Seeker
	until time.Time
}

func newSeekers() *seekers { return &seekers{of: make(map[protocol.ContentID][]seeking)} }

// add notes what is still wanted of an object, in place of what the same device wanted before.
func (t *seekers) add(content protocol.ContentID, seeker *selection.Seeker, now time.Time) {
	if len(seeker.Excluded) > maxExcluded {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	all := slices.DeleteFunc(t.of[content], func(s seeking) bool { return s.Peer == seeker.Peer || now.After(s.until) })
	if len(all) == maxSeekers {
		all = slices.Delete(all, 0, 1)
	}
	t.of[content] = append(all, seeking{seeker, now.Add(seekingLife)})
}

// whom returns to whom a holder is to be introduced that has just come, and takes them for served.
func (t *seekers) whom(holder selection.End, content protocol.ContentID, now time.Time) (peers []selection.PeerID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all, sought := t.of[content]
	if !sought {
		return nil
	}
	line := make([]*selection.Seeker, 0, len(all))
	for _, s := range all {
		if !now.After(s.until) {
			line = append(line, s.Seeker)
		}
	}
	for _, i := range selection.Seekers(holder, line, maxWelcome) {
		peers = append(peers, line[i].Peer)
	}
	return peers
}

// expire drops who is served or looked too long ago.
func (t *seekers) expire(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for content, all := range t.of {
		all = slices.DeleteFunc(all, func(s seeking) bool { return s.Wants == 0 || now.After(s.until) })
		if t.of[content] = all; len(all) == 0 {
			delete(t.of, content)
		}
	}
}

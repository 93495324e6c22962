package node

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/control/internal/selection"
	"github.com/tributary-dl/tributary/control/protocol"
)

const (
	introductionLife = time.Minute
	// glare is how long two peers may be connecting. Two that look each other up meanwhile need one
	// connection, not two.
	glare = 10 * time.Second
	// maxLive bounds the live introductions of one session, whoever asked for them. A client connects
	// to no more than 30 peers a minute, and an asker gets at most 40 names from one look-up.
	maxLive = 80
	// maxSignals is how many messages each end may send the other: credentials, some late candidates,
	// and that it gave up.
	maxSignals = 8
)

// introductionID names one introduction.
type introductionID [16]byte

// introductions are the pairs that may exchange signals now.
type introductions struct {
	mu    sync.Mutex
	live  map[introductionID]*introduction
	pairs map[pair]*introduction
	queue []*introduction // oldest first; all live equally long
	count map[*session]int
}

type introduction struct {
	id      introductionID
	pair    pair
	ends    [2]*session // the one that asked comes first
	signals [2]int      // sent by each end
	made    time.Time
	over    bool
}

// pair is two peers and what they are to exchange, whoever asked.
type pair struct {
	content   protocol.ContentID
	low, high selection.PeerID
}

func pairOf(a, b *session, content protocol.ContentID) pair {
	p := pair{content: content, low: a.peer, high: b.peer}
	if string(p.low[:]) > string(p.high[:]) {
		p.low, p.high = p.high, p.low
	}
	return p
}

func newIntroductions() *introductions {
	return &introductions{
		live:  make(map[introductionID]*introduction),
		pairs: make(map[pair]*introduction),
		count: make(map[*session]int),
	}
}

// add makes an introduction. It refuses if the other end asked for the same just now, or if either end has
// too many. An older introduction of the pair ends: who asks again has lost what came of it.
func (t *introductions) add(asker, holder *session, content protocol.ContentID, now time.Time) (introductionID, bool) {
	p := pairOf(asker, holder, content)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expireLocked(now)
	if old := t.pairs[p]; old != nil {
		if old.ends[0] == holder && old.ends[1] == asker && now.Sub(old.made) < glare {
			return introductionID{}, false
		}
		t.endLocked(old)
	}
	if t.count[asker] >= maxLive || t.count[holder] >= maxLive {
		return introductionID{}, false
	}
	i := &introduction{pair: p, ends: [2]*session{asker, holder}, made: now}
	rand.Read(i.id[:])
	t.live[i.id], t.pairs[p] = i, i
	t.queue = append(t.queue, i)
	t.count[asker]++
	t.count[holder]++
	return i.id, true
}

// met tells whether two have been introduced within the last minute, whoever asked.
func (t *introductions) met(a, b *session, content protocol.ContentID, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expireLocked(now)
	return t.pairs[pairOf(a, b, content)] != nil
}

// relay returns to whom a signal of sender goes, and counts it; nil if the introduction is not live, not
// sender's, or used up. A signal that it failed is the last.
func (t *introductions) relay(id introductionID, sender *session, failed bool, now time.Time) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expireLocked(now)
	i := t.live[id]
	if i == nil {
		return nil
	}
	end := 0
	switch sender {
	case i.ends[0]:
	case i.ends[1]:
		end = 1
	default:
		return nil
	}
	if i.signals[end]++; i.signals[end] > maxSignals {
		return nil
	}
	if failed {
		t.endLocked(i)
	}
	return i.ends[1-end]
}

func (t *introductions) expire(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expireLocked(now)
}

func (t *introductions) expireLocked(now time.Time) {
	for len(t.queue) > 0 && now.Sub(t.queue[0].made) >= introductionLife {
		t.endLocked(t.queue[0])
		t.queue[0] = nil
		t.queue = t.queue[1:]
	}
}

func (t *introductions) endLocked(i *introduction) {
	if i.over {
		return
	}
	i.over = true
	delete(t.live, i.id)
	delete(t.pairs, i.pair)
	for _, s := range i.ends {
		if t.count[s]--; t.count[s] == 0 {
			delete(t.count, s)
		}
	}
}

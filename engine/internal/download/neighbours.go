package download

import (
	"slices"
	"time"

	"github.com/tributary-dl/tributary/engine/internal/hybrid"
)

// What those who download the same object agree on, so that the edge sends each piece once.

const (
	claimWorth    = 200 * time.Millisecond // that the edge needs for a piece, or its claim is not worth telling
	claimEcho     = 3 * time.Second        // after a piece came from the edge: by then peers have heard that it is there
	neighbourTime = 3 * time.Second        // without a byte from the LAN, after which its neighbours are not waited for
)

// takeTurns shares the pieces out again when those who download the object have changed. Those in a LAN share them out
// among themselves, so that each piece comes into it once.
func (t *transfer) takeTurns(now time.Time) {
	n := t.swarm.Neighbours()
	inLAN, others := len(n.Near) > 0, n.Far
	if inLAN {
		others = n.Near
	}
	if near := t.counted.Near; near != t.nearSeen {
		t.nearSeen, t.nearTime = near, now
	}
	slices.Sort(others)
	if t.others != nil && inLAN == t.inLAN && slices.Equal(others, t.others) {
		return
	}
	t.others, t.inLAN, t.nearTime = append([]uint64{}, others...), inLAN, now
	hybrid.Turns(t.turns, n.Self, others)
	t.swarm.Turns(t.turns, inLAN)
}

// tellClaims has peers know what this client is fetching from the edge, and has just fetched: that it has a piece now, they may hear a
// second later, behind what is being sent to them. A fast edge is there before such a message is of use.
func (t *transfer) tellClaims(now time.Time) {
	if t.swarm == nil {
		return
	}
	if rate, _, _ := t.meter.rates(meterWindow); rate*claimWorth.Seconds() > float64(t.geo.unit) {
		t.fresh = nil
		t.swarm.Claim(nil)
		return
	}
	t.fresh = slices.DeleteFunc(t.fresh, func(l landing) bool { return now.Sub(l.at) > claimEcho })
	claims := t.claimed()
	for _, l := range t.fresh {
		claims = append(claims, l.piece)
	}
	t.swarm.Claim(claims)
}

// landing is a piece that has come from the edge.
type landing struct {
	piece int
	at    time.Time
}

package download

import (
	"math"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/hybrid"
)

// view is what the scheduler sees.
func (t *transfer) view(now time.Time) hybrid.View {
	edgeRate, peerRate, _ := t.meter.rates()
	t.peerBest = max(peerRate, t.peerBest*peerFade)
	return hybrid.View{Pieces: t.pieces, Done: t.done, PieceLength: t.geo.unit, Cursor: t.cursor, Allowance: t.allowance,
		EdgeRate: max(edgeRate, t.pacer.AloneRate()/2), PeerRate: peerRate, Peers: t.counted.Delivering, UnderWay: t.claims,
		Long: t.swarm == nil || t.counted.Peers == 0 && now.Sub(t.began) > peersMayCome, Swarming: t.swarm != nil, StallTime: stallTime}
}

// schedule starts the edge requests that the picker asks for.
func (a *actor) schedule(t *transfer, now time.Time) {
	if t.streaming || t.act.ctx.Err() != nil || now.Before(t.edgeRetry) {
		return
	}
	v := t.view(now)
	v.Slots = t.slots(a.cfg.Settings().Connections, v.EdgeRate) - t.claims
	if t.edgeErr != nil {
		v.Slots = min(v.Slots, 1-t.claims) // one request finds out whether the edge is back
	}
	runs := hybrid.Pick(v)
	for _, run := range runs {
		if t.swarm != nil && !run.Duplicate && !a.claim(t, run) {
			continue
		}
		for i := run.First; i < run.First+run.Count; i++ {
			t.pieces[i].Claimed = true
			t.origin[i] = api.PieceClaimed
		}
		t.cursor = (run.First + run.Count) % len(t.pieces)
		t.claims++
		a.fetch(t, run)
	}
}

// askOn starts the next requests when one has ended well, without waiting for the next tick: a fast edge
// would idle most of the time.
func (a *actor) askOn(t *transfer) {
	if t != a.transfer() || t.left == 0 {
		return
	}
	now := time.Now()
	if t.swarm != nil {
		t.refreshPieces(now.Sub(t.began))
	}
	a.schedule(t, now)
}

// slots is how many edge requests may be under way: all that the user allows while there is nobody else to ask.
// With peers about, what is in flight is what the edge still sends after it was told to yield, so it is as
// little as keeps the edge busy.
func (t *transfer) slots(connections int, edgeRate float64) int {
	connections = max(1, connections)
	if t.swarm == nil || t.counted.Peers == 0 && time.Since(t.began) > peersMayCome {
		return connections
	}
	rate := min(t.allowance, max(edgeRate, t.pacer.AloneRate()))
	busy := int(math.Ceil(rate * inFlight.Seconds() / float64(t.geo.unit)))
	if t.allowance >= hybrid.Unlimited {
		return min(connections, max(busy, 4))
	}
	return min(connections, max(busy, 1))
}

// lend lets peers be asked for claimed pieces when they would be done clearly sooner, or when the edge has been
// silent for long: it may take half a minute until a request to a server that does not answer is given up.
func (t *transfer) lend(now time.Time) {
	if t.swarm == nil || t.counted.Delivering == 0 {
		return
	}
	v := t.view(now)
	v.EdgeRate, _, _ = t.meter.rates()
	v.PeerRate = t.peerBest // with nothing left to ask for, their rate says little
	if now.Sub(t.edgeMoved) < edgeSilence && !hybrid.Lend(v) {
		return
	}
	for i := range t.pieces {
		if t.pieces[i].Claimed && !t.done[i] {
			t.swarm.Want(i)
		}
	}
}

// claim takes pieces away from peers. A peer may have been asked in the meantime: then the piece stays
// theirs.
func (a *actor) claim(t *transfer, run hybrid.Run) bool {
	for i := run.First; i < run.First+run.Count; i++ {
		t.swarm.Unwant(i)
	}
	t.swarm.Progress(t.progress)
	for i := run.First; i < run.First+run.Count; i++ {
		if t.progress[i].Outstanding > 0 {
			for j := run.First; j < run.First+run.Count; j++ {
				t.swarm.Want(j)
			}
			return false
		}
	}
	return true
}

// dropRequests ends the edge request that was for a piece peers have completed, if it has nothing else left to bring.
func (t *transfer) dropRequests(i int) {
	for r, cancel := range t.requests {
		if i < r.run.First || i >= r.run.First+r.run.Count {
			continue
		}
		needed := false
		for k := r.run.First; k < r.run.First+r.run.Count; k++ {
			needed = needed || !t.done[k]
		}
		if !needed {
			r.dropped = true
			cancel()
		}
	}
}

package download

import (
	"math"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/hybrid"
)

// view is what the scheduler sees.
func (t *transfer) view() hybrid.View {
	edgeRate, peerRate, _ := t.meter.rates(meterWindow)
	t.peerBest = max(peerRate, t.peerBest*peerFade)
	_, quick, _ := t.meter.rates(meterQuick)
	return hybrid.View{RunLength: 1, Pieces: t.pieces, Done: t.done, Turns: t.turns, PieceLength: t.geo.unit, Cursor: t.cursor, Allowance: t.allowance,
		EdgeRate: max(edgeRate, t.pacer.AloneRate()/2), PeerRate: min(peerRate, quick), Peers: t.counted.Delivering, UnderWay: t.claims,
		Swarming: t.swarm != nil, StallTime: stallTime, Wait: t.inLAN && time.Since(t.nearTime) < neighbourTime, Elapsed: time.Since(t.began)}
}

// schedule starts the edge requests that the picker asks for.
func (a *actor) schedule(t *transfer, now time.Time) {
	if t.streaming || t.act.ctx.Err() != nil || now.Before(t.edgeRetry) {
		return
	}
	v := t.view()
	v.Slots, v.RunLength, v.Ahead = t.slots(a.cfg.Settings().Connections, v.EdgeRate, now)
	v.Slots -= t.claims
	if v.Ahead > 0 {
		if v.Ahead -= len(t.claimed()); v.Ahead <= 0 {
			return
		}
	}
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
		first := t.pieces[run.First]
		a.log.Debug("asks the edge", "piece", run.First, "count", run.Count, "duplicate", run.Duplicate, "holders", first.Holders, "coming", first.Coming,
			"turn", t.turns[run.First])
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

// claimed are the pieces that edge requests are under way for.
func (t *transfer) claimed() (pieces []int) {
	for i := range t.pieces {
		if t.pieces[i].Claimed && !t.done[i] {
			pieces = append(pieces, i)
		}
	}
	return pieces
}

// slots is how many edge requests may be under way, for how many pieces each, and for how many in all (0: no matter): all
// that the user allows while there is nobody else to ask. With peers about, what is in flight is what the edge still sends after it
// was told to yield, and what others of a crowd do not get meanwhile, so it is as little as keeps the edge busy: one piece where that
// takes long, and the next before it ends. Two requests are enough for more; but where peers have begun every other
// piece, requests are short, and an edge that runs free needs more of them.
func (t *transfer) slots(connections int, edgeRate float64, now time.Time) (requests, run, ahead int) {
	connections = max(1, connections)
	longest := max(1, longestRequest/int(t.geo.unit))
	switch {
	case t.swarm == nil:
		return connections, longest, 0
	case t.counted.Peers == 0 && now.Sub(t.began) > peersMayCome:
		t.alone = true
		return connections, max(1, longest/2), 0
	}
	rate := min(t.allowance, max(edgeRate, t.pacer.AloneRate()))
	pieces := max(1, int(math.Ceil(rate*inFlight.Seconds()/float64(t.geo.unit))))
	if pieces == 1 && t.endsSoon(now) {
		pieces = 2
	}
	good := pieces * int(t.geo.unit) / goodRequest
	requests = min(connections, pieces, max(good, fewestRequests))
	run = min(longest, (pieces+requests-1)/requests)
	if t.allowance >= hybrid.Unlimited {
		requests = connections
	}
	return requests, run, pieces
}

// endsSoon tells whether the only request that is under way will have ended when the first bytes of another could come.
func (t *transfer) endsSoon(now time.Time) bool {
	rate, _, _ := t.meter.rates(meterWindow)
	if len(t.requests) != 1 || rate <= 0 {
		return false
	}
	for r := range t.requests {
		needs := time.Duration(float64(t.geo.size(r.run.First)-int64(r.had)) / rate * float64(time.Second))
		return now.Sub(r.began) > needs-t.edgeRTT
	}
	return false
}

// shorten ends the long requests of one who thought to be alone: they may be for all that is left, and peers would have nothing to give.
func (t *transfer) shorten() {
	t.alone = false
	for r, cancel := range t.requests {
		if r.run.Count > 1 {
			r.dropped = true
			cancel()
		}
	}
}

// lend lets peers be asked for claimed pieces when they would be done clearly sooner, or when the edge has been
// silent for long: it may take half a minute until a request to a server that does not answer is given up.
func (t *transfer) lend(now time.Time) {
	if t.swarm == nil || t.counted.Delivering == 0 {
		return
	}
	v := t.view()
	v.EdgeRate, _, _ = t.meter.rates(meterWindow)
	v.PeerRate = t.peerBest // with nothing left to ask for, their rate says little
	if now.Sub(t.edgeMoved) < edgeSilence && !hybrid.Lend(v) {
		return
	}
	t.swarm.Want(t.claimed()...)
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

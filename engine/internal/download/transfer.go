package download

import (
	"context"
	"hash/fnv"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/budget"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/hybrid"
	"github.com/tributary-dl/tributary/engine/internal/swarm"
)

const (
	tickEvery      = 100 * time.Millisecond
	progressSave   = 5 * time.Second  // between records while bytes arrive
	reportEvery    = 30 * time.Second // to the control plane
	stallTime      = 600 * time.Millisecond
	edgeSilence    = 2 * time.Second        // after which peers may be asked for what the edge was asked for
	inFlight       = 500 * time.Millisecond // of work at the edge while peers are about
	fewestRequests = 2                      // at the edge, where more than one piece is in flight
	goodRequest    = 1 << 20                // bytes: more requests cost more, longer ones bind the edge for longer
	longestRequest = 8 << 20                // bytes: keeps the cost of requests below 1%
	peersMayCome   = 3 * time.Second        // after the start; later the edge works as if there were none
	noLimit        = -1                     // of a budget.Limiter
	traceEvery     = 300 * time.Millisecond // between lines of a debug log
	peerFade       = 0.99                   // of the best rate of peers, from tick to tick
	keptPrefixes   = 16                     // pieces of which a failed request's beginning is kept
)

// transfer is the part of an activity in which bytes arrive. The loop owns it; workers see the source,
// the limiter and the counters.
type transfer struct {
	act     *activity
	began   time.Time
	geo     geometry
	source  *edge.Source
	limit   *budget.Limiter
	pacer   *hybrid.Pacer
	mode    hybrid.Mode
	swarm   Swarm // nil: no peers for this one
	counted Totals

	pieces    []hybrid.Piece
	done      []bool
	origin    []byte // letters of the piece map
	progress  []swarm.PieceProgress
	holders   []uint16
	coming    []uint16        // of others who say so, at the edge for each piece
	turns     []int           // see hybrid.Turns
	others    []uint64        // whom turns were shared out among
	inLAN     bool            // others are the neighbours in the LAN
	nearSeen  int64           // bytes that have come from them
	nearTime  time.Time       // when they became more, or others changed
	paced     int64           // bytes from peers that the pacer was told of
	touched   []time.Duration // when a peer last did something about a piece
	firstCame []time.Duration // when the first of it came from peers, as far as it is there
	left      int             // pieces
	cursor    int

	fresh     []landing // the last ones
	claims    int       // edge requests under way
	alone     bool      // they were made as if no peers would come
	requests  map[*request]context.CancelFunc
	buffers   [][]byte // of pieces, for the next requests
	allowance float64
	window    atomic.Int64   // bytes that one edge request may have under way; 0: as many as the system likes
	prefixes  map[int][]byte // beginnings of pieces whose request broke off
	whole     map[int]bool   // pieces that peers' beginning and an edge's rest did not make

	edgeSeen  int64         // bytes from all edges
	edgeRTT   time.Duration // the longest round trip to one; 0: not measured
	edgeMoved time.Time     // when they last became more, or nothing was asked for
	edgeErr   error         // the last request's, until one works again
	edgeRetry time.Time     // no request before
	edgeWait  time.Duration
	meter     meter
	savedAt   time.Time
	tracedAt  time.Time
	lookedAt  time.Duration // since began
	peerBest  float64       // what peers gave lately when there was enough to ask them for
	reported  time.Time
	streaming bool
}

func (a *actor) beginTransfer(act *activity, now time.Time) {
	geo := a.geometry()
	n := geo.pieces()
	t := &transfer{act: act, began: now, geo: geo, pieces: make([]hybrid.Piece, n), done: make([]bool, n), origin: make([]byte, n),
		turns: make([]int, n), progress: make([]swarm.PieceProgress, n), touched: make([]time.Duration, n), firstCame: make([]time.Duration, n), left: n, allowance: hybrid.Unlimited,
		prefixes: map[int][]byte{}, whole: map[int]bool{}, requests: map[*request]context.CancelFunc{}, savedAt: now, reported: now}
	act.transfer = t
	for i := range n {
		t.origin[i] = api.PieceMissing
		if a.file.Verified(i) {
			t.done[i], t.origin[i] = true, api.PieceHad
			t.left--
		}
	}
	t.limit = budget.NewLimiter(noLimit)
	limits := budget.Chain{t.limit, a.cfg.Limit}
	if a.own != nil {
		limits = append(limits, a.own)
	}
	var err error
	t.source, err = a.cfg.Edge.Source(a.rec.Resource, a.edgeURLs(), edge.SourceOptions{Limiter: limits,
		Connections: a.cfg.Settings().Connections, Window: func() int { return int(t.window.Load()) }, Hashed: a.manifest != nil, Validators: a.rec.Validators})
	if err != nil {
		a.edgeTrouble(err)
		return
	}
	a.setState(api.StateDownloading)
	had := a.file.Progress().VerifiedLength
	a.rec.reconcile(had)
	if had > 0 {
		a.rec.happened(api.SayGoingOn, "percent", number(percent(had, a.total())))
	} else {
		a.rec.happened(api.SayStarted)
	}
	if m := a.manifest; m != nil {
		t.mode = a.joinSwarm(t)
		t.cursor = int(fnvOf(a.rec.ReportID[:])) % max(1, n)
	}
	t.pacer = hybrid.NewPacer(t.mode, max(0, a.total()-had))
	a.ticker.Reset(tickEvery)
	if !a.rec.Resource.Ranges || a.rec.Resource.Size < 0 {
		a.beginStream(t)
		return
	}
	a.tick()
}

// joinSwarm looks for peers if publisher and manifest allow it.
func (a *actor) joinSwarm(t *transfer) hybrid.Mode {
	m := a.manifest
	if a.cfg.Peering == nil || m.Terms == nil || !m.Terms.Policy.Peers || t.left == 0 {
		return hybrid.EdgeOnly
	}
	swarm, err := a.cfg.Peering.Join(a.object(), true)
	if err != nil {
		a.log.Warn("joining the swarm", "err", err)
		return hybrid.EdgeOnly
	}
	t.swarm = swarm
	missing := make([]int, 0, t.left)
	for i, done := range t.done {
		if !done {
			missing = append(missing, i)
		}
	}
	swarm.Want(missing...)
	if m.Terms.Policy.Mode == protocol.ModeOffload {
		return hybrid.Offload
	}
	return hybrid.Speed
}

func (a *actor) object() Object {
	return Object{Manifest: a.manifest, Data: a.file, Request: a.edgeRequest(), GrantURL: a.rec.Resource.URL,
		ReportID: a.rec.ReportID, Observer: observer{a.handle}, Limit: a.own}
}

// edgeURLs are all places that serve the bytes.
func (a *actor) edgeURLs() []string {
	urls := append([]string{a.rec.Resource.URL}, a.rec.Resource.Mirrors...)
	urls = append(urls, a.rec.Request.Mirrors...)
	if a.manifest != nil && a.manifest.Terms != nil {
		urls = append(urls, a.manifest.Terms.Edges...)
	}
	seen := map[string]bool{}
	unique := urls[:0]
	for _, u := range urls {
		if !seen[u] {
			seen[u] = true
			unique = append(unique, u)
		}
	}
	return unique
}

// observer turns what the swarm says into commands.
type observer struct{ d *Download }

func (o observer) PieceVerified(i int, bytes int64) {
	o.d.post(func(a *actor) { a.pieceFromPeers(i, bytes) })
}

func (o observer) PieceRejected(i int, bytes int64) {
	o.d.post(func(a *actor) { a.rec.happened(api.SayWrongPiece, "bytes", number(bytes)) })
}

func (o observer) PeersChanged() {
	o.d.post(func(a *actor) {
		a.dirty = true
		a.sharedPeersChanged()
	})
}

func (o observer) StorageFailed(err error) { o.d.StorageFailed(err) }

// tick is the heartbeat of a transfer: look, decide, act, publish.
func (a *actor) tick() {
	t := a.transfer()
	if t == nil {
		a.tickShared()
		return
	}
	now := time.Now()
	a.look(t, now)
	if a.finishIfDone(t) {
		return
	}
	a.schedule(t, now)
	t.lend(now)
	t.tellClaims(now)
	if a.gaveUp(t, now) {
		return
	}
	if now.Sub(t.savedAt) > progressSave {
		t.savedAt = now
		a.save()
	}
	if now.Sub(t.reported) > reportEvery {
		t.reported = now
		a.report(t.swarm, "", "")
	}
	a.dirty = true
	a.publishIfDue(false)
}

func (a *actor) transfer() *transfer {
	if a.act == nil {
		return nil
	}
	return a.act.transfer
}

// look brings the view up to date with what peers have done since the last tick.
func (a *actor) look(t *transfer, now time.Time) {
	elapsed := now.Sub(t.began)
	var totals Totals
	if t.swarm != nil {
		t.refreshPieces(elapsed)
		totals = t.countSwarm(a)
		t.takeTurns(now)
		fromEdge, _, _ := t.meter.rates(meterQuick)
		t.swarm.Beside(fromEdge)
		if t.alone && totals.Delivering > 0 {
			t.shorten()
		}
	}
	edgeBytes := t.askEdge()
	if edgeBytes != t.edgeSeen || t.claims == 0 {
		t.edgeSeen, t.edgeMoved = edgeBytes, now
	}
	t.meter.add(now, edgeBytes, totals.Received, totals.Sent)
	delivering := totals.Delivering
	if t.inLAN && t.mode == hybrid.Speed { // what neighbours give is what came into the LAN: it takes nothing from the edge
		delivering -= totals.NearDelivering
	}
	t.allowance = t.pacer.Step(hybrid.Sample{Now: elapsed, EdgeBytes: edgeBytes, PeerBytes: t.paced,
		Remaining: max(0, a.total()-a.file.Progress().VerifiedLength), Peers: delivering,
		Crowd: 2*len(t.others) > totals.Peers, EdgeAlive: t.edgeErr == nil})
	if now.Sub(t.tracedAt) >= traceEvery && a.log.Enabled(a.ctx, slog.LevelDebug) {
		t.tracedAt = now
		e, p, _ := t.meter.rates(meterWindow)
		a.log.Debug("pace", "allowance", math.Min(t.allowance, 1e12), "edge", int64(e), "peers", int64(p), "connected", totals.Peers,
			"delivering", totals.Delivering, "claims", t.claims, "left", t.left, "wasted", a.rec.Wasted, "by_peers", totals.Wasted)
	}
	t.window.Store(int64(t.edgeWindow(now)))
	if t.allowance >= hybrid.Unlimited || t.allowance <= 0 {
		t.limit.SetRate(noLimit) // at 0 nothing new is asked for; what is under way may end
	} else {
		t.limit.SetRate(t.allowance)
	}
}

// countSwarm books what the swarm has counted since the last time.
func (t *transfer) countSwarm(a *actor) Totals {
	totals := t.swarm.Totals()
	a.rec.Wasted += totals.Wasted - t.counted.Wasted
	a.rec.Uploaded += totals.Sent - t.counted.Sent
	t.paced += totals.Received - t.counted.Received
	if t.inLAN && t.mode == hybrid.Speed {
		t.paced -= totals.Near - t.counted.Near
	}
	t.counted = totals
	return totals
}

// askEdge takes over what the source knows of its mirrors: what all have delivered, and the longest way to one.
func (t *transfer) askEdge() (bytes int64) {
	t.edgeRTT = 0
	for _, h := range t.source.Stats() {
		bytes += h.Bytes
		t.edgeRTT = max(t.edgeRTT, h.RTT)
	}
	return bytes
}

// refreshPieces takes over what peers have done. Time in which this machine itself stood still counts for nobody's idleness.
func (t *transfer) refreshPieces(elapsed time.Duration) {
	frozen := elapsed - t.lookedAt - tickEvery
	t.lookedAt = elapsed
	t.swarm.Progress(t.progress)
	t.holders, t.coming = t.swarm.Availability(t.holders), t.swarm.Claimed(t.coming)
	for i := range t.pieces {
		if t.done[i] {
			continue
		}
		p, now := &t.pieces[i], t.progress[i]
		if now.Outstanding != p.Outstanding || now.Received != p.Received {
			t.touched[i] = elapsed
		} else if frozen > tickEvery {
			t.touched[i] += frozen
		}
		if p.Received == 0 {
			t.firstCame[i] = elapsed
		}
		p.Outstanding, p.Received, p.Prefix, p.Idle, p.Age = now.Outstanding, now.Received, now.Prefix, elapsed-t.touched[i], elapsed-t.firstCame[i]
		if i < len(t.holders) {
			p.Holders = int(t.holders[i])
		}
		if i < len(t.coming) {
			p.Coming = int(t.coming[i])
		}
	}
}

// pieceFromPeers counts a piece that the swarm has verified and handed to the disk.
func (a *actor) pieceFromPeers(i int, bytes int64) {
	t := a.transfer()
	if t == nil || i >= len(t.done) {
		return
	}
	if t.done[i] {
		a.rec.Wasted += bytes
		return
	}
	t.done[i], t.origin[i] = true, api.PieceFromPeer
	a.rec.Wasted += int64(len(t.prefixes[i]))
	delete(t.prefixes, i)
	t.left--
	t.dropRequests(i)
	a.rec.FromPeers += t.geo.size(i)
	a.goesWell()
	if t.left == 0 {
		a.finishIfDone(t)
	}
}

// pieceFromEdge counts a piece that a worker has verified and written. Its first kept bytes are from peers.
func (a *actor) pieceFromEdge(t *transfer, i int, kept int64) {
	size := t.geo.size(i)
	t.edgeErr, t.edgeWait = nil, 0
	a.goesWell()
	if t.done[i] {
		a.rec.Wasted += size - kept
		return
	}
	t.done[i], t.origin[i] = true, api.PieceFromEdge
	t.left--
	a.rec.FromEdge += size - kept
	a.rec.FromPeers += kept
	if t.swarm != nil {
		t.fresh = append(t.fresh, landing{i, time.Now()})
		t.swarm.Done(i, kept) // what peers had of it is in the swarm's own count of waste
	}
}

// gaveUp turns a lasting failure of the edge into trouble, unless peers carry on.
func (a *actor) gaveUp(t *transfer, now time.Time) bool {
	if t.edgeErr == nil || t.claims > 0 || t.streaming || t.left == 0 {
		return false
	}
	if t.swarm != nil && t.counted.Delivering > 0 {
		return false
	}
	if now.Before(t.edgeRetry) && t.swarm != nil && !a.outOfTries() {
		return false // peers may still be found
	}
	err := t.edgeErr
	t.edgeErr = nil
	a.edgeTrouble(err)
	a.publishIfDue(true)
	return true
}

// stop ends what the transfer runs; its workers are waited for by the caller.
func (t *transfer) stop(a *actor) {
	t.limit.SetRate(noLimit) // nobody shall wait for bytes that are not wanted any more
	if t.swarm != nil {
		a.goWorker(t.swarm.Leave)
	}
}

// settle counts what did not become a piece, when all workers have ended.
func (t *transfer) settle(a *actor) {
	if t.swarm != nil {
		t.countSwarm(a)
	}
	for _, p := range t.prefixes {
		a.rec.Wasted += int64(len(p))
	}
	if t.source != nil {
		a.rec.Validators = t.source.Validators()
	}
}

func (a *actor) total() int64 {
	if a.manifest != nil {
		return a.manifest.Length
	}
	if a.rec.Resource != nil {
		return a.rec.Resource.Size
	}
	return -1
}

func percent(part, whole int64) int64 {
	if whole <= 0 {
		return 0
	}
	return part * 100 / whole
}

func fnvOf(b []byte) uint32 {
	h := fnv.New32a()
	h.Write(b)
	return h.Sum32() & math.MaxInt32
}

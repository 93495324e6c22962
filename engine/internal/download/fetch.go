package download

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/hybrid"
	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// maxWrong is how many pieces with a wrong hash an edge may send before the download stops trying.
const maxWrong = 3

// errWrongBytes is a piece from an edge whose hash is not the manifest's.
var errWrongBytes = errors.New("the bytes do not match the publisher's hashes")

// request is one edge request's worker: it knows the run and its own buffer, nothing of the actor.
type request struct {
	run    hybrid.Run
	source *edge.Source
	file   *storage.Object
	geo    geometry
	count  *atomic.Int64          // bytes as they come in
	verify func(int, []byte) bool // nil: nothing to verify against
	landed func(i int)            // called for each piece that has been verified and written

	piece  int    // being filled
	buffer []byte // its bytes so far
}

// fetch runs an edge request in a worker.
func (a *actor) fetch(t *transfer, run hybrid.Run) {
	d := a.handle
	r := &request{run: run, source: t.source, file: a.file, geo: t.geo, count: &t.received, verify: a.verifier(), piece: run.First,
		landed: func(i int) {
			d.post(func(a *actor) { a.pieceFromEdge(t, i); a.finishIfDone(t) })
		}}
	if prefix, ok := t.prefixes[run.First]; ok {
		delete(t.prefixes, run.First)
		r.buffer = prefix
	}
	a.goWorker(func() {
		err := r.do(t.act.ctx)
		d.post(func(a *actor) { a.fetched(t, r, err) })
	})
}

// do fetches the run's pieces one after the other in a single request. What it could not finish stays
// in r.piece and r.buffer.
func (r *request) do(ctx context.Context) error {
	last := r.run.First + r.run.Count - 1
	from := r.geo.offset(r.run.First) + int64(len(r.buffer))
	until := r.geo.offset(last) + r.geo.size(last)
	if r.buffer == nil {
		r.buffer = make([]byte, 0, r.geo.size(r.run.First))
	}
	_, err := r.source.Fetch(ctx, from, until-from, r.take)
	return err
}

// take is the sink of the request: it fills pieces and lands each that is full.
func (r *request) take(p []byte) error {
	r.count.Add(int64(len(p)))
	for len(p) > 0 {
		size := r.geo.size(r.piece)
		k := min(int64(len(p)), size-int64(len(r.buffer)))
		r.buffer = append(r.buffer, p[:k]...)
		p = p[k:]
		if int64(len(r.buffer)) < size {
			return nil
		}
		if r.verify != nil && !r.verify(r.piece, r.buffer) {
			return errWrongBytes
		}
		if err := r.file.WritePiece(r.piece, r.buffer); err != nil {
			return err
		}
		r.landed(r.piece)
		r.piece++
		r.buffer = r.buffer[:0]
	}
	return nil
}

// fetched applies the end of an edge request: pieces it left are free again, what it has of one is kept.
func (a *actor) fetched(t *transfer, r *request, err error) {
	t.claims--
	for i := r.run.First; i < r.run.First+r.run.Count; i++ {
		t.pieces[i].Claimed = false
		if t.done[i] {
			continue
		}
		t.origin[i] = api.PieceMissing
		if t.swarm != nil {
			t.swarm.Want(i)
		}
	}
	if err == nil || t.act.ctx.Err() != nil {
		a.keepPrefix(t, r)
		return
	}
	switch {
	case errors.Is(err, errWrongBytes):
		a.wrongBytes(t, int64(len(r.buffer)))
	case isDiskError(err):
		if t == a.transfer() {
			a.trouble(diskTrouble(err))
		}
		return
	default:
		a.keepPrefix(t, r)
		a.edgeFailed(t, err)
	}
}

func (a *actor) keepPrefix(t *transfer, r *request) {
	n := len(r.buffer)
	if n == 0 || r.piece >= len(t.done) {
		return
	}
	if !t.done[r.piece] && len(t.prefixes) < keptPrefixes && t.prefixes[r.piece] == nil {
		t.prefixes[r.piece] = r.buffer
		return
	}
	a.rec.Wasted += int64(n)
}

func (a *actor) wrongBytes(t *transfer, n int64) {
	a.rec.Wasted += n
	t.wrong++
	e := &edge.Error{Kind: edge.Temporary, Code: api.CodeChanged, Err: errWrongBytes,
		Text:   "The server sent bytes that do not match the publisher's description; they were thrown away.",
		Remedy: "The publisher may have replaced the file. It is tried again."}
	if t.wrong >= maxWrong {
		e.Kind = edge.Protocol
		e.Remedy = "The server's copy is not what the publisher signed. Resume later, or tell the publisher."
	}
	a.edgeFailed(t, e)
}

// edgeFailed notes that the edge cannot be used for a while. Requests that began before its last
// trouble do not lengthen the wait.
func (a *actor) edgeFailed(t *transfer, err error) {
	now := time.Now()
	e, ok := errors.AsType[*edge.Error](err)
	if ok && e.Kind == edge.Changed && a.manifest == nil {
		if t == a.transfer() {
			a.stopActivity()
			a.setState(api.StateQueued)
			a.startIfWanted() // resolving again finds the new version and starts anew
		}
		return
	}
	t.edgeErr = err
	if now.Before(t.edgeRetry) {
		return
	}
	t.edgeWait = min(max(2*t.edgeWait, 500*time.Millisecond), 30*time.Second)
	wait := jitter(t.edgeWait)
	if ok && e.RetryAfter > 0 {
		wait = e.RetryAfter
	}
	t.edgeRetry = now.Add(wait)
	a.log.Info("edge request", "err", err, "retry", wait.Round(time.Millisecond))
	a.rec.happened("The server failed: %s", firstOf(ok, e, err))
}

func firstOf(ok bool, e *edge.Error, err error) string {
	if ok {
		return e.Text
	}
	return err.Error()
}

// beginStream serves servers without ranges, and files of unknown length: one request from the front,
// which cannot be taken up again.
func (a *actor) beginStream(t *transfer) {
	t.streaming = true
	if p := a.file.Progress(); p.Verified > 0 && p.Verified != p.Pieces {
		a.rec.happened("This server cannot go on where it stopped; starting again from the beginning")
		act := t.act
		act.transfer = nil
		a.discardPart()
		a.reserve(act)
		return
	} else if p.Pieces >= 0 && p.Verified == p.Pieces {
		a.finish(t)
		return
	}
	d, file, source := a.handle, a.file, t.source
	t.claims++
	a.goWorker(func() {
		s := &stream{file: file, count: &t.received, landed: func(i int, n int64) {
			d.post(func(a *actor) { a.streamed(t, i, n) })
		}}
		_, err := source.Stream(t.act.ctx, 0, s.take)
		if err == nil {
			err = s.end()
		}
		d.post(func(a *actor) { a.streamEnded(t, err) })
	})
}

// stream is the sink of a request without ranges.
type stream struct {
	file   *storage.Object
	count  *atomic.Int64
	landed func(i int, n int64)
	piece  int
	buffer []byte
	total  int64
}

func (s *stream) take(p []byte) error {
	s.total += int64(len(p))
	s.count.Add(int64(len(p)))
	for len(p) > 0 {
		k := min(len(p), plainPiece-len(s.buffer))
		s.buffer = append(s.buffer, p[:k]...)
		p = p[k:]
		if len(s.buffer) == plainPiece {
			if err := s.land(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *stream) land() error {
	if err := s.file.WritePiece(s.piece, s.buffer); err != nil {
		return err
	}
	s.landed(s.piece, int64(len(s.buffer)))
	s.piece++
	s.buffer = s.buffer[:0]
	return nil
}

// end writes the last, shorter piece, and gives a growing file its length.
func (s *stream) end() error {
	if s.file.Progress().Length < 0 {
		if err := s.file.SetLength(s.total); err != nil {
			return err
		}
	}
	if len(s.buffer) > 0 {
		return s.land()
	}
	return nil
}

func (a *actor) streamed(t *transfer, i int, n int64) {
	a.rec.FromEdge += n
	if i < len(t.done) {
		t.done[i], t.origin[i] = true, api.PieceFromEdge
		t.left--
	} else {
		t.done, t.origin = append(t.done, true), append(t.origin, api.PieceFromEdge)
	}
}

func (a *actor) streamEnded(t *transfer, err error) {
	t.claims--
	if t.act.ctx.Err() != nil || t != a.transfer() {
		return
	}
	switch {
	case err == nil:
		t.left = 0
		a.finish(t)
	case isDiskError(err):
		a.trouble(diskTrouble(err))
	default:
		a.edgeTrouble(err)
	}
}

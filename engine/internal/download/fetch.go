package download

import (
	"context"
	"errors"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/hybrid"
	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// maxWrong is how many pieces with a wrong hash an edge may send before the download stops trying.
const maxWrong = 3

// errKeptWrong is a piece of which peers gave the beginning and an edge the rest, and whose hash is not the manifest's. Nobody can
// say whose fault it is.
var errKeptWrong = errors.New("peers' bytes and the edge's do not make the piece")

// errWrongBytes is a piece from an edge whose hash is not the manifest's.
var errWrongBytes = errors.New("the bytes do not match the publisher's hashes")

// request is one edge request's worker: it knows the run and its own buffer, nothing of the actor.
type request struct {
	run    hybrid.Run
	source *edge.Source
	file   *storage.Object
	geo    geometry
	verify func(int, []byte) bool  // nil: nothing to verify against
	landed func(i int, kept int64) // called for each piece that has been verified and written

	piece  int    // being filled
	buffer []byte // room for a piece
	filled int    // bytes of it that are there, or on the disk
	kept   int    // of these: on the disk, from peers; no hash has confirmed them

	began   time.Time
	had     int  // bytes of the first piece that were there; both owned by the actor, as what follows
	dropped bool // peers were sooner
}

// fetch runs an edge request in a worker.
func (a *actor) fetch(t *transfer, run hybrid.Run) {
	d := a.handle
	r := &request{run: run, source: t.source, file: a.file, geo: t.geo, verify: a.verifier(), piece: run.First,
		landed: func(i int, kept int64) {
			d.post(func(a *actor) { a.pieceFromEdge(t, i, kept); a.finishIfDone(t) })
		}}
	if run.Skip < t.geo.size(run.First) && !t.whole[run.First] {
		r.kept = int(run.Skip)
	}
	if prefix, ok := t.prefixes[run.First]; ok {
		delete(t.prefixes, run.First)
		r.buffer, r.filled, r.kept = prefix[:cap(prefix)], len(prefix), 0
	} else {
		r.buffer, r.filled = t.buffer(), r.kept
	}
	r.began, r.had = time.Now(), r.filled
	ctx, cancel := context.WithCancel(t.act.ctx)
	t.requests[r] = cancel
	a.goWorker(func() {
		err := r.do(ctx)
		cancel()
		d.post(func(a *actor) { a.fetched(t, r, err) })
	})
}

// buffer returns room for a piece, used before if possible: a fast edge fills a thousand a second.
func (t *transfer) buffer() []byte {
	if n := len(t.buffers); n > 0 {
		b := t.buffers[n-1]
		t.buffers = t.buffers[:n-1]
		return b
	}
	return make([]byte, t.geo.unit)
}

// do fetches the run's pieces one after the other in a single request, all through the same buffer. What it
// could not finish stays in r.piece and r.buffer.
func (r *request) do(ctx context.Context) error {
	first := r.filled
	bufs := make([][]byte, r.run.Count)
	for k := range bufs {
		bufs[k] = r.buffer[:r.geo.size(r.run.First+k)]
	}
	bufs[0] = bufs[0][first:]
	n, err := r.source.FetchInto(ctx, r.geo.offset(r.run.First)+int64(first), bufs, r.land)
	// The place after the object's last piece, which may be shorter, is behind the object's end.
	r.filled = max(0, int(r.geo.offset(r.run.First)+int64(first)+n-r.geo.offset(r.piece)))
	return err
}

// land verifies and writes a piece that is full. A mirror that sent a wrong one is not asked again soon.
func (r *request) land(k int, from []string) error {
	i := r.run.First + k
	piece := r.buffer[:r.geo.size(i)]
	if r.kept > 0 {
		if _, err := r.file.ReadAt(piece[:r.kept], i, 0); err != nil {
			return &diskError{err}
		}
	}
	if r.verify != nil && !r.verify(i, piece) {
		if r.kept > 0 {
			return errKeptWrong
		}
		r.source.Distrust(from)
		return errWrongBytes
	}
	if err := r.file.WritePiece(i, piece); err != nil {
		return &diskError{err}
	}
	r.landed(i, int64(r.kept))
	r.piece, r.kept = r.piece+1, 0
	return nil
}

// fetched applies the end of an edge request: pieces it left are free again, what it has of one is kept.
func (a *actor) fetched(t *transfer, r *request, err error) {
	t.claims--
	delete(t.requests, r)
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
	switch { // what was wrong with a whole piece matters more than that peers were sooner
	case t.act.stopping():
		a.keepPrefix(t, r)
	case errors.Is(err, errKeptWrong):
		t.whole[r.piece] = true
		a.dropBuffer(t, r)
		a.askOn(t)
	case errors.Is(err, errWrongBytes):
		t.buffers = append(t.buffers, r.buffer)
		a.wrongBytes(t, t.geo.size(r.piece))
	case isDiskError(err):
		a.rec.Wasted += int64(r.filled - r.kept)
		a.trouble(diskTrouble(err))
	case err == nil || r.dropped:
		a.keepPrefix(t, r)
		a.askOn(t)
	default:
		a.keepPrefix(t, r)
		a.edgeFailed(t, err)
	}
}

// keepPrefix keeps the beginning of a piece whose request broke off, or the buffer for the next request.
func (a *actor) keepPrefix(t *transfer, r *request) {
	i := r.piece
	wanted := i < len(t.done) && !t.done[i] && t.prefixes[i] == nil && len(t.prefixes) < keptPrefixes
	if wanted && r.kept == 0 && r.filled > 0 && int64(r.filled) < t.geo.size(i) {
		t.prefixes[i] = r.buffer[:r.filled]
		return
	}
	a.dropBuffer(t, r)
}

// dropBuffer counts what the edge sent of an unfinished piece as wasted.
func (a *actor) dropBuffer(t *transfer, r *request) {
	a.rec.Wasted += int64(r.filled - r.kept)
	t.buffers = append(t.buffers, r.buffer)
}

// wrongBytes drops what an edge sent. After a few it asks anew what the URL names: the publisher may have put
// another version there. If not, only peers can help.
func (a *actor) wrongBytes(t *transfer, n int64) {
	a.rec.Wasted += n
	err := a.wrongBytesError()
	if a.wrong == maxWrong {
		a.stopActivity()
		a.setState(api.StateQueued)
		a.startIfWanted()
		return
	}
	a.edgeFailed(t, err)
}

// wrongBytesError counts one more wrong piece of an edge, and says what that means.
func (a *actor) wrongBytesError() *edge.Error {
	a.wrong++
	kind, do := edge.Temporary, api.DoWait
	if a.wrong > maxWrong {
		kind, do = edge.Protocol, api.DoLaterOrTell
	}
	e := edge.Fault(kind, api.CodeChanged, api.Say(api.SayEdgeWrongBytes), do)
	e.Err = errWrongBytes
	return e
}

// edgeFailed notes that the edge cannot be used for a while. Requests that began before its last
// trouble do not lengthen the wait.
func (a *actor) edgeFailed(t *transfer, err error) {
	now := time.Now()
	e, ok := errors.AsType[*edge.Error](err)
	if ok && e.Kind == edge.Changed && (a.manifest == nil || a.wrong < maxWrong) {
		a.wrong = maxWrong // once: an edge that is just wrong must not keep us busy
		a.stopActivity()
		a.setState(api.StateQueued)
		a.startIfWanted() // resolving again finds the new version and starts anew
		return
	}
	if ok && e.Kind == edge.NoRanges && !a.noRanges {
		a.noRanges = true // said it has ranges, but does not give them: take the whole in one stream
		a.stopActivity()
		a.setState(api.StateQueued)
		a.startIfWanted()
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
	p := internalProblem(err)
	if ok {
		p = edgeProblem(e)
	}
	if a.lasting == nil || a.lasting.Code != p.Code {
		p.Since = now
		a.lasting = &p
		a.rec.happenedTo(api.SayServerFailed, &p)
	}
	if t.swarm != nil && t.counted.Delivering == 0 { // peers are looked for on and on, so this may last
		a.rec.Vain++
		p.Since, p.RetryAt = a.lasting.Since, new(t.edgeRetry)
		a.problem = &p
	}
}

// beginStream serves servers without ranges, and files of unknown length: one request from the front, which cannot be
// taken up again. What is there of a file with hashes stays; without them nobody can tell whether the rest would fit.
func (a *actor) beginStream(t *transfer) {
	t.streaming = true
	p := a.file.Progress()
	switch {
	case p.Verified == p.Pieces:
		a.finish(t)
		return
	case p.Verified > 0 && a.manifest == nil:
		a.rec.happened(api.SayFromStart)
		t.act.transfer = nil
		a.discardPart()
		a.reserve(t.act)
		return
	}
	d, source := a.handle, t.source
	s := &stream{file: a.file, unit: t.geo.unit, verify: a.verifier(), landed: func(i int, n int64) {
		d.post(func(a *actor) { a.streamed(t, i, n) })
	}}
	t.claims++
	a.goWorker(func() {
		_, err := source.Stream(t.act.ctx, 0, s.take)
		if err == nil {
			err = s.end()
		}
		d.post(func(a *actor) { a.streamEnded(t, s, err) })
	})
}

// stream is the sink of a request without ranges.
type stream struct {
	file   *storage.Object
	unit   int64                  // bytes of a piece
	verify func(int, []byte) bool // nil: nothing to verify against
	landed func(i int, n int64)
	piece  int
	buffer []byte
	total  int64
}

func (s *stream) take(p []byte) error {
	s.total += int64(len(p))
	for len(p) > 0 {
		k := min(int64(len(p)), s.unit-int64(len(s.buffer)))
		s.buffer = append(s.buffer, p[:k]...)
		p = p[k:]
		if int64(len(s.buffer)) == s.unit {
			if err := s.land(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *stream) land() error {
	if s.verify != nil && !s.verify(s.piece, s.buffer) {
		return errWrongBytes
	}
	if err := s.file.WritePiece(s.piece, s.buffer); err != nil {
		return &diskError{err}
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
			return &diskError{err}
		}
	}
	if len(s.buffer) > 0 {
		return s.land()
	}
	return nil
}

// streamed counts a piece of a stream that is written. Of a file of unknown length there is one more piece now.
func (a *actor) streamed(t *transfer, i int, n int64) {
	a.goesWell()
	if i == len(t.done) {
		t.done, t.origin, t.left = append(t.done, false), append(t.origin, api.PieceMissing), t.left+1
	}
	if t.done[i] {
		a.rec.Wasted += n
		return
	}
	t.done[i], t.origin[i] = true, api.PieceFromEdge
	t.left--
	a.rec.FromEdge += n
	if t.swarm != nil {
		t.swarm.Done(i, 0)
	}
}

func (a *actor) streamEnded(t *transfer, s *stream, err error) {
	t.claims--
	if err != nil {
		a.rec.Wasted += int64(len(s.buffer))
	}
	if t.act.stopping() {
		return
	}
	t.streaming = false
	switch {
	case err == nil:
		a.rec.Resource.Size = s.total
		a.finishIfDone(t)
	case isDiskError(err):
		a.trouble(diskTrouble(err))
	case errors.Is(err, errWrongBytes):
		a.edgeTrouble(a.wrongBytesError())
	default:
		a.edgeTrouble(err)
	}
}

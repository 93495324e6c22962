package download

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/budget"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/manifest"
	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// actor holds a download's state. Only its loop reads or writes it; workers get copies and answer by
// posted commands.
type actor struct {
	cfg    Config
	handle *Download
	log    *slog.Logger
	ctx    context.Context // of the loop

	rec      Record
	saved    [sha256.Size]byte // hash of the record that the journal got last
	state    api.State
	problem  *api.Problem
	admitted bool // the queue lets it be active; lost when it comes to rest
	removed  bool
	own      *budget.Limiter // of this download, over edge and peers together; nil: none
	noRanges bool            // the server does not give parts, whatever it says
	wrong    int             // pieces from the edge with a wrong hash, since the user last asked for it
	opening  bool            // a worker opens the finished file

	retry     *time.Timer // when a waiting download starts again
	retryWait time.Duration
	lasting   *api.Problem // what it waited for last, until bytes come again
	ticker    *time.Ticker
	workers   sync.WaitGroup
	pending   []command // users', arrived while workers ended

	manifest *manifest.Manifest
	file     *storage.Object // open part file, or finished file that is shared
	handed   *storage.Handed // with an owner: the file that they opened; nil: they have yet to do that
	act      *activity       // what is under way; nil at rest

	shared      Swarm  // of a finished object
	sharedAt    Totals // counted of shared so far
	sharedMeter meter
	watched     bool // shared has peers: the ticker runs at sharedTick

	publishedAt time.Time
	dirty       bool // something changed since
	urgent      bool // the state did
}

// activity is one stretch of work from start to rest. Workers' results carry it, so that the results of
// an earlier stretch are told apart.
type activity struct {
	ctx      context.Context
	cancel   context.CancelFunc
	began    time.Time
	transfer *transfer // nil until the file is open
}

// stopping tells that the activity is about to end. A result that arrives from then on is counted, but must neither
// start nor stop anything.
func (act *activity) stopping() bool { return act.ctx.Err() != nil }

func newActor(c Config, r Record, d *Download) *actor {
	a := &actor{cfg: c, handle: d, rec: r, handed: c.Handed, log: c.Log.With("download", r.ID)}
	if limit := r.Request.RateLimit; limit > 0 {
		a.own = budget.NewLimiter(float64(limit))
	}
	switch {
	case r.Complete:
		a.state = api.StateComplete
	case r.Problem != nil:
		a.state, a.problem, a.lasting = api.StateFailed, r.Problem, r.Problem
	case r.Want == api.WantPause:
		a.state = api.StatePaused
	default:
		a.state = api.StateQueued
	}
	if r.Manifest != nil {
		m, err := manifest.Parse(r.Manifest)
		if err != nil {
			a.log.Error("the stored description of a download cannot be read", "err", err)
		}
		a.manifest = m
	}
	a.saved = sha256.Sum256(a.rec.encode())
	return a
}

func (a *actor) setState(s api.State) {
	if a.state != s {
		a.log.Debug("state", "from", a.state, "to", s)
		a.urgent = true
	}
	a.state = s
	a.dirty = true
}

// startIfWanted begins an activity if the user wants it, the queue lets it, and nothing runs yet.
func (a *actor) startIfWanted() {
	if a.rec.Complete {
		a.updateSharing()
		return
	}
	if a.act != nil || a.rec.Want != api.WantRun || a.rec.Problem != nil || !a.admitted || a.retry != nil {
		return
	}
	a.problem = nil
	if a.needsFile() {
		a.askOwner(needsFileProblem())
		return
	}
	a.handle.takeFailure() // of an earlier activity's file
	if a.rec.Started == nil {
		now := time.Now()
		a.rec.Started = &now
	}
	ctx, cancel := context.WithCancel(a.ctx)
	act := &activity{ctx: ctx, cancel: cancel, began: time.Now()}
	a.act = act
	a.setState(api.StateResolving)
	if a.rec.named() {
		a.reserve(act) // there is nothing left to ask the edge for
	} else {
		a.resolve(act)
	}
}

// stopActivity ends what is under way and waits for its workers. Of what they post meanwhile no verified piece
// is lost, see activity.stopping. If the file got its name in the last moment, the record is complete afterwards.
// It returns the swarm that was left, nil if there was none, for a last report.
func (a *actor) stopActivity() (left Swarm) {
	act := a.act
	if act == nil {
		return nil
	}
	act.cancel()
	t := act.transfer
	if t != nil {
		left = t.swarm
		t.stop(a)
	}
	if a.file != nil {
		a.file.StopWaiting() // a disk that hangs must not keep the user waiting
	}
	a.waitForWorkers()
	if t != nil {
		t.settle(a)
	}
	a.act = nil
	a.rec.Active += time.Since(act.began)
	a.closeObject()
	a.ticker.Reset(restTick)
	return left
}

// waitForWorkers applies the results that workers post while they end, so that none of them blocks and
// no verified piece is lost. Users' commands wait their turn.
func (a *actor) waitForWorkers() {
	ended := make(chan struct{})
	go func() { a.workers.Wait(); close(ended) }()
	for waiting := true; waiting; {
		select {
		case c := <-a.handle.commands:
			a.take(c)
		case <-ended:
			waiting = false
		}
	}
	for len(a.handle.commands) > 0 { // what the last ones posted
		a.take(<-a.handle.commands)
	}
}

// take applies a worker's result, and keeps a user's command for later.
func (a *actor) take(c command) {
	if c.reply == nil {
		_ = c.apply(a) // nobody waits for the answer
	} else {
		a.pending = append(a.pending, c)
	}
}

// restTick is how often a download at rest is looked at, for the age at which it is no longer shared.
const restTick = time.Hour

// closeTime bounds the wait for a disk that hangs.
const closeTime = 10 * time.Second

func (a *actor) closeObject() {
	if a.file == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), closeTime)
	defer cancel()
	if err := a.file.Close(ctx); err != nil {
		a.log.Warn("closing a file", "err", err)
	}
	a.rec.File = new(a.file.Identity())
	a.file = nil
}

func (a *actor) pause() error {
	a.rec.Want = api.WantPause
	a.stopRetry()
	a.report(a.stopActivity(), "paused", "")
	a.problem, a.lasting = nil, nil
	a.admitted = false
	if a.state != api.StatePaused {
		a.rec.happened(api.SayPaused)
	}
	a.setState(api.StatePaused)
	return nil
}

func (a *actor) resume() error {
	a.dropDeleted()
	if a.needsFile() {
		return &api.Error{Code: api.ErrNeedsFile, Message: "its file must be handed over again by its owner, with: tributaryctl resume " + a.rec.ID}
	}
	if a.rec.Want == api.WantRun && a.rec.Problem == nil && a.retry == nil {
		return nil
	}
	a.rec.Want = api.WantRun
	a.rec.Problem, a.problem, a.lasting = nil, nil, nil
	a.stopRetry()
	a.retryWait, a.wrong, a.rec.Vain = 0, 0, 0
	a.rec.happened(api.SayResumed)
	a.setState(api.StateQueued)
	a.startIfWanted()
	return nil
}

// setAdmitted gives a place in the queue's number of active downloads, or takes it. One that does not wait for a
// place gets none, and one that comes to rest gives its own back: it would keep it for a time when nobody counts on it.
func (a *actor) setAdmitted(admitted bool) {
	switch {
	case admitted && a.state == api.StateQueued:
		a.admitted = true
		a.startIfWanted()
	case admitted:
	case Active(a.state) && a.state != api.StateFinishing:
		a.admitted = false
		a.stopActivity()
		a.setState(api.StateQueued)
	}
}

// yieldAfter is how long nobody may send anything to a download before others may have its place.
const yieldAfter = 10 * time.Second

// yield lets a transfer to which nobody sends anything rest until the edge is due to be asked again, and tells whether it
// does. Until somebody else needs its place, such a transfer better goes on looking for peers.
func (a *actor) yield() bool {
	t, now := a.transfer(), time.Now()
	if t == nil || t.act.stopping() || a.state != api.StateDownloading || t.edgeErr == nil || a.lasting == nil || t.counted.Delivering > 0 ||
		now.Sub(t.began) < yieldAfter || now.Sub(a.lasting.Since) < yieldAfter {
		return false
	}
	p, wait := internalProblem(t.edgeErr), time.Duration(0)
	if e, ok := errors.AsType[*edge.Error](t.edgeErr); ok {
		p = edgeProblem(e)
		if e.RetryAfter > 0 {
			wait = t.edgeRetry.Sub(now)
		}
	}
	a.trouble(p, wait, true)
	return true
}

func (a *actor) settingsChanged() {
	a.updateSharing()
	a.dirty = true
}

func (a *actor) remove(deleteFile bool) {
	a.stopRetry()
	left := a.stopActivity()
	a.leaveSharing()
	a.closeObject()
	switch {
	case !a.rec.Complete:
		a.report(left, "cancelled", "")
		a.discardPart()
	case a.rec.Owner != "": // whoever removes it for them deletes it
	case deleteFile:
		if err := os.Remove(a.rec.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
			a.log.Warn("deleting a finished file", "err", err)
		}
	}
	a.dropHanded()
	a.removed = true
}

// trouble ends the activity. A passing one is tried again by itself, any other waits for the user.
func (a *actor) trouble(p api.Problem, retryAfter time.Duration, passing bool) {
	left := a.stopActivity()
	if a.rec.Complete { // in the last moment, in spite of it
		a.isComplete()
		return
	}
	p.Since = time.Now()
	again := a.lasting != nil && a.lasting.Code == p.Code
	if again {
		p.Since = a.lasting.Since
	}
	a.problem, a.lasting = &p, &p
	a.admitted = false
	if !passing {
		a.rec.Problem = &p
		a.rec.happenedTo(api.SayStopped, &p)
		a.log.Info("download failed", "code", p.Code, "text", p.Text)
		a.setState(api.StateFailed)
		a.report(left, "failed", p.Code)
		a.save()
		return
	}
	if retryAfter <= 0 {
		a.retryWait = min(max(2*a.retryWait, time.Second), time.Minute)
		retryAfter = jitter(a.retryWait)
	}
	if !again {
		a.rec.happenedTo(api.SayWaiting, &p)
		a.log.Info("download waits", "code", p.Code, "text", p.Text, "retry", retryAfter.Round(time.Millisecond))
	}
	a.waitFor(retryAfter)
	a.save()
}

// waitFor lets the download rest with its problem for a while.
func (a *actor) waitFor(d time.Duration) {
	p := *a.problem // the one that was published must not change
	at := time.Now().Add(d)
	p.RetryAt = &at
	a.problem = &p
	a.setState(api.StateWaiting)
	a.urgent = true
	a.retry = time.NewTimer(d)
}

// goesWell notes that bytes came: what was wrong before is over.
func (a *actor) goesWell() {
	a.problem, a.lasting, a.retryWait, a.rec.Vain = nil, nil, 0, 0
}

// outOfTries tells that the user wants no more of them: the edge failed so many times without a byte in between.
func (a *actor) outOfTries() bool {
	most := a.rec.Request.Tries
	if most == 0 {
		most = a.cfg.Settings().Tries
	}
	return most > 0 && a.rec.Vain >= most
}

func (a *actor) retryTimer() <-chan time.Time {
	if a.retry == nil {
		return nil
	}
	return a.retry.C
}

func (a *actor) stopRetry() {
	if a.retry != nil {
		a.retry.Stop()
		a.retry = nil
	}
}

func (a *actor) retryDue() {
	a.retry = nil
	if a.problem != nil && a.problem.Code == api.CodeDiskFull {
		a.lookForRoom()
		return
	}
	a.queueAgain()
}

// queueAgain ends a rest: the download takes its turn among the others. Until it has it, its problem says why it did not go
// on before.
func (a *actor) queueAgain() {
	if a.problem != nil {
		p := *a.problem // the one that was published must not change
		p.RetryAt = nil
		a.problem = &p
	}
	a.setState(api.StateQueued)
	a.publishIfDue(true)
}

// lookForRoom asks, in a worker, whether the disk has room for the rest. To start only to fail again would write
// to a disk that is full.
func (a *actor) lookForRoom() {
	dir, need := a.dir(), int64(0)
	if total := a.total(); total > 0 {
		need = total - a.rec.FromEdge - a.rec.FromPeers
	}
	d, disk, ctx := a.handle, a.disk(), a.ctx
	a.goWorker(func() {
		full := errors.Is(disk.checkSpace(ctx, dir, need), storage.ErrDiskFull)
		d.post(func(a *actor) {
			switch {
			case a.state != api.StateWaiting || a.retry != nil: // the user was faster
			case full:
				a.waitFor(diskPoll)
			default:
				a.queueAgain()
			}
		})
	})
}

// storageFailed stops what uses a file that cannot be trusted with bytes any more.
func (a *actor) storageFailed(err error) {
	switch {
	case a.transfer() != nil && !a.act.stopping():
		p, retry, passing := diskTrouble(err)
		if a.manifest != nil && errors.Is(err, storage.ErrTouched) { // the hashes tell what is still good
			a.rec.Suspect, passing = true, true
		}
		a.trouble(p, retry, passing)
	case a.rec.Complete && a.file != nil:
		a.leaveSharing()
		a.closeObject()
		a.notSharedAnyMore(err)
	}
	a.publishIfDue(true)
}

// edgeTrouble turns an edge's error into what the user sees, and what happens next.
func (a *actor) edgeTrouble(err error) {
	a.rec.Vain++
	e, ok := errors.AsType[*edge.Error](err)
	if !ok {
		a.trouble(internalProblem(err), 0, !a.outOfTries())
		return
	}
	a.trouble(edgeProblem(e), e.RetryAfter, e.Kind == edge.Temporary && !a.outOfTries())
}

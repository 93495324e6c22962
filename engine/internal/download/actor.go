package download

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
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
	state    api.State
	problem  *api.Problem
	admitted bool // the queue lets it be active
	removed  bool
	wrong    int  // pieces from the edge with a wrong hash, since the user last asked for it
	opening  bool // a worker opens the finished file
	edgeOnly bool // its connection counts, see hybrid

	retry     *time.Timer // when a waiting download starts again
	retryWait time.Duration
	ticker    *time.Ticker
	workers   sync.WaitGroup
	pending   []command // arrived while workers ended

	manifest *manifest.Manifest
	file     *storage.Object // open part file, or finished file that is shared
	act      *activity       // what is under way; nil at rest
	shared   Swarm           // of a finished object
	sharedAt Totals          // counted of shared so far

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

func newActor(c Config, r Record, d *Download) *actor {
	a := &actor{cfg: c, handle: d, rec: r, log: c.Log.With("download", r.ID)}
	switch {
	case r.Complete:
		a.state = api.StateComplete
	case r.Problem != nil:
		a.state, a.problem = api.StateFailed, r.Problem
	case r.Want == api.WantPause:
		a.state = api.StatePaused
	default:
		a.state = api.StateQueued
	}
	if r.Manifest != nil {
		if m, err := manifest.Parse(r.Manifest); err == nil {
			a.manifest = m
		}
	}
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
	if a.rec.Started == nil {
		now := time.Now()
		a.rec.Started = &now
	}
	ctx, cancel := context.WithCancel(a.ctx)
	act := &activity{ctx: ctx, cancel: cancel, began: time.Now()}
	a.act = act
	a.setState(api.StateResolving)
	a.resolve(act)
}

// stopActivity ends what is under way and waits for its workers; results that they posted meanwhile are
// applied, so no verified piece is lost.
func (a *actor) stopActivity() {
	act := a.act
	if act == nil {
		return
	}
	act.cancel()
	if t := act.transfer; t != nil {
		t.stop(a)
	}
	a.waitForWorkers()
	if t := act.transfer; t != nil {
		t.settle(a)
	}
	a.act = nil
	a.rec.Active += time.Since(act.began)
	a.closeObject()
	a.ticker.Reset(time.Hour)
}

// waitForWorkers applies the results that workers post while they end, so that none of them blocks and
// no verified piece is lost. Users' commands wait their turn.
func (a *actor) waitForWorkers() {
	ended := make(chan struct{})
	go func() { a.workers.Wait(); close(ended) }()
	for {
		select {
		case c := <-a.handle.commands:
			if c.reply == nil {
				c.apply(a)
			} else {
				a.pending = append(a.pending, c)
			}
		case <-ended:
			return
		}
	}
}

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
	a.stopActivity()
	a.problem = nil
	if a.state != api.StatePaused {
		a.rec.happened("Paused")
	}
	a.setState(api.StatePaused)
	a.report("paused", "")
	return nil
}

func (a *actor) resume() error {
	if a.rec.Want == api.WantRun && a.rec.Problem == nil && a.retry == nil {
		return nil
	}
	a.rec.Want = api.WantRun
	a.rec.Problem, a.problem = nil, nil
	a.stopRetry()
	a.retryWait, a.wrong = 0, 0
	a.rec.happened("Resumed")
	a.setState(api.StateQueued)
	a.startIfWanted()
	return nil
}

func (a *actor) setAdmitted(admitted bool) {
	a.admitted = admitted
	if !admitted && a.act != nil && a.state != api.StateFinishing {
		a.stopActivity()
		a.setState(api.StateQueued)
	}
	a.startIfWanted()
}

func (a *actor) settingsChanged() {
	a.updateSharing()
	a.dirty = true
}

func (a *actor) remove(deleteFile bool) {
	a.stopRetry()
	if a.act != nil {
		a.report("cancelled", "")
	}
	a.stopActivity()
	a.leaveSharing()
	switch {
	case a.rec.Complete:
		a.closeObject()
		if deleteFile {
			if err := os.Remove(a.rec.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
				a.log.Warn("deleting a finished file", "err", err)
			}
		}
	default:
		a.discardPart()
	}
	a.removed = true
}

// trouble ends the activity. A passing one is tried again by itself, any other waits for the user.
func (a *actor) trouble(p api.Problem, retryAfter time.Duration, passing bool) {
	a.stopActivity()
	p.Since = time.Now()
	if a.problem != nil && a.problem.Code == p.Code {
		p.Since = a.problem.Since
	}
	if !passing {
		a.rec.Problem, a.problem = &p, &p
		a.rec.happened("Stopped: %s", p.Text)
		a.log.Info("download failed", "code", p.Code, "text", p.Text)
		a.setState(api.StateFailed)
		a.report("failed", p.Code)
		a.save()
		return
	}
	if retryAfter <= 0 {
		a.retryWait = min(max(2*a.retryWait, time.Second), time.Minute)
		retryAfter = jitter(a.retryWait)
	}
	at := time.Now().Add(retryAfter)
	p.RetryAt = &at
	a.problem = &p
	a.rec.happened("Waiting: %s", p.Text)
	a.log.Info("download waits", "code", p.Code, "text", p.Text, "retry", retryAfter.Round(time.Millisecond))
	a.setState(api.StateWaiting)
	a.retry = time.NewTimer(retryAfter)
	a.save()
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
	a.startIfWanted()
	a.publishIfDue(true)
}

// storageFailed stops what uses a file that cannot be trusted with bytes any more.
func (a *actor) storageFailed(err error) {
	switch {
	case a.transfer() != nil:
		a.trouble(diskTrouble(err))
	case a.rec.Complete:
		a.leaveSharing()
		a.closeObject()
	}
}

// edgeTrouble turns an edge's error into what the user sees, and what happens next.
func (a *actor) edgeTrouble(err error) {
	e, ok := errors.AsType[*edge.Error](err)
	if !ok {
		a.trouble(internalProblem(err), 0, true)
		return
	}
	p := api.Problem{Code: e.Code, Title: edgeTitle(e), Text: e.Text, Remedy: e.Remedy, Severity: api.SeverityError}
	passing := e.Kind == edge.Temporary
	if passing {
		p.Severity = api.SeverityWarning
	}
	a.trouble(p, e.RetryAfter, passing)
}

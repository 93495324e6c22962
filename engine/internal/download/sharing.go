package download

import (
	"errors"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// sharedTick is how often the counters of a shared object are looked at while peers are connected.
const sharedTick = 5 * time.Second

// shareable tells whether the finished object may be offered to peers.
func (a *actor) shareable() bool {
	m := a.manifest
	if !a.rec.Complete || a.rec.NotShared || a.cfg.Peering == nil || m == nil || m.Terms == nil || !m.Terms.Policy.Peers {
		return false
	}
	s := a.cfg.Settings()
	if s.Sharing == api.SharingOff || a.cfg.MayOffer != nil && !a.cfg.MayOffer(a.rec.ID) {
		return false
	}
	return s.ShareDays == 0 || a.rec.Finished == nil || time.Since(*a.rec.Finished) < time.Duration(s.ShareDays)*24*time.Hour
}

func (a *actor) sharedNow() bool {
	return a.shared != nil && a.shareable() && !a.shared.Totals().Behind
}

// Withheld implements Observer.
func (o observer) Withheld() bool { return o.d.withheld.Load() }

// updateSharing offers a finished object, or withdraws it, as settings and age have it.
func (a *actor) updateSharing() {
	switch {
	case !a.rec.Complete:
		return
	case !a.shareable():
		a.leaveSharing()
		a.closeObject()
		a.dropHanded()
	case a.shared == nil:
		a.openShared()
	}
	a.dirty = true
}

// openShared opens the finished file for reading, in a worker, and joins its swarm.
func (a *actor) openShared() {
	if a.opening || a.rec.File == nil || a.rec.Owner != "" && a.handed == nil {
		return
	}
	if a.file != nil {
		a.joinShared()
		return
	}
	a.opening = true
	a.handle.takeFailure() // of the file when it was open before
	d, disk, ident, layout := a.handle, a.disk(), a.rec.File, a.layout()
	ctx := a.ctx
	a.goWorker(func() {
		file, err := disk.openFinished(ctx, *ident, layout)
		d.post(func(a *actor) {
			a.opening = false
			switch {
			case err != nil && ctx.Err() == nil:
				a.notSharedAnyMore(err)
			case err != nil:
			case a.removed || !a.shareable() || ctx.Err() != nil:
				a.file = file
				a.closeObject()
			default:
				a.file = file
				a.joinShared()
			}
		})
	})
}

// notSharedAnyMore withdraws a finished file for good if it is not what it was; a disk that is away may come back.
func (a *actor) notSharedAnyMore(err error) {
	a.log.Info("finished file cannot be shared", "err", err)
	if errors.Is(err, storage.ErrTouched) || errors.Is(err, storage.ErrMissing) {
		a.rec.happened(api.SayUnshared)
		a.rec.NotShared = true
		a.dropHanded()
		a.save()
	}
	a.urgent = true // nothing may happen for an hour after it
}

func (a *actor) joinShared() {
	shared, err := a.cfg.Peering.Join(a.object(), false)
	if err != nil {
		a.log.Info("not shared", "err", err)
		a.closeObject()
		return
	}
	a.shared, a.sharedAt = shared, Totals{}
	a.urgent = true // see notSharedAnyMore
}

func (a *actor) leaveSharing() {
	if a.shared == nil {
		return
	}
	shared := a.shared
	a.shared, a.watched = nil, false
	a.goWorker(shared.Leave)
	a.waitForWorkers() // the file may be closed only when no peer reads it any more
	a.countShared(shared)
}

// countShared books what was sent since the last time, and reports whether that is anything.
func (a *actor) countShared(s Swarm) (news bool) {
	totals := s.Totals()
	sent := totals.Sent - a.sharedAt.Sent
	a.rec.Uploaded += sent
	a.dirty = a.dirty || totals.Peers+a.sharedAt.Peers > 0
	a.sharedAt = totals
	a.sharedMeter.add(time.Now(), 0, 0, totals.Sent)
	return sent > 0
}

// tickShared looks after a finished object that is offered.
func (a *actor) tickShared() {
	if !a.rec.Complete {
		return
	}
	if a.shared != nil && a.countShared(a.shared) {
		a.save()
	}
	a.updateSharing()
	a.pace()
	a.publishIfDue(false)
}

// pace sets how often a finished object is looked at.
func (a *actor) pace() {
	if a.watched = a.shared != nil && a.sharedAt.Peers > 0; a.watched {
		a.ticker.Reset(sharedTick)
	} else {
		a.ticker.Reset(restTick)
	}
}

// sharedPeersChanged looks after the object from now on, until there are no peers any more. It does not look at
// once: peers that download from us tell of every piece.
func (a *actor) sharedPeersChanged() {
	if a.shared != nil && !a.watched {
		a.watched = true
		a.ticker.Reset(sharedTick)
	}
}

// report tells the control plane how the download goes; cumulative, so a lost report changes nothing. Without
// a swarm nobody wants to know.
func (a *actor) report(to Swarm, outcome, reason string) {
	if to == nil {
		return
	}
	a.rec.ReportSeq++
	active := a.rec.Active
	if a.act != nil {
		active += time.Since(a.act.began)
	}
	to.ReportProgress(Progress{Sequence: a.rec.ReportSeq, Total: a.total(), Edge: a.rec.FromEdge, Peers: a.rec.FromPeers,
		Wasted: a.rec.Wasted, Uploaded: a.rec.Uploaded, Milliseconds: active.Milliseconds(), Outcome: outcome, Reason: reason})
}

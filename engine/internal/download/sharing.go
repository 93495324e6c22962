package download

import (
	"context"
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
	if s.Sharing == api.SharingOff {
		return false
	}
	return s.ShareDays == 0 || a.rec.Finished == nil || time.Since(*a.rec.Finished) < time.Duration(s.ShareDays)*24*time.Hour
}

func (a *actor) sharedNow() bool { return a.shared != nil && a.shareable() }

// updateSharing offers a finished object, or withdraws it, as settings and age have it.
func (a *actor) updateSharing() {
	switch {
	case !a.rec.Complete:
		return
	case !a.shareable():
		a.leaveSharing()
		a.closeObject()
	case a.shared == nil:
		a.openShared()
	}
	a.dirty = true
	if a.shared != nil {
		a.ticker.Reset(time.Minute)
	} else {
		a.ticker.Reset(time.Hour)
	}
}

// openShared opens the finished file for reading, in a worker, and joins its swarm.
func (a *actor) openShared() {
	if a.opening || a.rec.File == nil {
		return
	}
	if a.file != nil {
		a.joinShared()
		return
	}
	a.opening = true
	d, cfg, ident, id, layout := a.handle, a.cfg, a.rec.File, a.rec.ID, a.layout()
	ctx := a.ctx
	a.goWorker(func() {
		file, err := openFinished(ctx, cfg, id, *ident, layout)
		d.post(func(a *actor) {
			a.opening = false
			switch {
			case err != nil:
				a.rec.happened("No longer shared: the file was changed or moved")
				a.rec.NotShared = true
				a.log.Info("finished file is not what it was", "err", err)
				a.save()
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

// openFinished opens a finished file if it is what it was when it was finished.
func openFinished(ctx context.Context, c Config, id string, ident storage.Identity, l storage.Layout) (*storage.Object, error) {
	durable, err := c.Marks.Durable(id)
	if err != nil {
		return nil, err
	}
	file, err := c.Disk.Reopen(ctx, id, ident, l, durable, true)
	if err != nil {
		return nil, err
	}
	if p := file.Progress(); p.Verified < p.Pieces {
		return nil, errors.Join(storage.ErrTouched, file.Close(ctx))
	}
	return file, nil
}

func (a *actor) joinShared() {
	swarm, err := a.cfg.Peering.Join(a.object(), false)
	if err != nil {
		a.log.Warn("sharing", "err", err)
		return
	}
	a.shared, a.sharedAt = swarm, Totals{}
	a.dirty = true
}

func (a *actor) leaveSharing() {
	if a.shared == nil {
		return
	}
	a.countShared()
	shared := a.shared
	a.shared = nil
	a.goWorker(shared.Leave)
	a.waitForWorkers() // the file may be closed only when no peer reads it any more
}

func (a *actor) countShared() {
	totals := a.shared.Totals()
	if sent := totals.Sent - a.sharedAt.Sent; sent > 0 || totals.Peers != a.sharedAt.Peers {
		a.rec.Uploaded += sent
		a.dirty = true
	}
	a.sharedAt = totals
}

// tickShared looks after a finished object that is offered.
func (a *actor) tickShared() {
	if !a.rec.Complete {
		return
	}
	if a.shared != nil {
		before := a.rec.Uploaded
		a.countShared()
		if a.rec.Uploaded != before {
			a.save()
		}
	}
	a.updateSharing()
	a.publishIfDue(false)
	if a.shared != nil && a.sharedAt.Peers > 0 {
		a.ticker.Reset(sharedTick)
	}
}

// report tells the control plane how the download goes; cumulative, so a lost report changes nothing.
func (a *actor) report(outcome, reason string) {
	var swarm Swarm
	if t := a.transfer(); t != nil {
		swarm = t.swarm
	} else {
		swarm = a.shared
	}
	if swarm == nil {
		return
	}
	a.rec.ReportSeq++
	active := a.rec.Active
	if a.act != nil {
		active += time.Since(a.act.began)
	}
	swarm.ReportProgress(Progress{Sequence: a.rec.ReportSeq, Total: a.total(), Edge: a.rec.FromEdge, Peers: a.rec.FromPeers,
		Wasted: a.rec.Wasted, Uploaded: a.rec.Uploaded, Milliseconds: active.Milliseconds(), Outcome: outcome, Reason: reason})
}

package download

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// This file is what differs where the file belongs to another user: they open it, and they give it its name. Until
// they have, the download waits for them, takes no place in the queue, and publishes the errand.

// Hand gives the download the file that its owner has opened: the unfinished one, or the finished one to be shared. It
// takes h over if it returns nil.
func (d *Download) Hand(ctx context.Context, h *storage.Handed) error {
	return d.takeOver(ctx, func(a *actor) error { return a.hand(h) })
}

// Named tells that the owner has given the finished file the name under which h was handed over. It takes h over if it
// returns nil.
func (d *Download) Named(ctx context.Context, h *storage.Handed) error {
	return d.takeOver(ctx, func(a *actor) error { return a.named(h) })
}

// takeOver is change for what uses a file from then on, whether the record can be saved or not: after a crash that it does not
// survive, the owner is asked for the same once more.
func (d *Download) takeOver(ctx context.Context, apply func(*actor) error) error {
	saved, err := d.applied(ctx, "", apply)
	if err != nil {
		return err
	}
	if err := <-saved; err != nil {
		d.actor.log.Error("it could not be saved that a file was handed over", "err", err)
	}
	return nil
}

// needsFile tells that nothing can be written before the owner has handed the file over.
func (a *actor) needsFile() bool { return a.rec.Owner != "" && a.handed == nil }

// unnamed tells that all bytes are durable and checked, and the name is promised.
func (a *actor) unnamed() bool {
	return a.rec.Owner != "" && !a.rec.Complete && a.rec.File != nil && a.rec.File.Stage == storage.StageRenaming
}

// errand is what the owner's session is asked to do; nil if nothing.
func (a *actor) errand() *api.Errand {
	switch {
	case a.rec.Owner == "":
		return nil
	case a.rec.Complete && (a.handed != nil || a.rec.File == nil || !a.shareable()):
		return nil
	case a.rec.Complete:
		return &api.Errand{Kind: api.ErrandShare, Dir: a.rec.File.Dir, Part: a.rec.Part, Name: a.rec.File.Name}
	}
	e := &api.Errand{Kind: api.ErrandHand, Dir: a.dir(), Part: a.rec.Part}
	if f := a.rec.File; f != nil {
		e.Name = f.Name
	}
	lost := a.problem != nil && a.problem.Code == api.CodeVolumeLost // the file that we have may never work again
	switch {
	case a.state == api.StateWaiting && a.unnamed() && a.handed != nil:
		e.Kind = api.ErrandName
	case a.handed != nil && !lost:
		return nil
	}
	return e
}

func needsFileProblem() api.Problem {
	return needsOwner("Waits for its owner", api.SayNeedsFile, api.DoOpenOrResume)
}

func needsNameProblem() api.Problem {
	return needsOwner("Waits for its name", api.SayNeedsName, api.DoOpenTributary)
}

// needsOwner makes a problem that is none of the machine's: somebody is away.
func needsOwner(title, say, do string) api.Problem {
	p := problem(api.CodeNeedsOwner, title, api.Say(say), do)
	p.Severity = api.SeverityInfo
	return p
}

// askOwner lets the download rest until its owner has done an errand.
func (a *actor) askOwner(p api.Problem) {
	p.Since = time.Now()
	a.problem, a.lasting = &p, &p
	a.admitted = false
	a.rec.happenedTo(api.SayWaiting, &p)
	a.setState(api.StateWaiting)
	a.save()
	a.publishIfDue(true)
}

// awaitName ends the activity when everything is durable. sum is the file's SHA-256.
func (a *actor) awaitName(sum string) {
	a.report(a.stopActivity(), "completed", "")
	a.rec.SHA256 = sum
	a.askOwner(needsNameProblem())
}

// hand takes over an unfinished file. One without bytes begins the download anew; of any other, what can be trusted
// is found out when it is opened. A finished one is shared again, if it is what it was.
func (a *actor) hand(h *storage.Handed) error {
	lost := a.problem != nil && a.problem.Code == api.CodeVolumeLost
	switch {
	case a.rec.Owner == "", a.rec.Complete && a.errand() == nil, a.rec.Complete != h.Finished():
		return &api.Error{Code: api.ErrConflict, Message: "this download needs no file"}
	case a.handed != nil && !lost:
		return &api.Error{Code: api.ErrConflict, Message: "this download has its file already"}
	}
	if a.rec.Complete {
		a.handed = h
		a.updateSharing()
		return nil
	}
	if a.rec.File != nil && h.Empty() && a.total() != 0 {
		a.rec.happened(api.SayPartGone)
		a.rec.File = nil
		a.discardPart()
	}
	a.stopRetry()
	a.stopActivity()
	a.closeHanded()
	a.handed, a.rec.Part = h, h.Part()
	if a.rec.File != nil {
		a.rec.File.Part = h.Part()
	}
	if a.state == api.StateWaiting || a.state == api.StateQueued {
		a.problem, a.lasting = nil, nil
		a.setState(api.StateQueued)
	}
	return nil
}

// named completes the download if h is the very file that was promised its name, unchanged since it was checked.
func (a *actor) named(h *storage.Handed) error {
	if !a.unnamed() || a.act != nil {
		return &api.Error{Code: api.ErrConflict, Message: "this download does not wait for its name"}
	}
	is, err := h.Look()
	if err != nil {
		return err
	}
	ident := *a.rec.File
	if len(ident.Files) != 1 || ident.Files[0] != is {
		return &api.Error{Code: api.ErrConflict, Message: "this is not the file that was downloaded, or it was changed"}
	}
	a.closeHanded()
	a.handed = h
	ident.Name, ident.Stage = h.Part(), storage.StageComplete
	a.complete(filepath.Join(ident.Dir, ident.Name), a.rec.SHA256, ident)
	a.isComplete()
	return nil
}

// dropDeleted gives back a file whose owner has deleted it: nothing that is written to it could ever be found.
func (a *actor) dropDeleted() {
	if a.handed == nil || a.act != nil {
		return
	}
	if _, err := a.handed.Look(); errors.Is(err, storage.ErrMissing) {
		a.dropHanded()
	}
}

// closeHanded closes the file that was handed over. The service manager may still have a copy for the next start.
func (a *actor) closeHanded() {
	if a.handed == nil {
		return
	}
	if err := a.handed.Close(); err != nil {
		a.log.Warn("closing a file that was handed over", "err", err)
	}
	a.handed = nil
}

// dropHanded gives the file back for good.
func (a *actor) dropHanded() {
	if a.handed == nil {
		return
	}
	a.closeHanded()
	id, drop := a.rec.ID, a.cfg.DropFile
	a.goWorker(func() { drop(id) })
}

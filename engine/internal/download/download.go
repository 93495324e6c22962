// Package download runs one download: an actor that owns all of its state, decides with package hybrid
// which source fetches which piece, and publishes snapshots. What may wait (network, disk, the state
// database) runs in workers and comes back as a command; only the end of an activity is waited for, because what
// comes next needs the file closed and all pieces counted. It must never touch the piece engine, ICE, the state
// database or net/http by itself.
//
// The flow of one activity, from start to rest:
//
//	start → resolve (worker) → reserve (worker) → transfer: tick ⇄ fetch (workers), swarm
//	      → finish (worker) → complete
//	any trouble → stopActivity → waiting → queued (takes its turn again) | failed;  pause → stopActivity → paused
package download

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/budget"
	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/storage"
)

// Config is what a download needs of the engine. All fields are required but Peering.
type Config struct {
	Edge      *edge.Client
	Disk      *storage.Committer
	Marks     Marks
	Journal   Journal
	Peering   Peering         // nil: no peers at all
	Limit     *budget.Limiter // all downloads together
	Publish   func(api.Download)
	Settings  func() api.Settings
	MayOffer  func(id string) bool // the finished object fits what the user gives to sharing; nil: always
	Handed    *storage.Handed      // the file, from its owner, and the download's from now on; nil: opened by its path, or not yet handed over
	DropFile  func(id string)      // the file that was handed over is not needed any more; may be nil without owners
	CleanBoot bool                 // the last run of the service ended properly: file sizes and times may be trusted
	Log       *slog.Logger
}

// ErrClosed is the answer of a download that has ended.
var ErrClosed = errors.New("the download has been closed")

// Download is a handle; all methods may be called from any goroutine.
type Download struct {
	id       string
	commands chan command
	failure  chan error // of the file; room for one, as any one ends the activity
	done     chan struct{}
	snapshot atomic.Pointer[api.Download]
	withheld atomic.Bool // the user has withdrawn the object from peers
	actor    *actor
}

type command struct {
	name  string // key of the table `allowed`; empty: always allowed
	apply func(*actor) error
	reply chan<- error
}

// New makes a download from its record. Run must be called for anything to happen.
func New(c Config, r Record) *Download {
	d := &Download{id: r.ID, commands: make(chan command, 64), failure: make(chan error, 1), done: make(chan struct{})}
	d.withheld.Store(r.NotShared)
	d.actor = newActor(c, r, d)
	d.actor.publish()
	return d
}

// ID returns the download's name.
func (d *Download) ID() string { return d.id }

// Snapshot returns the newest published state.
func (d *Download) Snapshot() api.Download { return *d.snapshot.Load() }

// Run is the download's goroutine. It returns when ctx ends or after Remove, when every worker has
// ended and files are closed.
func (d *Download) Run(ctx context.Context) {
	defer close(d.done)
	d.actor.loop(ctx)
}

// do sends a command and waits until it has been applied and its effect published.
func (d *Download) do(ctx context.Context, name string, apply func(*actor) error) error {
	reply := make(chan error, 1)
	select {
	case d.commands <- command{name, apply, reply}:
	case <-d.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-reply:
		return err
	case <-d.done:
	}
	select {
	case err := <-reply: // the last command that was obeyed
		return err
	default:
		return ErrClosed
	}
}

// post sends a worker's result; it never waits for the answer and is dropped when the download ends.
func (d *Download) post(apply func(*actor)) {
	select {
	case d.commands <- command{apply: func(a *actor) error { apply(a); return nil }}:
	case <-d.done:
	}
}

// Pause stops it until Resume. What has been verified stays.
func (d *Download) Pause(ctx context.Context) error { return d.change(ctx, "pause", (*actor).pause) }

// Resume lets it run again; a failed one is tried anew.
func (d *Download) Resume(ctx context.Context) error { return d.change(ctx, "resume", (*actor).resume) }

// Admit gives or takes the right to be active (the engine's queue).
func (d *Download) Admit(ctx context.Context, admitted bool) error {
	return d.do(ctx, "", func(a *actor) error { a.setAdmitted(admitted); return nil })
}

// Yield gives up its place if nobody has sent it anything for a while, and tells whether it did.
func (d *Download) Yield(ctx context.Context) (yielded bool, err error) {
	err = d.do(ctx, "", func(a *actor) error { yielded = a.yield(); return nil })
	return yielded, err
}

// Move changes the place in the queue.
func (d *Download) Move(ctx context.Context, priority int) error {
	return d.change(ctx, "", func(a *actor) error { a.rec.Request.Priority = priority; return nil })
}

// SettingsChanged makes it look at the settings again.
func (d *Download) SettingsChanged(ctx context.Context) error {
	return d.do(ctx, "", func(a *actor) error { a.settingsChanged(); return nil })
}

// Remove ends the download for good. The part file goes; a finished file goes only if deleteFile. The
// caller forgets the record afterwards.
func (d *Download) Remove(ctx context.Context, deleteFile bool) error {
	err := d.do(ctx, "", func(a *actor) error { a.remove(deleteFile); return nil })
	if err != nil {
		return err
	}
	<-d.done
	return nil
}

// StorageFailed tells that the part file or the finished file can no longer be used. It never waits: storage calls it
// in the middle of whatever failed, which may be what the download's goroutine waits for.
func (d *Download) StorageFailed(err error) {
	select {
	case d.failure <- err:
	default:
	}
}

// takeFailure forgets a failure that nobody has looked at.
func (d *Download) takeFailure() {
	select {
	case <-d.failure: //nolint:errcheck // to forget it is what this is for
	default:
	}
}

// StopSharing withdraws the object from peers. If it is still being downloaded, nothing more of it is given to them.
func (d *Download) StopSharing(ctx context.Context) error {
	return d.change(ctx, "", func(a *actor) error {
		d.withheld.Store(true)
		a.rec.NotShared = true
		a.updateSharing()
		return nil
	})
}

// Detail returns the snapshot with sources, piece map and timeline.
func (d *Download) Detail(ctx context.Context) (det api.Detail, err error) {
	err = d.do(ctx, "", func(a *actor) error { det = a.detail(); return nil })
	return det, err
}

// change applies a command and waits until the record with its effect is durable, so that what the
// user was told survives a crash.
func (d *Download) change(ctx context.Context, name string, apply func(*actor) error) error {
	saved, err := d.applied(ctx, name, apply)
	if err != nil {
		return err
	}
	return <-saved
}

// applied applies a command. Saved brings one value when the record with its effect is durable.
func (d *Download) applied(ctx context.Context, name string, apply func(*actor) error) (saved <-chan error, err error) {
	err = d.do(ctx, name, func(a *actor) error {
		if err := apply(a); err != nil {
			return err
		}
		saved = a.save()
		return nil
	})
	return saved, err
}

// loop is the only goroutine that touches the actor.
func (a *actor) loop(ctx context.Context) {
	a.ctx = ctx
	a.ticker = time.NewTicker(restTick)
	defer a.ticker.Stop()
	a.startIfWanted()
	for !a.removed {
		if len(a.pending) > 0 {
			c := a.pending[0]
			a.pending = a.pending[1:]
			a.obey(c)
			continue
		}
		select {
		case <-ctx.Done():
			a.end()
			return
		case c := <-a.handle.commands:
			a.obey(c)
		case err := <-a.handle.failure:
			a.storageFailed(err)
		case <-a.retryTimer():
			a.retryDue()
		case <-a.ticker.C:
			a.tick()
		}
	}
	a.waitForWorkers()
	a.refusePending()
}

// end leaves everything such that the next start can go on.
func (a *actor) end() {
	a.stopActivity()
	a.leaveSharing()
	a.waitForWorkers() // one may be opening the finished file
	a.closeObject()
	a.closeHanded()
	if a.saved != sha256.Sum256(a.rec.encode()) {
		if err := <-a.save(); err != nil {
			a.log.Error("the last state of a download could not be saved", "err", err)
		}
	}
	a.refusePending()
}

// refusePending answers callers who came too late.
func (a *actor) refusePending() {
	for _, c := range a.pending {
		c.reply <- ErrClosed
	}
}

func (a *actor) obey(c command) {
	var err error
	if c.name != "" && !allowed[a.state][c.name] {
		err = &api.Error{Code: api.ErrConflict, Message: "a download that is " + string(a.state) + " cannot " + c.name}
	} else {
		err = c.apply(a)
	}
	if c.reply != nil {
		a.publishIfDue(true)
		c.reply <- err
	} else {
		a.publishIfDue(false)
	}
}

// goWorker runs f in the actor's group.
func (a *actor) goWorker(f func()) {
	a.workers.Add(1)
	go func() {
		defer a.workers.Done()
		f()
	}()
}

// save hands the record to the journal. The channel brings one value when it is durable.
func (a *actor) save() <-chan error {
	raw := a.rec.encode()
	a.saved = sha256.Sum256(raw)
	return a.cfg.Journal.Save(a.rec.ID, raw)
}

func (a *actor) saveWithManifest() <-chan error {
	return a.cfg.Journal.SaveManifest(a.rec.ID, a.rec.Manifest, a.rec.encode())
}

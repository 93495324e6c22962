package client

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// agentRest is how long the agent leaves alone what it could not do, or a service that went away.
const agentRest = 30 * time.Second

// Agent does the errands of this user's downloads at a service for the whole machine: it hands over the files that the
// service lost with a restart of the machine, unfinished or shared, and gives finished files their names. At a service
// of the user's own there are none. It runs in whatever program of ours the user has open.
type Agent struct {
	Client *Client
	Log    *slog.Logger
	// Every is how often it hears of changes at most; 0: as they happen.
	Every time.Duration
}

// Run does errands as they come, until ctx ends.
func (a *Agent) Run(ctx context.Context) {
	for ctx.Err() == nil {
		a.follow(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(agentRest):
		}
	}
}

// follow does errands until the service goes away, or some time after one could not be done.
func (a *Agent) follow(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := false
	for e, err := range a.Client.WatchEvery(ctx, a.Every) {
		if err != nil || e.Download == nil {
			continue
		}
		if err := a.do(ctx, *e.Download); err != nil && !failed {
			failed = true
			time.AfterFunc(agentRest, cancel)
		}
	}
}

// Once does what errands there are now.
func (a *Agent) Once(ctx context.Context) error {
	list, err := a.Client.Downloads(ctx)
	errs := []error{err}
	for _, d := range list {
		errs = append(errs, a.do(ctx, d))
	}
	return errors.Join(errs...)
}

// do does the errand of a download of this user, if it has one.
func (a *Agent) do(ctx context.Context, d api.Download) error {
	if d.Errand == nil || d.Owner != self() {
		return nil
	}
	err := a.Client.runErrand(ctx, d.ID, *d.Errand)
	if api.CodeOf(err) == api.ErrConflict || api.CodeOf(err) == api.ErrNotFound {
		return nil // another program of the user's was faster
	}
	if err != nil && d.Errand.Kind == api.ErrandShare {
		// The user has moved or changed the file, or its disk is away: it is shared again if the next start finds it.
		a.Log.Debug("a finished file is not shared again", "download", d.ID, "err", err)
		return nil
	}
	if err != nil {
		a.Log.Info("an errand could not be done", "download", d.ID, "kind", d.Errand.Kind, "err", err)
	}
	return err
}

package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/tributary-dl/tributary/app/tributaryctl/internal/progress"
	"github.com/tributary-dl/tributary/engine/api"
)

// wait follows downloads until each has ended, and reports each end. It fails if one of them failed.
func (a *app) wait(ctx context.Context, added []api.Download) error {
	w := waiting{ends: map[string]api.Download{}, present: map[string]bool{}}
	for _, d := range added {
		w.ids = append(w.ids, d.ID)
	}
	show := a.newView()
	var agent sync.WaitGroup
	errands, stop := context.WithCancel(ctx)
	agent.Go(func() { a.agent.Run(errands) })
	err := a.follow(ctx, &w, show)
	stop()
	agent.Wait()
	show.close()
	if ctx.Err() != nil {
		a.tellInterrupted(w.ids)
		return errInterrupted
	}
	if err != nil {
		return err
	}
	return a.reportEnds(w)
}

// waiting is what is known of the downloads that are waited for.
type waiting struct {
	ids     []string
	present map[string]bool         // seen in the watch
	ends    map[string]api.Download // the last snapshot of each that has ended; State "" if it was removed
}

func (a *app) follow(ctx context.Context, w *waiting, show view) error {
	for event, err := range a.client.Watch(ctx) {
		if err != nil {
			return err
		}
		if w.take(event) && event.Download != nil {
			show.update(*event.Download)
		}
		if len(w.ends) == len(w.ids) {
			return nil
		}
	}
	return nil
}

// take notes an event, and says whether it is about one of the downloads.
func (w *waiting) take(e api.Event) bool {
	switch {
	case e.Synced: // whatever the watch did not begin with is gone
		for _, id := range w.ids {
			if !w.present[id] {
				w.ends[id] = api.Download{ID: id}
			}
		}
	case e.Removed != "" && slices.Contains(w.ids, e.Removed):
		w.ends[e.Removed] = api.Download{ID: e.Removed}
		return true
	case e.Download != nil && slices.Contains(w.ids, e.Download.ID):
		w.present[e.Download.ID] = true
		delete(w.ends, e.Download.ID) // a failed one that somebody resumed
		if ended(*e.Download) {
			w.ends[e.Download.ID] = *e.Download
		}
		return true
	}
	return false
}

func ended(d api.Download) bool {
	return d.State == api.StateComplete || d.State == api.StateFailed
}

func (a *app) tellInterrupted(ids []string) {
	for _, id := range ids {
		fmt.Fprintf(a.Err, "No longer waiting. The download goes on; see \"tributaryctl show %s\".\n", id)
	}
}

func (a *app) reportEnds(w waiting) error {
	var failed error
	for _, id := range w.ids {
		d := w.ends[id]
		if d.State != api.StateComplete {
			failed = errTold
		}
		if d.State == "" {
			fmt.Fprintf(a.Err, "tributaryctl: %s was removed before it was complete\n", id)
			continue
		}
		if a.json {
			if err := a.printJSON(d); err != nil {
				return errors.Join(failed, err)
			}
		}
		a.tellEnd(d)
	}
	return failed
}

// tellEnd says in words how a download ended; a failure even beside JSON, on standard error.
func (a *app) tellEnd(d api.Download) {
	if d.State == api.StateComplete {
		if !a.json {
			a.printf("%s\n%s in %s, %s; %s\n", quote(d.Path), progress.Bytes(d.VerifiedBytes),
				progress.Seconds(int64(d.Active+0.5)), progress.Shares(d), verdict(d.Verdict))
		}
		return
	}
	fmt.Fprintf(a.Err, "tributaryctl: %s failed\n", quote(nameOf(d)))
	if d.Problem == nil {
		return
	}
	fmt.Fprintln(a.Err, quote(d.Problem.Text))
	if d.Problem.Remedy != "" {
		fmt.Fprintln(a.Err, quote(d.Problem.Remedy))
	}
}

func verdict(v api.Verdict) string {
	switch v {
	case api.VerdictPublisher:
		return "every piece is as the publisher signed it"
	case api.VerdictHash:
		return "the checksum is right"
	}
	return "not verified, since there is nothing to verify it against"
}

package command

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/app/tributaryctl/internal/progress"
	"github.com/tributary-dl/tributary/engine/api"
)

// action is a command on one or several downloads.
type action struct {
	verb, done string // "pause", "paused"
	apply      func(ctx context.Context, id string) error
	concerns   func(api.Download) bool // which ones --all means
	// refuses says why none of the chosen ones is acted upon; nil: there is never a reason.
	refuses func(chosen []api.Download) error
	// did is what happened to one, if that is not always the same; nil: done.
	did func(api.Download) string
}

// done is what --json prints of a command that was carried out.
type done struct {
	ID   string `json:"id"`
	Done string `json:"done"`
}

func (a *app) pauseCommand() *cobra.Command {
	return a.actionCommand(action{
		verb: "pause", done: "paused",
		apply:    func(ctx context.Context, id string) error { return a.client.Pause(ctx, id) },
		concerns: func(d api.Download) bool { return d.Want == api.WantRun && !ended(d) },
	}, "Let downloads rest until they are resumed", "")
}

func (a *app) resumeCommand() *cobra.Command {
	return a.actionCommand(action{
		verb: "resume", done: "resumed",
		apply:    func(ctx context.Context, id string) error { return a.client.Resume(ctx, id) },
		concerns: func(d api.Download) bool { return d.State == api.StateFailed || d.Want == api.WantPause && !ended(d) },
	}, "Let paused downloads go on, and try failed ones again", "")
}

func (a *app) cancelCommand() *cobra.Command {
	return a.actionCommand(action{
		verb: "cancel", done: "cancelled",
		apply:    func(ctx context.Context, id string) error { return a.client.Cancel(ctx, id) },
		concerns: func(d api.Download) bool { return d.State != api.StateComplete },
	}, "Drop unfinished downloads and what they have fetched", "")
}

func (a *app) removeCommand() *cobra.Command {
	var deleteFile, discard, finished bool
	act := action{
		verb: "remove", done: "removed",
		apply:    func(ctx context.Context, id string) error { return a.client.Remove(ctx, id, deleteFile) },
		concerns: func(d api.Download) bool { return !finished || d.State == api.StateComplete },
		refuses: func(chosen []api.Download) error {
			if discard {
				return nil
			}
			return wouldDiscard(chosen)
		},
		did: func(d api.Download) string {
			if unfinished(d) {
				return "discarded"
			}
			return "removed"
		},
	}
	c := a.actionCommand(act, "Take finished downloads off the list; their files stay", "\n  tributaryctl remove --finished\n  tributaryctl remove 3f2a --file")
	c.Use = "remove ID... | --finished | --all"
	c.Long = `remove takes downloads off the list. The files of finished ones stay, unless --file is given. Of
a download that is not finished nothing can stay: what it has fetched would be deleted, so it
is only removed with --discard. That is the same as "tributaryctl cancel"; "tributaryctl pause"
keeps it for later.

--all means every download of the list, and does nothing if one of them is not finished and
--discard is missing; --finished means the finished ones alone.`
	c.Flags().Lookup("all").Usage = "remove every download of the list"
	c.Flags().BoolVar(&deleteFile, "file", false, "delete the finished file too")
	c.Flags().BoolVar(&finished, "finished", false, "remove every download that is complete")
	c.Flags().BoolVar(&discard, "discard", false, "remove unfinished downloads as well, and delete what they have fetched")
	c.Args = func(c *cobra.Command, ids []string) error {
		all, err := c.Flags().GetBool("all")
		if err != nil {
			return err
		}
		ways := 0
		for _, chosen := range []bool{all, finished, len(ids) > 0} {
			if chosen {
				ways++
			}
		}
		if ways != 1 {
			return usagef("remove takes either IDs, --finished or --all")
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, ids []string) error {
		return a.act(c.Context(), act, ids, len(ids) == 0)
	}
	return c
}

// unfinished says whether removing a download loses something: one that failed before its first byte has nothing.
func unfinished(d api.Download) bool {
	return d.State != api.StateComplete && (d.State != api.StateFailed || d.VerifiedBytes > 0)
}

// wouldDiscard refuses to remove downloads that are not finished, and says what else to do.
func wouldDiscard(chosen []api.Download) error {
	var open []api.Download
	for _, d := range chosen {
		if unfinished(d) {
			open = append(open, d)
		}
	}
	switch len(open) {
	case 0:
		return nil
	case 1:
		if open[0].VerifiedBytes == 0 {
			return fmt.Errorf("%s is not finished: give --discard to drop it all the same; pause keeps it for later", nameOf(open[0]))
		}
		return fmt.Errorf("%s is not finished, and the %s it has would be deleted: give --discard for that; pause keeps it", nameOf(open[0]), progress.Bytes(open[0].VerifiedBytes))
	}
	return fmt.Errorf("%d downloads are not finished, and what they have would be deleted: give --discard for that, or --finished to leave them alone", len(open))
}

func (a *app) actionCommand(act action, short, example string) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:     act.verb + " ID... | --all",
		Short:   short,
		Example: "  tributaryctl " + act.verb + " 3f2a\n  tributaryctl " + act.verb + " --all" + example,
		Args: func(_ *cobra.Command, ids []string) error {
			if all == (len(ids) > 0) {
				return usagef("%s takes either IDs or --all", act.verb)
			}
			return nil
		},
		ValidArgsFunction: a.completeIDs,
		RunE: func(c *cobra.Command, ids []string) error {
			return a.act(c.Context(), act, ids, all)
		},
	}
	c.Flags().BoolVar(&all, "all", false, act.verb+" every download that this concerns")
	return c
}

// act applies an action to each download. All words are looked up first: a slip in one changes nothing.
func (a *app) act(ctx context.Context, act action, words []string, all bool) error {
	list, err := a.client.Downloads(ctx)
	if err != nil {
		return err
	}
	var chosen []api.Download
	for _, d := range list {
		if all && act.concerns(d) {
			chosen = append(chosen, d)
		}
	}
	for _, word := range words {
		d, err := find(list, word)
		if err != nil {
			return err
		}
		chosen = append(chosen, d)
	}
	if act.refuses != nil {
		if err := act.refuses(chosen); err != nil {
			return err
		}
	}
	var failed error
	for _, d := range chosen {
		if err := act.apply(ctx, d.ID); err != nil {
			if len(chosen) == 1 {
				return err
			}
			fmt.Fprintf(a.Err, "tributaryctl: %s: %s\n", quote(nameOf(d)), quote(err.Error()))
			failed = errTold
			continue
		}
		what := act.done
		if act.did != nil {
			what = act.did(d)
		}
		if err := a.printDone(d, what); err != nil {
			return err
		}
	}
	return failed
}

func (a *app) printDone(d api.Download, what string) error {
	if a.json {
		return a.printJSON(done{ID: d.ID, Done: what})
	}
	a.printf("%s %s  %s\n", what, d.ID, quote(nameOf(d)))
	return nil
}

func (a *app) moveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "move ID PRIORITY",
		Short: "Change the place of a download in the queue",
		Long: `move gives a download another priority. Of the downloads that wait, the one with the
smallest number starts first; those that say nothing have 0.`,
		Example:           "  tributaryctl move 3f2a -- -1",
		Args:              takes(2, 2),
		ValidArgsFunction: a.completeIDs,
		RunE: func(c *cobra.Command, args []string) error {
			priority, err := strconv.ParseInt(args[1], 10, 32)
			if err != nil {
				return usagef("the priority %q is not a whole number", args[1])
			}
			d, err := a.resolve(c.Context(), args[0])
			if err != nil {
				return err
			}
			if d.State == api.StateComplete {
				return &api.Error{Code: api.ErrConflict, Message: nameOf(d) + " is complete; it has no place in the queue any more"}
			}
			if err := a.client.Move(c.Context(), d.ID, int(priority)); err != nil {
				return err
			}
			return a.printDone(d, "moved")
		},
	}
}

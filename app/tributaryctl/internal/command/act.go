package command

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/engine/api"
)

// action is a command on one or several downloads.
type action struct {
	verb, done string // "pause", "paused"
	apply      func(ctx context.Context, id string) error
	concerns   func(api.Download) bool // which ones --all means
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
	var deleteFile bool
	c := a.actionCommand(action{
		verb: "remove", done: "removed",
		apply:    func(ctx context.Context, id string) error { return a.client.Remove(ctx, id, deleteFile) },
		concerns: func(api.Download) bool { return true },
	}, "Take downloads off the list; finished files stay", "\n  tributaryctl remove 3f2a --file")
	c.Flags().BoolVar(&deleteFile, "file", false, "delete the finished file too")
	return c
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
		if err := a.printDone(d, act.done); err != nil {
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
			if err := a.client.Move(c.Context(), d.ID, int(priority)); err != nil {
				return err
			}
			return a.printDone(d, "moved")
		},
	}
}

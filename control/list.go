package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/control/internal/publish"
)

// listed is one object as `list` shows it.
type listed struct {
	Content   string    `json:"content_id"`
	Name      string    `json:"name"`
	Size      int64     `json:"size"` // bytes
	State     string    `json:"state"`
	URL       string    `json:"url"`
	Published time.Time `json:"published"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	Withdrawn time.Time `json:"withdrawn,omitzero"`
}

// States of an object.
const (
	stateOffered   = "offered"
	stateReplaced  = "replaced"  // its URL leads to other bytes by now
	stateEnded     = "ended"     // its --not-after is over
	stateWithdrawn = "withdrawn" // by the publisher
)

func newList() *cobra.Command {
	var data string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list --data DIR",
		Short: "Show what has been published",
		Long: `Print every object of DIR: what its URL is, and whether it is offered, replaced by
other bytes under the same URL, ended, because its --not-after is over, or
withdrawn.`,
		Example: `  tributary-control list --data /srv/tributary`,
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			objects, err := listObjects(data, time.Now())
			if err != nil {
				return err
			}
			return printObjects(cmd.OutOrStdout(), objects, asJSON)
		},
	}
	dataFlag(cmd, &data)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, one object a line")
	return cmd
}

// listObjects returns what has been published, by name, the newest of a name first.
func listObjects(data string, now time.Time) ([]listed, error) {
	if _, err := os.Stat(data); err != nil {
		return nil, err
	}
	store := publish.Open(data)
	objects, err := store.List()
	if err != nil {
		return nil, err
	}
	var list []listed
	for _, o := range objects {
		named, err := store.ByName(o.Name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it may be published at this moment
			return nil, err
		}
		l := listed{Content: o.ID.String(), Name: o.Name, Size: o.Size, State: stateOffered, URL: o.URL(), Published: o.Published, NotAfter: o.NotAfter, Withdrawn: o.Withdrawn}
		switch {
		case !o.Withdrawn.IsZero():
			l.State = stateWithdrawn
		case named.ID != o.ID:
			l.State = stateReplaced
		case !o.NotAfter.IsZero() && !o.NotAfter.After(now):
			l.State = stateEnded
		}
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b listed) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), b.Published.Compare(a.Published), cmp.Compare(a.Content, b.Content))
	})
	return list, nil
}

func printObjects(out io.Writer, list []listed, asJSON bool) error {
	if asJSON {
		for _, l := range list {
			if err := json.NewEncoder(out).Encode(l); err != nil {
				return err
			}
		}
		return nil
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "Nothing has been published.")
		return err
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "OBJECT\tBYTES\tPUBLISHED\tUNTIL\tSTATE\tURL")
	for _, l := range list {
		until := "-"
		if !l.NotAfter.IsZero() {
			until = l.NotAfter.UTC().Format(time.RFC3339)
		}
		const short = 12 // letters of an ID are enough to tell objects apart
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\n", l.Content[:short], l.Size, l.Published.UTC().Format(time.RFC3339), until, l.State, l.URL)
	}
	return t.Flush()
}

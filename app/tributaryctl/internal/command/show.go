package command

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/app/tributaryctl/internal/progress"
	"github.com/tributary-dl/tributary/engine/api"
)

func (a *app) listCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "Show every download",
		Example: "  tributaryctl list\n  tributaryctl list --json",
		Args:    takes(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			all, err := a.client.Downloads(c.Context())
			if err != nil {
				return err
			}
			if a.json {
				return printEach(a, all)
			}
			if len(all) == 0 {
				a.printf("There are no downloads. Add one with \"tributaryctl add URL\".\n")
				return nil
			}
			t := a.table("ID", "NAME", "STATE", "DONE", "SIZE", "RATE", "LEFT")
			for _, d := range all {
				t.row(d.ID, quote(nameOf(d)), string(d.State), share(d), progress.Bytes(d.TotalBytes), rate(d), left(d))
			}
			return t.Flush()
		},
	}
}

func share(d api.Download) string {
	if d.TotalBytes <= 0 {
		return "-"
	}
	return fmt.Sprintf("%d%%", int(100*float64(d.VerifiedBytes)/float64(d.TotalBytes)))
}

func rate(d api.Download) string {
	if d.State != api.StateDownloading {
		return "-"
	}
	return progress.Rate(d.Rate)
}

func left(d api.Download) string {
	if d.State != api.StateDownloading || d.ETASeconds < 0 {
		return "-"
	}
	return progress.Seconds(d.ETASeconds)
}

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "show ID",
		Short:             "Show one download in full",
		Example:           "  tributaryctl show 3f2a\n  tributaryctl show 3f2a --json",
		Args:              takes(1, 1),
		ValidArgsFunction: a.completeIDs,
		RunE: func(c *cobra.Command, args []string) error {
			detail, err := a.detail(c, args[0])
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(detail)
			}
			return a.printDetail(detail)
		},
	}
}

func (a *app) detail(c *cobra.Command, word string) (api.Detail, error) {
	d, err := a.resolve(c.Context(), word)
	if err != nil {
		return api.Detail{}, err
	}
	return a.client.Download(c.Context(), d.ID)
}

func (a *app) printDetail(d api.Detail) error {
	a.printf("%s\n", quote(nameOf(d.Download)))
	t := a.table()
	fact := func(name, value string) {
		if value != "" {
			t.row("  "+name, quote(value))
		}
	}
	fact("ID", d.ID)
	fact("State", stateWithNote(d.Download))
	fact("Done", fmt.Sprintf("%s of %s (%s)", progress.Bytes(d.VerifiedBytes), progress.Bytes(d.TotalBytes), share(d.Download)))
	fact("Sources", fmt.Sprintf("%s from the edge, %s from peers", progress.Bytes(d.BytesFromEdge), progress.Bytes(d.BytesFromPeers)))
	fact("Wasted", progress.Bytes(d.BytesWasted))
	fact("Sent", progress.Bytes(d.BytesUploaded))
	if d.State == api.StateDownloading {
		fact("Rate", fmt.Sprintf("%s (edge %s, %s %s)", progress.Rate(d.Rate), progress.Rate(d.EdgeRate), progress.Count(d.Peers, "peer"), progress.Rate(d.PeerRate)))
		fact("Left", left(d.Download))
	}
	fact("Limited by", d.Why)
	fact("File", d.Path)
	fact("URL", d.URL)
	fact("Publisher", d.Publisher)
	fact("Object", d.ContentID)
	fact("SHA-256", d.SHA256)
	if d.State == api.StateComplete {
		fact("Verdict", verdict(d.Verdict))
	}
	if p := d.Problem; p != nil {
		fact("Problem", p.Title)
		fact("", p.Text)
		fact("What to do", p.Remedy)
		if p.RetryAt != nil {
			fact("Next try", progress.Clock(*p.RetryAt))
		}
	}
	for _, h := range d.Timeline {
		t.row("  "+progress.Clock(h.Time), quote(h.Text))
	}
	return t.Flush()
}

func stateWithNote(d api.Download) string {
	if d.Note == "" {
		return string(d.State)
	}
	return string(d.State) + ": " + d.Note
}

func (a *app) peersCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "peers ID",
		Short:             "Show the sources of a download: edges and peers",
		Example:           "  tributaryctl peers 3f2a",
		Args:              takes(1, 1),
		ValidArgsFunction: a.completeIDs,
		RunE: func(c *cobra.Command, args []string) error {
			detail, err := a.detail(c, args[0])
			if err != nil {
				return err
			}
			if a.json {
				return printEach(a, detail.Sources)
			}
			if len(detail.Sources) == 0 {
				a.printf("It has no sources now.\n")
				return nil
			}
			t := a.table("KIND", "NAME", "PATH", "RATE", "RECEIVED", "SENT", "WASTED", "STATE")
			for _, s := range detail.Sources {
				t.row(quote(s.Kind), quote(s.Name), orDash(string(s.Path)), progress.Rate(s.Rate), progress.Bytes(s.Received),
					progress.Bytes(s.Sent), progress.Bytes(s.Wasted), quote(s.State))
			}
			return t.Flush()
		},
	}
}

func (a *app) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "watch",
		Short: "Show downloads as they go on, until interrupted",
		Long: `watch shows every download and what changes. On a terminal the lines are redrawn in
place, with a bar whose two colours are the shares of edge and peers; set NO_COLOR for
letters instead. With --json it prints the service's events.`,
		Example: "  tributaryctl watch\n  tributaryctl watch --json",
		Args:    takes(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			show := a.newView()
			defer show.close()
			for event, err := range a.client.Watch(c.Context()) {
				if err != nil {
					return err
				}
				switch {
				case a.json:
					if err := a.printJSON(event); err != nil {
						return err
					}
				case event.Download != nil:
					show.update(*event.Download)
				case event.Removed != "":
					show.remove(event.Removed)
				}
			}
			return nil // whoever interrupts a watch has what they wanted
		},
	}
}

// table aligns columns. What is put into it must be harmless to a terminal.
type table struct{ *tabwriter.Writer }

func (a *app) table(heads ...string) table {
	t := table{tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)}
	if len(heads) > 0 {
		t.row(heads...)
	}
	return t
}

func (t table) row(cells ...string) {
	for i, cell := range cells {
		if i > 0 {
			fmt.Fprint(t, "\t")
		}
		fmt.Fprint(t, cell)
	}
	fmt.Fprintln(t)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return quote(text)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func printEach[T any](a *app, list []T) error {
	for _, v := range list {
		if err := a.printJSON(v); err != nil {
			return err
		}
	}
	return nil
}

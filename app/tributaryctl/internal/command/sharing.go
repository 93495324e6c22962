package command

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/app/tributaryctl/internal/progress"
	"github.com/tributary-dl/tributary/engine/api"
)

func (a *app) sharingCommand() *cobra.Command {
	positions := []string{string(api.SharingOff), string(api.SharingLAN), string(api.SharingOn)}
	c := &cobra.Command{
		Use:   "sharing [off | lan | on]",
		Short: "Show or change whether finished pieces are sent to peers",
		Long: `sharing says whether this computer sends pieces of what it has downloaded to other
people who download the same. off: no byte leaves. lan: only within the local network.
on: to any peer. Downloads are not slower without it.`,
		Example:   "  tributaryctl sharing\n  tributaryctl sharing lan",
		ValidArgs: positions,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 && !slices.Contains(positions, args[0]) {
				return usagef("sharing is one of %s; %q is not", strings.Join(positions, ", "), args[0])
			}
			return takes(0, 1)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				position := api.Sharing(args[0])
				if _, err := a.client.SetSettings(c.Context(), api.SettingsPatch{Sharing: &position}); err != nil {
					return err
				}
			}
			s, err := a.client.Sharing(c.Context())
			if err != nil {
				return err
			}
			return a.printSharing(s)
		},
	}
	c.AddCommand(a.stopCommand("forget OBJECT...", "Stop offering objects to peers; the files stay"))
	return c
}

func (a *app) printSharing(s api.SharingStatus) error {
	if a.json {
		return a.printJSON(s)
	}
	t := a.table()
	t.row("sharing", position(s))
	t.row("sent today", progress.Bytes(s.Today))
	t.row("this week", progress.Bytes(s.Week))
	t.row("this month", progress.Bytes(s.Month))
	t.row("now", progress.Rate(s.Rate))
	t.row("held for peers", progress.Bytes(s.HeldBytes)+" in "+progress.Count(s.HeldObjects, "object"))
	return t.Flush()
}

// position is the user's choice and, if it rests, why.
func position(s api.SharingStatus) string {
	if s.PausedWhy == "" {
		return string(s.Sharing)
	}
	return string(s.Sharing) + ", but resting: " + quote(s.PausedWhy)
}

func (a *app) ledgerCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ledger",
		Short:   "Show every byte that was sent to peers, by day and object",
		Example: "  tributaryctl ledger\n  tributaryctl ledger --json",
		Args:    takes(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.client.Sharing(c.Context())
			if err != nil {
				return err
			}
			if a.json {
				return printEach(a, s.Ledger)
			}
			if len(s.Ledger) == 0 {
				a.printf("Nothing has been sent to peers.\n")
				return nil
			}
			t := a.table("DAY", "SENT", "PEERS", "NAME", "PUBLISHER")
			for _, e := range s.Ledger {
				t.row(e.Day, progress.Bytes(e.Bytes), strconv.Itoa(e.Peers), quote(e.Name), orDash(e.Publisher))
			}
			return t.Flush()
		},
	}
}

package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/app/tributaryctl/internal/progress"
	"github.com/tributary-dl/tributary/engine/api"
)

func (a *app) heldCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "held",
		Short: "Show which files on disk peers can be given",
		Long: `held lists the finished files on this computer that peers can be given. They are the
files that you downloaded: there is no second copy of them.`,
		Example: "  tributaryctl held\n  tributaryctl held delete 91c7",
		Args:    takes(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			held, err := a.client.Held(c.Context())
			if err != nil {
				return err
			}
			return a.printHeld(held)
		},
	}
	c.AddCommand(&cobra.Command{
		Use:   "stop OBJECT...",
		Short: "Stop giving files to peers; the files stay",
		Long: `stop ends the offer of each object, named by its ID in "tributaryctl held" or the beginning
of it. Your files stay where they are.`,
		Args: takes(1, -1),
		RunE: func(c *cobra.Command, ids []string) error {
			return a.eachHeld(c, ids, "no longer offered to peers", func(h api.Held) error { return a.client.StopSharing(c.Context(), h.ContentID) })
		},
	}, &cobra.Command{
		Use:   "delete OBJECT...",
		Short: "Delete downloaded files from the disk, and stop giving them",
		Long: `delete removes each file from the disk, named by its ID in "tributaryctl held" or the
beginning of it. It is the very file that you downloaded. To keep it and only stop
giving it to peers, use "tributaryctl held stop".`,
		Example: "  tributaryctl held delete 91c7",
		Args:    takes(1, -1),
		RunE: func(c *cobra.Command, ids []string) error {
			return a.eachHeld(c, ids, "deleted from the disk", func(h api.Held) error { return a.client.Remove(c.Context(), h.Download, true) })
		},
	})
	return c
}

// eachHeld does something with each of the objects that ids name; nothing is done unless all of them exist.
func (a *app) eachHeld(c *cobra.Command, ids []string, what string, do func(api.Held) error) error {
	held, err := a.client.Held(c.Context())
	if err != nil {
		return err
	}
	var chosen []api.Held
	for _, id := range ids {
		h, err := findHeld(held, id)
		if err != nil {
			return err
		}
		chosen = append(chosen, h)
	}
	for _, h := range chosen {
		if err := do(h); err != nil {
			return err
		}
		if a.json {
			if err := a.printJSON(done{ID: h.ContentID, Done: what}); err != nil {
				return err
			}
			continue
		}
		a.printf("%s (%s) is %s\n", quote(h.Name), progress.Bytes(h.Bytes), what)
	}
	return nil
}

func findHeld(held []api.Held, id string) (found api.Held, err error) {
	for _, h := range held {
		if id == "" || !strings.HasPrefix(h.ContentID, strings.ToLower(id)) {
			continue
		}
		if found.ContentID != "" && found.ContentID != h.ContentID {
			return found, usagef("%q is the beginning of several objects; give more of it", id)
		}
		found = h
	}
	if found.ContentID == "" {
		return found, fmt.Errorf("no object %q is held", id)
	}
	return found, nil
}

// shortObject is how much of a content ID people are shown: more than enough to name one.
const shortObject = 12

func (a *app) printHeld(held []api.Held) error {
	if a.json {
		return printEach(a, held)
	}
	if len(held) == 0 {
		a.printf("No file is held for peers.\n")
		return nil
	}
	t := a.table("OBJECT", "SIZE", "GIVEN", "LAST GIVEN", "OFFERED", "NAME")
	for _, h := range held {
		offered := "no"
		if h.Shared {
			offered = "yes"
		}
		t.row(h.ContentID[:min(len(h.ContentID), shortObject)], progress.Bytes(h.Bytes), progress.Bytes(h.Sent), orDash(h.LastSent), offered, quote(h.Name))
	}
	return t.Flush()
}

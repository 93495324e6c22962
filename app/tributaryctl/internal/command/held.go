package command

import (
	"context"
	"fmt"
	"slices"
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
files that you downloaded: there is no second copy of them. Files with the same bytes are one
object, and GIVEN is how much of it peers were sent.`,
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
	c.AddCommand(a.stopCommand("stop OBJECT...", "Stop giving files to peers; the files stay"), &cobra.Command{
		Use:   "delete OBJECT...",
		Short: "Delete downloaded files from the disk, and stop giving them",
		Long: `delete removes the files of each object from the disk, named by its ID in "tributaryctl held"
or the beginning of it. They are the very files that you downloaded; all files of an object
go. To keep them and only stop giving them to peers, use "tributaryctl held stop".`,
		Example: "  tributaryctl held delete 91c7",
		Args:    takes(1, -1),
		RunE: func(c *cobra.Command, ids []string) error {
			held, err := a.client.Held(c.Context())
			if err != nil {
				return err
			}
			return a.eachObject(held, ids, "deleted from the disk", func(o object) error {
				for _, h := range o.files {
					if err := a.client.Remove(c.Context(), h.Download, true); err != nil {
						return err
					}
				}
				return nil
			})
		},
	})
	return c
}

// stopCommand ends the offer of objects; it has two names, "held stop" and "sharing forget".
func (a *app) stopCommand(use, short string) *cobra.Command {
	name, _, _ := strings.Cut(use, " ")
	return &cobra.Command{
		Use:   use,
		Short: short,
		Long: name + ` ends the offer of each object, named by its ID in "tributaryctl held" or "tributaryctl
show", or the beginning of it. Your files stay where they are. There is no way back but to
download the object once more: to let all sharing rest for a while, use "tributaryctl sharing
off".`,
		Args: takes(1, -1),
		RunE: func(c *cobra.Command, ids []string) error {
			offered, err := a.offered(c.Context())
			if err != nil {
				return err
			}
			return a.eachObject(offered, ids, "no longer offered to peers", func(o object) error { return a.client.StopSharing(c.Context(), o.contentID()) })
		},
	}
}

// offered lists what peers can be given: files that are held, and downloads that are not finished.
func (a *app) offered(ctx context.Context) ([]api.Held, error) {
	list, err := a.client.Held(ctx)
	if err != nil {
		return nil, err
	}
	downloads, err := a.client.Downloads(ctx)
	for _, d := range downloads {
		if d.ContentID != "" && d.State != api.StateComplete {
			list = append(list, api.Held{Download: d.ID, ContentID: d.ContentID, Name: nameOf(d), Bytes: d.TotalBytes})
		}
	}
	return list, err
}

// object is what peers know, with the files on this disk that have its bytes: at least one.
type object struct{ files []api.Held }

func (o object) contentID() string { return o.files[0].ContentID }

func (o object) names() string {
	var names []string
	for _, h := range o.files {
		names = append(names, h.Name)
	}
	return strings.Join(names, ", ")
}

// objects puts the files of each object together, in the order of the first ones.
func objects(held []api.Held) (list []object) {
	for _, h := range held {
		i := slices.IndexFunc(list, func(o object) bool { return o.contentID() == h.ContentID })
		if i < 0 {
			list = append(list, object{[]api.Held{h}})
			continue
		}
		list[i].files = append(list[i].files, h)
	}
	return list
}

// eachObject does something with each of the objects that ids name; nothing is done unless all of them exist.
func (a *app) eachObject(held []api.Held, ids []string, what string, do func(object) error) error {
	var chosen []object
	for _, id := range ids {
		o, err := findObject(objects(held), id)
		if err != nil {
			return err
		}
		chosen = append(chosen, o)
	}
	for _, o := range chosen {
		if err := do(o); err != nil {
			return err
		}
		if a.json {
			if err := a.printJSON(done{ID: o.contentID(), Done: what}); err != nil {
				return err
			}
			continue
		}
		a.printf("%s (%s) is %s\n", quote(o.names()), progress.Bytes(o.files[0].Bytes), what)
	}
	return nil
}

func findObject(list []object, id string) (found object, err error) {
	for _, o := range list {
		if id == "" || !strings.HasPrefix(o.contentID(), strings.ToLower(id)) {
			continue
		}
		if found.files != nil {
			return found, usagef("%q is the beginning of several objects; give more of it", id)
		}
		found = o
	}
	if found.files == nil {
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
	for _, o := range objects(held) {
		for i, h := range o.files {
			offered := "no"
			if h.Shared {
				offered = "yes"
			}
			if i > 0 { // what is known of the object has been said
				t.row("", "", "", "", offered, quote(h.Name))
				continue
			}
			t.row(h.ContentID[:min(len(h.ContentID), shortObject)], progress.Bytes(h.Bytes), progress.Bytes(h.Sent), orDash(h.LastSent), offered, quote(h.Name))
		}
	}
	return t.Flush()
}

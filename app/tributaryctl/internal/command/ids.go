package command

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/app/tributaryctl/internal/progress"
	"github.com/tributary-dl/tributary/engine/api"
)

func nameOf(d api.Download) string { return progress.Name(d) }

// find returns the download whose ID is word, or begins with it if only one does.
func find(all []api.Download, word string) (api.Download, error) {
	var found []api.Download
	for _, d := range all {
		if d.ID == word {
			return d, nil
		}
		if word != "" && strings.HasPrefix(d.ID, word) {
			found = append(found, d)
		}
	}
	switch len(found) {
	case 0:
		return api.Download{}, &api.Error{Code: api.ErrNotFound, Message: "there is no download " + word}
	case 1:
		return found[0], nil
	}
	return api.Download{}, &api.Error{Code: api.ErrInvalid, Message: "several downloads begin with " + word + "; give more of the ID"}
}

// resolve is find among the service's downloads.
func (a *app) resolve(ctx context.Context, word string) (api.Download, error) {
	all, err := a.client.Downloads(ctx)
	if err != nil {
		return api.Download{}, err
	}
	return find(all, word)
}

// completeIDs offers the IDs of downloads to the shell, with their names.
func (a *app) completeIDs(c *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	if a.connect() != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	all, err := a.client.Downloads(c.Context())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var ids []string
	for _, d := range all {
		if strings.HasPrefix(d.ID, begun) {
			ids = append(ids, d.ID+"\t"+quote(nameOf(d)))
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

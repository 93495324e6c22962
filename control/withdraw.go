package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/control/internal/publish"
)

func newWithdraw() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "withdraw --data DIR NAME...",
		Short: "End the offer of files",
		Long: `Stop offering files, each named as it was published, or by its object's ID as
list shows it, which may also be one that was replaced. If one of them is not
there, none is withdrawn.

The server may be running. From now on it answers 410 (Gone) for their URLs, and
gives no device a grant: nobody finds peers any more, and who has some loses them
within an hour. What is being sent at the moment is finished. Copies that people
have already stay theirs.

The copy of the content in DIR is deleted. The file that was published is not
touched; to publish it again offers it again. Accounts stay.`,
		Example: `  tributary-control withdraw --data /srv/tributary image.iso
  tributary-control withdraw --data /srv/tributary 3f8c06a1b2d4`,
		Args: usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			objects, err := findObjects(data, names)
			if err != nil {
				return err
			}
			for _, o := range objects {
				if err := publish.Withdraw(data, o); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is offered no more.\n", o.URL())
			}
			return nil
		},
	}
	dataFlag(cmd, &data)
	return cmd
}

func findObjects(data string, names []string) ([]publish.Object, error) {
	store := publish.Open(data)
	var objects []publish.Object
	for _, name := range names {
		o, err := store.Find(name)
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

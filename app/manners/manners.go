// Package manners is what all our command lines do alike where cobra is lenient: each tells its version by a command and
// by a flag, and asking for help on what does not exist, or for the completion of an unknown shell, is a slip like any
// other. It must never know what a program is for.
package manners

import (
	"fmt"

	"github.com/spf13/cobra"
)

// Refuse turns a slip on the command line into the program's own kind of error, which has its own exit code.
type Refuse func(error) error

// Teach completes a root command; its own commands have been added.
func Teach(root *cobra.Command, version string, refuse Refuse) {
	root.Version = version
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.AddCommand(versionCommand(refuse))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Run, c.RunE, c.PersistentPreRunE = nil, help(refuse), unprepared
		case "completion":
			c.PersistentPreRunE = unprepared
			c.Args = func(_ *cobra.Command, words []string) error {
				if len(words) > 0 {
					return refuse(fmt.Errorf("there is no completion for %q; there are %s", words[0], names(c)))
				}
				return nil
			}
			c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
			for _, shell := range c.Commands() {
				shell.Args, shell.RunE = nothing(refuse), complete
			}
		}
	}
}

func versionCommand(refuse Refuse) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: nothing(refuse), PersistentPreRunE: unprepared,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s %s\n", c.Root().Name(), c.Root().Version)
			return err
		},
	}
}

// unprepared stands in for what the program's other commands prepare.
func unprepared(*cobra.Command, []string) error { return nil }

func nothing(refuse Refuse) cobra.PositionalArgs {
	return func(c *cobra.Command, words []string) error {
		if len(words) > 0 {
			return refuse(fmt.Errorf("%s does not know %q", c.CommandPath(), words[0]))
		}
		return nil
	}
}

// help shows the help of the command that the words name, all of them.
func help(refuse Refuse) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, words []string) error {
		about, left, err := c.Root().Find(words)
		if err != nil {
			return refuse(err)
		}
		if len(left) > 0 {
			return refuse(fmt.Errorf("there is no command %q to help with", about.CommandPath()+" "+left[0]))
		}
		about.InitDefaultHelpFlag()
		about.InitDefaultVersionFlag()
		return about.Help()
	}
}

// complete prints the script of the shell that the command is named after. cobra's own prints to where root wrote when the
// command was made.
func complete(c *cobra.Command, _ []string) error {
	bare, err := c.Flags().GetBool("no-descriptions")
	if err != nil {
		return err
	}
	root, out := c.Root(), c.OutOrStdout()
	switch {
	case c.Name() == "bash":
		return root.GenBashCompletionV2(out, !bare)
	case c.Name() == "zsh" && bare:
		return root.GenZshCompletionNoDesc(out)
	case c.Name() == "zsh":
		return root.GenZshCompletion(out)
	case c.Name() == "fish":
		return root.GenFishCompletion(out, !bare)
	case bare:
		return root.GenPowerShellCompletion(out)
	}
	return root.GenPowerShellCompletionWithDesc(out)
}

// names lists what is below a command.
func names(c *cobra.Command) (list string) {
	for _, child := range c.Commands() {
		if list != "" {
			list += ", "
		}
		list += child.Name()
	}
	return list
}

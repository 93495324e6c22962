// Command tributary-control is a control plane and an edge in one program: it serves files to everybody
// over HTTPS, and lets services of Tributary find each other so that most bytes need not come from here.
// It only reads the command line; the work is done below internal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/app/config"
	"github.com/tributary-dl/tributary/app/manners"
)

// Exit codes; scripts rely on them.
const (
	exitDone  = 0
	exitError = 1
	exitUsage = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with its surroundings passed in.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "tributary-control:", err)
	if _, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintln(stderr, "Run with --help for usage.")
		return exitUsage
	}
	return exitError
}

// usageError is a mistake on the command line.
type usageError struct{ error }

func usage(err error) error { return usageError{err} }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "tributary-control",
		Short: "Serve files, and let their readers help each other",
		Long: `tributary-control is a small control plane with an edge: one program and one
directory. The edge serves published files over HTTPS to any client. Services of
Tributary also log in, and are introduced to each other, so that most bytes come
from peers while the edge fills the gaps.

Exit status: 0 if all went well, 1 after an error, 2 for a wrong command line.`,
		Example: `  tributary-control serve --data /srv/tributary --listen :443 --advertise dl.example.com
  tributary-control publish --data /srv/tributary image.iso
  tributary-control report --data /srv/tributary --format csv`,
		SilenceUsage: true, SilenceErrors: true,
		Args: usageArgs(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.AddCommand(newServe(), newPublish(), newWithdraw(), newList(), newReport(), newKeys())
	manners.Teach(root, config.Version(), usage)
	return root
}

// usageArgs makes a complaint about the arguments one about usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}

// dataFlag declares --data, which every command needs.
func dataFlag(cmd *cobra.Command, data *string) {
	cmd.Flags().StringVar(data, "data", "", "directory of keys, content and accounts (required)")
	_ = cmd.MarkFlagDirname("data") // its only error is that there is no such flag
	cmd.PreRunE = func(*cobra.Command, []string) error {
		if *data == "" {
			return usageError{errors.New("--data is required")}
		}
		return nil
	}
}

// Package command is the command line of tributaryctl: it parses words, calls the local API and prints
// answers, for people or, with --json, for programs. It must never touch the engine's files, and keeps no
// state between calls.
package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/app/config"
	"github.com/tributary-dl/tributary/app/config/places"
	"github.com/tributary-dl/tributary/app/manners"
	"github.com/tributary-dl/tributary/app/manual"
	"github.com/tributary-dl/tributary/app/tributaryctl/internal/progress"
	"github.com/tributary-dl/tributary/engine/client"
)

// Exit codes are a contract with scripts and never change.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitUnreachable = 3
	ExitInterrupted = 130 // what a shell says of a program that Ctrl-C has ended
)

// ErrNoTerminal says that nobody can be asked for a secret.
var ErrNoTerminal = errors.New("there is no terminal to ask on")

// Terminal is what the program is connected to.
type Terminal struct {
	In       io.Reader
	Out, Err io.Writer
	// Size returns the terminal's columns and lines; not ok: Out is a file or a pipe.
	Size func() (width, height int, ok bool)
	// Colour says whether the user wants colours (see no-color.org).
	Colour bool
	// AskSecret reads a line without showing it, or returns ErrNoTerminal.
	AskSecret func(prompt string) (string, error)
}

// Main runs one command and returns its exit code.
func Main(ctx context.Context, args []string, terminal Terminal) int {
	a := &app{Terminal: terminal}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(terminal.In)
	root.SetOut(terminal.Out)
	root.SetErr(terminal.Err)
	executed, err := root.ExecuteContextC(ctx)
	return a.report(executed, err)
}

// report tells the user of err, if that has not happened yet, and returns the exit code that belongs to it.
func (a *app) report(executed *cobra.Command, err error) int {
	if err == nil {
		return ExitDone
	}
	interrupted := errors.Is(err, errInterrupted) || errors.Is(err, context.Canceled)
	for _, e := range each(err) {
		if !errors.Is(e, errTold) && !errors.Is(e, errInterrupted) && !errors.Is(e, context.Canceled) {
			fmt.Fprintf(a.Err, "tributaryctl: %s\n", progress.Clean(e.Error()))
		}
	}
	_, slip := errors.AsType[*usageError](err)
	switch {
	case interrupted:
		return ExitInterrupted
	case errors.Is(err, errTold):
		return ExitFailed
	case errors.Is(err, client.ErrUnreachable):
		return ExitUnreachable
	case slip:
		fmt.Fprintf(a.Err, "Try \"%s --help\".\n", executed.CommandPath())
		return ExitUsage
	}
	return ExitFailed
}

// each returns the errors that were joined, so that each gets a line of its own.
func each(err error) (list []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, e := range joined.Unwrap() {
		list = append(list, each(e)...)
	}
	return list
}

// errTold marks a failure that the user has already read about.
var errTold = errors.New("told")

// errInterrupted marks that the user, who knows it, ended the command before it was done.
var errInterrupted = errors.New("interrupted")

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (u *usageError) Unwrap() error { return u.error }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

func usage(err error) error { return &usageError{err} }

// takes returns a check for between least and most arguments; most < 0: any number.
func takes(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return usagef("it is \"%s %s\"", c.Parent().CommandPath(), c.Use)
		}
		return nil
	}
}

// app is one run of the program.
type app struct {
	Terminal
	socket string
	json   bool
	client *client.Client
	agent  *client.Agent
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "tributaryctl",
		Short: "Steer the Tributary download service",
		Long: `tributaryctl adds downloads to the Tributary service of this user, shows them and
changes settings. The service, tributaryd, must be running.

A download is named by its ID, or by the beginning of it if no other ID begins so.
Sizes and rates are written as 500K, 10M or 1.5G (powers of 1000), or 512Ki, 10Mi
(powers of 1024). With --json every command prints one JSON object a line.

Exit codes:
    0  done
    1  failed; the reason is on standard error
    2  the command line makes no sense; nothing was changed
    3  the service cannot be reached
  130  interrupted; a download that was waited for goes on`,
		Example: `  tributaryctl add https://example.org/debian.iso --wait
  tributaryctl list
  tributaryctl limits --down 10M
  tributaryctl sharing lan`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if err := a.connect(); err != nil {
				return err
			}
			if c.HasParent() {
				a.errands(c.Context())
			}
			return nil
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.PersistentFlags().StringVar(&a.socket, "socket", "", "the service's `PATH` (default: this user's service)")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON, one object a line")
	root.AddCommand(
		a.addCommand(), a.probeCommand(), a.listCommand(), a.showCommand(), a.watchCommand(),
		a.pauseCommand(), a.resumeCommand(), a.cancelCommand(), a.removeCommand(), a.moveCommand(),
		a.peersCommand(), a.limitsCommand(), a.sharingCommand(), a.heldCommand(), a.ledgerCommand(), a.policyCommand(),
		a.settingsCommand(), a.statusCommand(), a.doctorCommand(), a.diagnosticsCommand(),
		manual.Command(manual.Page{Section: 1, Version: config.Version(), SeeAlso: []string{"tributaryd(8)"}}),
	)
	manners.Teach(root, config.Version(), usage)
	return root
}

// noSuchCommand refuses whatever is left for a command that only holds others.
func noSuchCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2 // letters that may be wrong
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("there is no command %q; did you mean %q?", args[0], near[0])
	}
	return usagef("there is no command %q", args[0])
}

// connect fills in the client. It does not dial: a command without a call needs no service.
func (a *app) connect() error {
	machine := ""
	if a.socket == "" {
		at, err := places.Default()
		if err != nil {
			return fmt.Errorf("find the service (give --socket): %w", err)
		}
		a.socket, machine = at.Socket, places.MachineSocket()
	}
	a.client = &client.Client{Socket: a.socket, Else: machine}
	a.agent = &client.Agent{Client: a.client, Log: slog.New(slog.DiscardHandler)}
	return nil
}

// errandTime bounds how long a command is held up by what its user's other downloads wait for.
const errandTime = 5 * time.Second

// errands does what a service for the whole machine waits for this user to do. What cannot be done shows in the state
// of its download.
func (a *app) errands(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, errandTime)
	defer cancel()
	_ = a.agent.Once(ctx) // see above
}

// group returns a command that only holds others.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: noSuchCommand,
		RunE: func(c *cobra.Command, _ []string) error {
			return usagef("%s needs one of its commands", c.Name())
		},
	}
	c.AddCommand(children...)
	return c
}

// printJSON prints v on a line of its own.
func (a *app) printJSON(v any) error { return json.NewEncoder(a.Out).Encode(v) }

func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.Out, format, args...) }

// quote makes text from the network harmless to the terminal.
func quote(text string) string { return progress.Clean(text) }

// Package command is the command line of tributaryd: it turns words into a configuration and hands it to
// app/daemon, or to app/service. It must never open anything of the engine's itself.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tributary-dl/tributary/app/config"
	"github.com/tributary-dl/tributary/app/daemon"
	"github.com/tributary-dl/tributary/app/manners"
	"github.com/tributary-dl/tributary/app/manual"
	"github.com/tributary-dl/tributary/app/policy"
	"github.com/tributary-dl/tributary/app/service"
)

// Streams are what the program writes to.
type Streams struct {
	Out, Err io.Writer
	Watched  bool // a person sees Err
}

// Main runs one command and returns its exit code: those of app/service.
func Main(ctx context.Context, args []string, streams Streams) int {
	root := newRoot(streams)
	root.SetArgs(args)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	executed, err := root.ExecuteContextC(ctx)
	if err == nil {
		return service.ExitDone
	}
	if !errors.Is(err, service.ErrNotRunning) { // the answer of status, which has been printed
		fmt.Fprintf(streams.Err, "tributaryd: %v\n", err)
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		fmt.Fprintf(streams.Err, "Try \"%s --help\".\n", executed.CommandPath())
		return service.ExitUsage
	}
	if _, ok := errors.AsType[*policy.FaultError](err); ok {
		return ExitPolicy
	}
	return service.ExitCode(err)
}

// ExitPolicy is the exit code of a service that does not start because the administrator's policy is malformed: EX_CONFIG
// of sysexits.h. Service managers need not try again before somebody has mended it.
const ExitPolicy = 78

// usageError is a command line that makes no sense.
type usageError struct{ error }

func usage(err error) error { return &usageError{err} }

func (u *usageError) Unwrap() error { return u.error }

// noArguments refuses words after a command; on a command that only holds others, the word is a slip.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &usageError{fmt.Errorf("%s does not know %q", c.CommandPath(), args[0])}
	}
	return nil
}

func newRoot(streams Streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "tributaryd",
		Short: "Tributary's background service",
		Long: `tributaryd downloads from servers and from other people's computers at once, checks
every piece, and goes on after a restart. Steer it with tributaryctl.

Exit codes: 0 done, 1 error, 2 usage, 3 not running, 4 not installed, 77 needs
administrator rights, 78 the administrator's policy is malformed.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArguments,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	root.AddCommand(runCommand(streams), serviceCommand(streams),
		manual.Command(manual.Page{Section: 8, Version: config.Version(), SeeAlso: []string{"tributaryctl(1)"}}))
	manners.Teach(root, config.Version(), usage)
	return root
}

func runCommand(streams Streams) *cobra.Command {
	var flags config.Flags
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the service until it is told to stop",
		Long: `run is the service itself. It prints {"socket":PATH} when it answers, and stops
cleanly on SIGTERM and SIGINT. A second one with the same data folder or socket refuses
to start.

With --machine it works for every user of this machine: each sees and steers their own
downloads; settings are for administrators, which are root and the members of the group
tributary-admin. It needs no right to any user's folder: their programs open the files
and hand them over. State is then in $STATE_DIRECTORY or /var/lib/tributary, the socket
in $RUNTIME_DIRECTORY or /run/tributary.

An administrator's policy (/etc/tributary/policy.d/*.json on Linux; the registry of Windows and
managed preferences of macOS) holds against the user. A malformed one refuses the start with
exit code 78 and the file, line and column at fault. While the service runs, it is read again
when it changes and at SIGHUP; a malformed one then changes nothing, and the last good one
holds.`,
		Example: `  tributaryd run
  tributaryd run --machine
  tributaryd run --data /srv/tributary --socket /run/tributary/d.sock`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			checked, err := flags.Check()
			if err != nil {
				return &usageError{err}
			}
			configured := daemon.Config{Daemon: checked}
			if streams.Watched || checked.LogLevel <= slog.LevelDebug {
				configured.Console = streams.Err
			}
			return service.Run(c.Context(), streams.Out, func(ctx context.Context, ready io.Writer) error {
				configured.Ready = ready
				return daemon.Run(ctx, configured)
			})
		},
	}
	addRunFlags(c.Flags(), &flags)
	return c
}

// addRunFlags declares the flags of `run`, which `service install` takes as well.
func addRunFlags(f *pflag.FlagSet, flags *config.Flags) {
	f.BoolVar(&flags.Machine, "machine", false, "work for every user of this machine, each with their own downloads")
	f.StringVar(&flags.Data, "data", "", "`FOLDER` for state (default: this user's, or the machine's)")
	f.StringVar(&flags.Socket, "socket", "", "`PATH` of the local API's socket (default: this user's, or the machine's)")
	f.StringVar(&flags.CA, "ca", "", "trust the certificates in this PEM `FILE` beside the system's")
	f.StringVar(&flags.Control, "control", "", "`URL` of the control plane (default: what each manifest says)")
	f.StringArrayVar(&flags.Policies, "policy", nil, "a `FILE` or folder of policies beside those of the system; may be repeated")
	f.StringVar(&flags.ListenPeers, "listen-peers", "", "`ADDR:PORT` for peers (default: any port on all addresses)")
	f.StringVar(&flags.LogLevel, "log-level", "", "`LEVEL`: debug, info, warn or error (default info)")
	f.StringVar(&flags.LogFile, "log-file", "", "`FILE` of the log")
	f.BoolVar(&flags.AllowLoopbackPeers, "allow-loopback-peers", false, "take peers on this machine for real ones")
	_ = f.MarkHidden("allow-loopback-peers") // for demonstrations and tests; it exists, so this cannot fail
}

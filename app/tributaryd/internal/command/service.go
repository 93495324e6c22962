package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/app/config"
	"github.com/tributary-dl/tributary/app/config/places"
	"github.com/tributary-dl/tributary/app/policy"
	"github.com/tributary-dl/tributary/app/service"
)

// serviceFlags are the words that every `service` command takes.
type serviceFlags struct {
	user bool
	json bool
}

func serviceCommand(streams Streams) *cobra.Command {
	var flags serviceFlags
	c := &cobra.Command{
		Use:   "service",
		Short: "Install, start and stop the service at the system's service manager",
		Long: `service registers tributaryd with systemd, launchd or the Windows service manager,
for every user of the machine or, with --user, for this user alone. Every command may be
repeated: what is so already is no error, and what an attempt left half done is mended.
Nothing is ever asked. A service that a package has installed is left to the package.

status says running, starting, stopping, stopped, failed or not installed; only running
is exit code 0.

Exit codes: 0 done or so already, 1 error, 2 usage, 3 not running, 4 not installed,
77 needs administrator rights.`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			return &usageError{fmt.Errorf("service needs one of install, uninstall, start, stop, restart, status")}
		},
	}
	c.PersistentPreRunE = func(*cobra.Command, []string) error {
		if !flags.user {
			return nil
		}
		return service.FindSession()
	}
	c.PersistentFlags().BoolVar(&flags.user, "user", false, "the service of this user alone")
	c.PersistentFlags().BoolVar(&flags.json, "json", false, "print the state as JSON")

	var run config.Flags
	install := actionCommand(streams, &flags, "install", "Register the service; it starts at the next boot or login, or with start",
		func() ([]string, error) { return runArguments(run, flags.user) }, (*service.Manager).Install)
	addRunFlags(install.Flags(), &run)
	none := func() ([]string, error) { return nil, nil }
	c.AddCommand(install,
		actionCommand(streams, &flags, "uninstall", "Stop the service and remove it; state and downloads stay", none, (*service.Manager).Uninstall),
		actionCommand(streams, &flags, "start", "Start the service", none, (*service.Manager).Start),
		actionCommand(streams, &flags, "stop", "Stop the service", none, (*service.Manager).Stop),
		actionCommand(streams, &flags, "restart", "Stop the service and start it again", none, (*service.Manager).Restart),
		statusCommand(streams, &flags),
	)
	return c
}

// runArguments returns the arguments of the installed service. Those of a user's service name its places in full: at login
// the service would find others than the user who installs it and runs tributaryctl. The system's service is one for
// every user of the machine.
func runArguments(flags config.Flags, user bool) ([]string, error) {
	flags.Machine = flags.Machine || !user
	if user && flags.Machine {
		return nil, &usageError{errors.New("--machine and --user contradict each other")}
	}
	if runtime.GOOS != "windows" && !user && flags.Data+flags.Socket+flags.LogFile != "" {
		return nil, &usageError{fmt.Errorf("the system's service keeps its state in %s; --data, --socket and --log-file are for --user", places.Machine().Data)}
	}
	checked, err := flags.Check()
	if err != nil {
		return nil, &usageError{err}
	}
	// A service that could not start is not installed.
	if _, err := (&policy.Reader{Paths: checked.Policies, System: true}).Load(); err != nil {
		return nil, fmt.Errorf("read the administrator's policy: %w", err)
	}
	return append([]string{"run"}, checked.Arguments(flags)...), nil
}

func actionCommand(streams Streams, flags *serviceFlags, verb, short string, arguments func() ([]string, error), act func(*service.Manager) error) *cobra.Command {
	return &cobra.Command{
		Use:   verb,
		Short: short,
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			words, err := arguments()
			if err != nil {
				return err
			}
			m, err := service.NewManager(service.Options{User: flags.user, Arguments: words})
			if err != nil {
				return err
			}
			if err := act(m); err != nil {
				return err
			}
			_, err = printState(streams, flags.json, m)
			return err
		},
	}
}

func statusCommand(streams Streams, flags *serviceFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say whether the service runs",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			m, err := service.NewManager(service.Options{User: flags.user})
			if err != nil {
				return err
			}
			state, err := printState(streams, flags.json, m)
			switch {
			case err != nil:
				return err
			case state == service.StateNotInstalled:
				return service.ErrNotInstalled
			case state != service.StateRunning:
				return service.ErrNotRunning
			}
			return nil
		},
	}
}

// printState asks for the state and prints it.
func printState(streams Streams, asJSON bool, m *service.Manager) (service.State, error) {
	state, err := m.Status()
	if err != nil {
		return "", err
	}
	if asJSON {
		return state, json.NewEncoder(streams.Out).Encode(map[string]string{"service": service.Name, "state": string(state)})
	}
	_, err = fmt.Fprintf(streams.Out, "%s is %s\n", service.Name, state)
	return state, err
}

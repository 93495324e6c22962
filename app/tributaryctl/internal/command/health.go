package command

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/app/tributaryctl/internal/progress"
	"github.com/tributary-dl/tributary/engine/api"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Show how the service is and what it is connected to",
		Example: "  tributaryctl status",
		Args:    takes(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.client.Status(c.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(s)
			}
			t := a.table()
			t.row("version", quote(s.Version))
			t.row("running since", s.Started.Local().Format(time.DateTime))
			t.row("process", strconv.Itoa(s.PID))
			t.row("state in", quote(s.DataDir))
			t.row("sharing", position(s.Sharing))
			t.row("peers", quote(s.Peers.Listen)+", NAT: "+quote(s.Peers.NAT))
			for _, p := range s.Control {
				t.row("control plane", quote(p.URL)+", "+quote(connection(p)))
			}
			for _, p := range s.Problems {
				t.row("problem", quote(p.Title)+": "+quote(p.Text))
			}
			return t.Flush()
		},
	}
}

// connection says in a few words how it stands with a control plane. Of an error, which names every step on the way, it is
// the last part that says what happened; doctor shows the whole.
func connection(s api.ControlStatus) string {
	if s.Connected || s.Detail == notYet {
		return s.Detail
	}
	parts := strings.Split(s.Detail, ": ")
	last := parts[len(parts)-1]
	if _, reason, ok := strings.Cut(last, "reason = "); ok { // of a WebSocket that the other side closed
		last = cmp.Or(strings.Trim(reason, `"`), last)
	}
	return "not connected: " + last + "; \"tributaryctl doctor\" says more"
}

// notYet is what the service says of a control plane before the first attempt has ended.
const notYet = "not connected yet"

func (a *app) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Look for what commonly goes wrong, and say what to do",
		Long:  "doctor lets the service examine itself. It fails (exit code 1) if something is not in order.",
		Args:  takes(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			checks, err := a.client.Doctor(c.Context())
			if err != nil {
				return err
			}
			var sick error
			t := a.table()
			for _, check := range checks {
				verdict := "ok"
				if !check.OK {
					verdict, sick = "BAD", errTold
				}
				t.row(verdict, quote(check.Name), quote(check.Detail))
				if check.Remedy != "" {
					t.row("", "", quote(check.Remedy))
				}
			}
			if a.json {
				err = printEach(a, checks)
			} else {
				err = t.Flush()
			}
			if err != nil {
				return err
			}
			return sick
		},
	}
}

func (a *app) diagnosticsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "diagnostics",
		Short:   "Print the newest lines of the service's log",
		Example: "  tributaryctl diagnostics > report.txt",
		Args:    takes(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			lines, err := a.client.Diagnostics(c.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string][]string{"lines": lines})
			}
			for _, line := range lines {
				a.printf("%s\n", progress.Clean(line))
			}
			return nil
		},
	}
}

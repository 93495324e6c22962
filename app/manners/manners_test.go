package manners_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/tributary-dl/tributary/app/manners"
)

type slip struct{ error }

func TestTeach(t *testing.T) {
	tests := []struct {
		line string
		out  string // begins so
		slip string
	}{
		{"version", "ferry 1.2\n", ""},
		{"--version", "ferry 1.2\n", ""},
		{"version now", "", `ferry version does not know "now"`},
		{"help", "Carry things over", ""},
		{"help row", "Row things", ""},
		{"help fly", "", `there is no command "ferry fly" to help with`},
		{"help row wolf", "", `there is no command "ferry row wolf" to help with`},
		{"completion bash", "# bash completion V2 for ferry", ""},
		{"completion zsh", "#compdef ferry", ""},
		{"completion zsh --no-descriptions", "#compdef ferry", ""},
		{"completion fish", "# fish completion for ferry", ""},
		{"completion powershell", "# powershell completion for ferry", ""},
		{"completion", "Generate the autocompletion script", ""},
		{"completion tcsh", "", `there is no completion for "tcsh"; there are bash, fish, powershell, zsh`},
		{"completion bash now", "", `ferry completion bash does not know "now"`},
		{"__complete help r", "row\tRow things\n", ""},
	}
	for _, tt := range tests {
		prepared := false
		root := &cobra.Command{
			Use: "ferry", Short: "Carry things over", SilenceErrors: true, SilenceUsage: true,
			PersistentPreRunE: func(*cobra.Command, []string) error { prepared = true; return nil },
			Args:              func(*cobra.Command, []string) error { return nil },
			Run:               func(*cobra.Command, []string) {},
		}
		root.AddCommand(&cobra.Command{Use: "row", Short: "Row things", Run: root.Run})
		manners.Teach(root, "1.2", func(err error) error { return slip{err} })
		var out, problems bytes.Buffer
		root.SetOut(&out)
		root.SetErr(&problems)
		root.SetArgs(strings.Fields(tt.line))
		err := root.Execute()
		if tt.slip == "" {
			if err != nil || !strings.HasPrefix(out.String(), tt.out) || prepared && !strings.HasPrefix(tt.line, "__") {
				t.Errorf("%s: %v, prepared: %v, prints %q; want %q", tt.line, err, prepared, out.String(), tt.out)
			}
			continue
		}
		if _, ok := errors.AsType[slip](err); !ok || err.Error() != tt.slip || out.Len() > 0 {
			t.Errorf("%s: %v, prints %q; want %q", tt.line, err, out.String(), tt.slip)
		}
	}
}

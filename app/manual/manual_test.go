package manual

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

func TestPage(t *testing.T) {
	root := &cobra.Command{
		Use: "ferry", Short: "Carry things over", Run: func(*cobra.Command, []string) {},
		Long:    "ferry carries\nthings.\n\nExit codes:\n  0  done\n\n  1  wet\n.hidden files go, too",
		Example: `  ferry row C:\goat`,
	}
	root.PersistentFlags().Bool("dry-run", false, "do not row")
	row := &cobra.Command{Use: "row WHAT...", Short: "Row", Example: "  ferry row wolf", Run: root.Run}
	row.Flags().StringP("bank", "b", "", "the `SIDE` to row to")
	secret := &cobra.Command{Use: "secret", Short: "Unseen", Hidden: true, Run: root.Run}
	root.AddCommand(row, secret, Command(Page{Section: 1, Version: "1.2", SeeAlso: []string{"bridge(1)"}}))
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(secret)

	var out strings.Builder
	root.SetOut(&out)
	root.SetArgs([]string{"manual"})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		`.TH FERRY 1 "" "Tributary 1.2"`,
		".SH NAME", `ferry \- Carry things over`,
		".SH SYNOPSIS", ".B ferry", ".I command", "[options]",
		".SH DESCRIPTION", "ferry carries", "things.", ".PP", "Exit codes:", ".PP", ".nf", "  0  done", "", "  1  wet", ".fi", ".PP",
		`\&.hidden files go, too`,
		".SH OPTIONS", ".TP", `.B \-\-dry\-run`, `do not row`,
		".SH COMMANDS", ".SS ferry row WHAT... [flags]", "Row.", ".TP", `.B \-b, \-\-bank SIDE`, "the SIDE to row to",
		".PP", ".nf", "  ferry row wolf", ".fi",
		".SH EXAMPLES", ".PP", ".nf", `  ferry row C:\egoat`, ".fi",
		".SH SEE ALSO", "bridge(1)", "",
	}, "\n")
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("page (-want +got):\n%s", diff)
	}
}

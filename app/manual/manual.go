// Package manual writes the manual page of a program from its command line, so that the page cannot drift from what
// the program does. It must never know a command by name.
package manual

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Page is what the command line does not say of itself.
type Page struct {
	Section int // of the manual: 1 for users' programs, 8 for those of administrators
	Version string
	SeeAlso []string // like "tributaryd(8)"
}

// Command returns the hidden command "manual", which prints the page of the program that it is added to.
func Command(p Page) *cobra.Command {
	return &cobra.Command{
		Use:    "manual",
		Short:  "Print the manual page, for man",
		Hidden: true, // for those who make packages
		Args:   cobra.NoArgs,
		// Nothing of what the program's other commands prepare is needed.
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil },
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := io.WriteString(c.OutOrStdout(), p.of(c.Root()))
			return err
		},
	}
}

// of returns the page of a program in the man macros of roff (man(7)).
func (p Page) of(root *cobra.Command) string {
	var out strings.Builder
	name := root.Name()
	fmt.Fprintf(&out, ".TH %s %d \"\" %s\n", strings.ToUpper(name), p.Section, strconv.Quote("Tributary "+p.Version))
	fmt.Fprintf(&out, ".SH NAME\n%s \\- %s\n", escape(name), escape(root.Short))
	fmt.Fprintf(&out, ".SH SYNOPSIS\n.B %s\n.I command\n[options]\n", escape(name))
	out.WriteString(".SH DESCRIPTION\n")
	text(&out, root.Long)
	if root.HasAvailableLocalFlags() {
		out.WriteString(".SH OPTIONS\n")
		flags(&out, root.LocalFlags())
	}
	out.WriteString(".SH COMMANDS\n")
	commands(&out, root)
	if root.Example != "" {
		out.WriteString(".SH EXAMPLES\n")
		text(&out, root.Example)
	}
	if len(p.SeeAlso) > 0 {
		fmt.Fprintf(&out, ".SH SEE ALSO\n%s\n", escape(strings.Join(p.SeeAlso, ", ")))
	}
	return out.String()
}

// commands writes what is below a command, without what is hidden.
func commands(out *strings.Builder, parent *cobra.Command) {
	for _, c := range parent.Commands() {
		if !c.IsAvailableCommand() {
			continue
		}
		fmt.Fprintf(out, ".SS %s\n", escape(c.UseLine()))
		if c.Long != "" {
			text(out, c.Long)
		} else {
			text(out, c.Short+".")
		}
		if c.HasAvailableLocalFlags() {
			flags(out, c.LocalFlags())
		}
		if c.Example != "" {
			text(out, c.Example)
		}
		commands(out, c)
	}
}

func flags(out *strings.Builder, set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		out.WriteString(".TP\n.B ")
		if f.Shorthand != "" {
			fmt.Fprintf(out, "\\-%s, ", f.Shorthand)
		}
		fmt.Fprintf(out, "\\-\\-%s", escape(f.Name))
		if kind != "" {
			fmt.Fprintf(out, " %s", escape(kind))
		}
		fmt.Fprintf(out, "\n%s\n", escape(usage))
	})
}

// text writes paragraphs. Indented lines are shown as they stand, as in the program's own help.
func text(out *strings.Builder, s string) {
	verbatim := false
	for line := range strings.Lines(strings.Trim(s, "\n")) {
		line = strings.TrimRight(line, "\n")
		if indented := strings.HasPrefix(line, " "); indented != verbatim && line != "" {
			verbatim = indented
			if verbatim {
				out.WriteString(".PP\n.nf\n")
			} else {
				out.WriteString(".fi\n.PP\n")
			}
		}
		switch {
		case line != "":
			fmt.Fprintf(out, "%s\n", escape(line))
		case verbatim:
			out.WriteString("\n")
		default:
			out.WriteString(".PP\n")
		}
	}
	if verbatim {
		out.WriteString(".fi\n")
	}
}

// escape keeps roff from taking text for its own words.
func escape(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

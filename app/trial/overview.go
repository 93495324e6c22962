package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/tributary-dl/tributary/app/arena"
)

// overviewColumns are what an overview says of each scenario.
var overviewColumns = []string{"ours, s", "÷ limit", "offload", "of at most", "wasted", "wire +", "busy", "best rival", "rival ÷ ours", "goals"}

// overview is one table over scenarios.
type overview struct {
	Title string
	Rows  []row
}

// overviews are two tables: where peers should help, and where they bring nothing.
func (r *report) overviews() (list []overview) {
	for _, o := range []overview{{Title: "Where peers help"}, {Title: "Where peers bring nothing"}} {
		for _, outcome := range r.Outcomes {
			if outcome.Scenario.NoHelp == (len(list) == 1) {
				o.Rows = append(o.Rows, row{Name: outcome.Scenario.Name, Cells: outcome.summary()})
			}
		}
		list = append(list, o)
	}
	return slices.DeleteFunc(list, func(o overview) bool { return len(o.Rows) == 0 })
}

// summary has a cell for each of overviewColumns.
func (o *Outcome) summary() []string {
	cell := func(figure string, show func(float64) string) string {
		_, all := o.figure(arena.Ours, figure)
		return spread(all, show)
	}
	most := "–"
	if mine := o.of(arena.Ours); len(mine) > 0 {
		most = percent(mine[0].Limits.Offload)
	}
	rival, ratio := o.bestRival()
	met := 0
	for _, g := range o.Goals {
		if g.Met {
			met++
		}
	}
	return []string{cell("last_s", number), cell("time_over_limit", number), cell("offload", percent), most, cell("wasted", percent),
		cell("wire_overhead", percent), cell("processor", percent), rival, ratio, fmt.Sprintf("%d/%d", met, len(o.Goals))}
}

// bestRival returns the fastest other program that got every file, and its time in units of ours.
func (o *Outcome) bestRival() (name, ratio string) {
	mine, _ := o.figure(arena.Ours, "last_s")
	best := 0.0
	name, ratio = "–", "–"
	for _, rival := range o.names() {
		if rival == arena.Ours || rival == arena.Alone {
			continue
		}
		done, _ := o.figure(rival, "completed")
		if last, all := o.figure(rival, "last_s"); len(all) > 0 && done == 1 && (best == 0 || last < best) {
			best, name = last, rival
		}
	}
	if best > 0 && mine > 0 {
		ratio = number(best / mine)
	}
	return name, ratio
}

// printOverview ends a trial of several scenarios.
func (r *report) printOverview(w io.Writer) {
	for _, o := range r.overviews() {
		fmt.Fprintf(w, "\n%s\n", o.Title)
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(t, "\t%s\t\n", strings.Join(overviewColumns, "\t"))
		for _, line := range o.Rows {
			fmt.Fprintf(t, "%s\t%s\t\n", line.Name, strings.Join(line.Cells, "\t"))
		}
		_ = t.Flush() // a terminal that is gone is no reason to stop measuring
	}
}

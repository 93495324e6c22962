package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/tributary-dl/tributary/app/arena"
	"github.com/tributary-dl/tributary/app/scenario"
)

// report is what is written.
type report struct {
	Outcomes []Outcome `json:"outcomes"`
}

const jsonName = "results.json"

// write puts the report into a folder, in place of an older one.
func (r *report) write(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, jsonName), append(text, '\n'), 0o644)
}

func (r *report) places(folder string) string { return filepath.Join(folder, jsonName) }

// columns are the figures that everybody has.
var columns = []struct {
	name, figure string
	show         func(float64) string
}{
	{"last s", "last_s", number},
	{"÷ limit", "time_over_limit", number},
	{"offload", "offload", percent},
	{"wasted", "wasted", percent},
	{"wire +", "wire_overhead", percent},
	{"done", "completed", percent},
}

// print shows a scenario as a table.
func (o *Outcome) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s — %s\n%s\n", o.Scenario.Name, o.Scenario.Title, o.Scenario.About)
	if i := slices.IndexFunc(o.Results, func(r *arena.Result) bool { return r.Contestant == arena.Ours }); i >= 0 {
		l := o.Results[i].Limits
		fmt.Fprintf(w, "limits: %.1f s (%.1f s with headers), %.1f s from the edge alone; offload %.0f%%, %.0f%% in the shortest time\n",
			l.Time, scenario.WithHeaders(l.Time), l.EdgeOnly, 100*l.Offload, 100*l.OffloadAtTime)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "\t")
	for _, c := range columns {
		fmt.Fprintf(t, "%s\t", c.name)
	}
	fmt.Fprint(t, "cpu\truns\t\n")
	for _, name := range o.names() {
		fmt.Fprintf(t, "%s\t", name)
		runs := o.of(name)
		for _, c := range columns {
			if value, all := o.figure(name, c.figure); len(all) > 0 {
				fmt.Fprintf(t, "%s\t", c.show(value))
			} else {
				fmt.Fprint(t, "–\t")
			}
		}
		var busy []float64
		for _, r := range runs {
			busy = append(busy, r.Processor)
		}
		fmt.Fprintf(t, "%s\t%d\t\n", percent(median(busy)), len(runs))
	}
	t.Flush()
	for _, g := range o.Goals {
		fmt.Fprintf(w, "  %s\n", g)
	}
	for _, m := range o.Missing {
		fmt.Fprintf(w, "  not played: %s\n", m)
	}
	for _, r := range o.Results {
		for _, remark := range r.Remarks {
			fmt.Fprintf(w, "  %s, seed %d: %s\n", r.Contestant, r.Seed, remark)
		}
		if r.Folder != "" {
			fmt.Fprintf(w, "  kept: %s\n", r.Folder)
		}
	}
}

// String is a goal in one line.
func (g Judged) String() string {
	verdict, sign, bound := "NOT MET", "≥", 0.0
	if g.AtMost != nil {
		sign, bound = "≤", *g.AtMost
	} else {
		bound = *g.AtLeast
	}
	if g.Met {
		verdict = "met"
	}
	value := number(g.Value)
	if len(g.Runs) == 0 {
		value = "not measured"
	}
	line := fmt.Sprintf("%-8s %s %s (%s %s)", verdict, g.Figure, value, sign, number(bound))
	if g.Note != "" {
		line += ": " + g.Note
	}
	return line
}

func number(v float64) string  { return fmt.Sprintf("%.3g", v) }
func percent(v float64) string { return fmt.Sprintf("%.1f%%", 100*v) }

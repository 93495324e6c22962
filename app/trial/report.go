package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// report is what is written.
type report struct {
	Slower   float64   `json:"slower"` // so many times slower than the files say; 1 is their pace
	TCP      string    `json:"tcp"`    // congestion control of the edge and of all programs that do not choose
	Outcomes []Outcome `json:"outcomes"`
}

// conditions are what must be known about all figures.
func (r *report) conditions() string {
	var list []string
	if pace := r.pace(); pace != "" {
		list = append(list, pace)
	}
	if r.TCP != "" {
		list = append(list, "TCP's congestion control, of the edge too: "+r.TCP+".")
	}
	return strings.Join(list, " ")
}

// pace says that everything was played slower; "" if it was not.
func (r *report) pace() string {
	if r.Slower == 1 {
		return ""
	}
	return fmt.Sprintf("PLAYED %g TIMES SLOWER: rates are divided by %[1]g, arrivals and departures take %[1]g times as long. Shares and ratios of times "+
		"compare with those of the true pace; seconds do not. The programs' fixed times weigh less by as much than they do at the true pace.", r.Slower)
}

// Names of what is written.
const (
	jsonName  = "results.json"
	pageName  = "index.html"
	tableName = "results.md"
)

// write puts the report into a folder, in place of an older one.
func (r *report) write(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, jsonName), append(text, '\n'), 0o644); err != nil {
		return err
	}
	var page bytes.Buffer
	if err := r.writePage(&page); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, tableName), []byte(r.markdown()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, pageName), page.Bytes(), 0o644)
}

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
	{"busy", "processor", percent},
	{"CPU s each", "cpu_each_s", number},
	{"CPU ms/MB", "cpu_ms_per_mb", number},
}

// print shows a scenario as a table.
func (o *Outcome) print(w io.Writer, conditions string) {
	fmt.Fprintf(w, "\n%s — %s\n%s\nlimits: %s\n", o.Scenario.Name, o.Scenario.Title, o.Scenario.About, o.limits())
	if conditions != "" {
		fmt.Fprintln(w, conditions)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "\t")
	for _, c := range columns {
		fmt.Fprintf(t, "%s\t", c.name)
	}
	fmt.Fprint(t, "runs\t\n")
	for _, name := range o.names() {
		fmt.Fprintf(t, "%s\t%s\t%s\t\n", name, strings.Join(o.cells(name), "\t"), o.counted(name))
	}
	_ = t.Flush() // a terminal that is gone is no reason to stop measuring
	for _, g := range o.Goals {
		fmt.Fprintf(w, "  %-8s %s\n", g.Verdict(), g.Words())
	}
	for _, remark := range o.remarks() {
		fmt.Fprintf(w, "  %s\n", remark)
	}
}

// Verdict is one word for what became of the goal.
func (g Judged) Verdict() string {
	switch {
	case len(g.Runs) == 0:
		return "unknown"
	case g.Met:
		return "met"
	}
	return "MISSED"
}

// Words are the goal in one line.
func (g Judged) Words() string {
	if g.Note != "" {
		return g.short() + ": " + g.Note
	}
	return g.short()
}

// short is the goal with what came out.
func (g Judged) short() string {
	sign, bound := "≥", g.AtLeast
	if bound == nil {
		sign, bound = "≤", g.AtMost
	}
	if len(g.Runs) > 0 {
		return fmt.Sprintf("%s %s (%s %s)", g.Figure, spread(g.Runs, number), sign, number(*bound))
	}
	return fmt.Sprintf("%s %s %s", g.Figure, sign, number(*bound))
}

// spread is a median; if there are several values, with the least and the largest of them.
func spread(all []float64, show func(float64) string) string {
	switch len(all) {
	case 0:
		return "–"
	case 1:
		return show(all[0])
	}
	return fmt.Sprintf("%s [%s–%s]", show(median(all)), show(slices.Min(all)), show(slices.Max(all)))
}

func number(v float64) string { return fmt.Sprintf("%.3g", v) }

// percent has no "-0.0%": an edge that sent a few bytes more than the file is not below zero.
func percent(v float64) string {
	if v > -0.0005 && v < 0 {
		v = 0
	}
	return fmt.Sprintf("%.1f%%", 100*v)
}

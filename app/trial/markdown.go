package main

import (
	"fmt"
	"strings"

	"github.com/tributary-dl/tributary/app/arena"
)

// markdown is the table that stands in RESULTS.md.
func (r *report) markdown() string {
	var b strings.Builder
	if conditions := r.conditions(); conditions != "" {
		fmt.Fprintf(&b, "%s\n\n", conditions)
	}
	b.WriteString("| scenario | ours, s | ours ÷ limit | offload (limit) | wasted | wire + | CPU ms/MB | busy | runs | goals | beside |\n" +
		"|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, o := range r.Outcomes {
		cells := []string{o.Scenario.Name}
		for _, figure := range []struct {
			name string
			show func(float64) string
		}{
			{"last_s", number}, {"time_over_limit", number}, {"offload", percent}, {"wasted", percent}, {"wire_overhead", percent},
			{"cpu_ms_per_mb", number}, {"processor", percent},
		} {
			_, all := o.figure(arena.Ours, figure.name)
			cell := spread(all, figure.show)
			if mine := o.of(arena.Ours); figure.name == "offload" && len(mine) > 0 {
				cell += fmt.Sprintf(" (%.0f)", 100*mine[0].Limits.Offload)
			}
			cells = append(cells, cell)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", strings.Join(cells, " | "), o.counted(arena.Ours), o.verdicts(), o.besides())
	}
	return b.String()
}

// verdicts are the goals, each with what came out.
func (o *Outcome) verdicts() string {
	var list []string
	for _, g := range o.Goals {
		list = append(list, g.Verdict()+": "+g.short())
	}
	return strings.Join(list, "; ")
}

// besides are the times of the others, and what peers brought them.
func (o *Outcome) besides() string {
	var list []string
	for _, name := range o.names() {
		_, times := o.figure(name, "last_s")
		if name == arena.Ours || len(times) == 0 {
			continue
		}
		_, offload := o.figure(name, "offload")
		list = append(list, fmt.Sprintf("%s %s s at %s", name, spread(times, number), spread(offload, percent)))
	}
	return strings.Join(list, "; ")
}

package main

import (
	"fmt"
	"slices"
	"strings"
)

// figure is one measured number beside its bound.
type figure struct {
	Name   string    `json:"name"`
	Value  float64   `json:"value"` // median of Runs
	Unit   string    `json:"unit"`
	Bound  float64   `json:"bound"`
	AtMost bool      `json:"at_most"` // the bound is an upper one
	Met    bool      `json:"met"`
	Runs   []float64 `json:"runs"`
	Note   string    `json:"note,omitempty"`
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

func (b *bench) atLeast(name, unit string, bound float64, runs []float64, note string) {
	v := median(runs)
	b.figures = append(b.figures, figure{Name: name, Value: v, Unit: unit, Bound: bound, Met: v >= bound, Runs: runs, Note: note})
}

func (b *bench) atMost(name, unit string, bound float64, runs []float64, note string) {
	v := median(runs)
	b.figures = append(b.figures, figure{Name: name, Value: v, Unit: unit, Bound: bound, AtMost: true, Met: v <= bound, Runs: runs, Note: note})
}

func table(figures []figure) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%-44s %12s %14s  %s\n", "figure", "median", "bound", "")
	for _, f := range figures {
		sign, verdict := "≥", "met"
		if f.AtMost {
			sign = "≤"
		}
		if !f.Met {
			verdict = "NOT MET"
		}
		fmt.Fprintf(&out, "%-44s %12s %14s  %s", f.Name, fmt.Sprintf("%.3g %s", f.Value, f.Unit), fmt.Sprintf("%s %.3g %s", sign, f.Bound, f.Unit), verdict)
		if f.Note != "" {
			fmt.Fprintf(&out, "  (%s)", f.Note)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

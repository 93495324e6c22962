package main

import (
	"fmt"
	"strings"
)

// figure is one measured number beside its bound. Bound 0 with Plain means that nothing was promised of it.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Bound float64 `json:"at_most"`
	Plain bool    `json:"plain,omitempty"` // only told, nothing was promised
	Met   bool    `json:"met"`
	Note  string  `json:"note,omitempty"`
}

func (b *bench) atMost(name, unit string, bound, value float64, note string) {
	b.figures = append(b.figures, figure{Name: name, Value: value, Unit: unit, Bound: bound, Met: value <= bound, Note: note})
}

func (b *bench) told(name, unit string, value float64, note string) {
	b.figures = append(b.figures, figure{Name: name, Value: value, Unit: unit, Plain: true, Met: true, Note: note})
}

func table(figures []figure) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%-58s %14s %12s  %s\n", "figure", "value", "bound", "")
	for _, f := range figures {
		bound, verdict := fmt.Sprintf("≤ %.4g", f.Bound), "met"
		if f.Plain {
			bound, verdict = "", ""
		} else if !f.Met {
			verdict = "NOT MET"
		}
		fmt.Fprintf(&out, "%-58s %14s %12s  %s", f.Name, strings.TrimSpace(fmt.Sprintf("%.3g %s", f.Value, f.Unit)), bound, verdict)
		if f.Note != "" {
			fmt.Fprintf(&out, "  (%s)", f.Note)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

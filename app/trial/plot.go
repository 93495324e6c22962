package main

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/tributary-dl/tributary/app/arena"
)

// Size of a plot in the units of its drawing, with room for the numbers at its left and bottom.
const (
	plotWidth, plotHeight = 460.0, 190.0
	plotLeft, plotBottom  = 40.0, 22.0
	plotTop, plotRight    = 8.0, 10.0
	maxPoints             = 230 // more than one for two units cannot be seen
)

// frame says how numbers become places; plots beside each other share one, so that they can be compared.
type frame struct{ seconds, mbit float64 }

func (f frame) x(seconds float64) float64 {
	return plotLeft + seconds/f.seconds*(plotWidth-plotLeft-plotRight)
}

func (f frame) y(mbit float64) float64 {
	return plotHeight - plotBottom - mbit/f.mbit*(plotHeight-plotBottom-plotTop)
}

// frameOf has room for all of the runs.
func frameOf(runs []*arena.Result) frame {
	f := frame{1, 1}
	for _, r := range runs {
		for _, s := range thin(r.Series) {
			f.seconds, f.mbit = max(f.seconds, s.At), max(f.mbit, s.Edge+s.Peers)
		}
	}
	f.mbit *= 1.05
	return f
}

// thin takes the mean of neighbours until there are few enough of them, and of at least three: the queues of the lines
// make single samples jump.
func thin(series []arena.Sample) []arena.Sample {
	group := max(3, (len(series)+maxPoints-1)/maxPoints)
	var thinned []arena.Sample
	for len(series) > 0 {
		n := min(group, len(series))
		var sum arena.Sample
		for _, s := range series[:n] {
			sum.Edge, sum.Peers = sum.Edge+s.Edge, sum.Peers+s.Peers
		}
		thinned = append(thinned, arena.Sample{At: series[n-1].At, Edge: sum.Edge / float64(n), Peers: sum.Peers / float64(n)})
		series = series[n:]
	}
	return thinned
}

// plot draws a run: what the edge sent, and upon it what peers sent. Colours come from the page's style.
func plot(r *arena.Result, f frame) template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %.0f %.0f" role="img" aria-label="Mbit/s over seconds: edge, and upon it peers">`, plotWidth, plotHeight)
	for _, mbit := range ticks(f.mbit) {
		y := f.y(mbit)
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/><text x="%.1f" y="%.1f" text-anchor="end">%g</text>`,
			plotLeft, y, plotWidth-plotRight, y, plotLeft-5, y+4, mbit)
	}
	for _, seconds := range ticks(f.seconds) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="middle">%g</text>`, f.x(seconds), plotHeight-6, seconds)
	}
	series := thin(r.Series)
	area(&b, "edge", f, series, func(s arena.Sample) (from, to float64) { return 0, s.Edge })
	area(&b, "peers", f, series, func(s arena.Sample) (from, to float64) { return s.Edge, s.Edge + s.Peers })
	for _, at := range r.Events {
		fmt.Fprintf(&b, `<line class="event" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, f.x(at), plotTop, f.x(at), plotHeight-plotBottom)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // numbers and fixed text only
}

func area(b *strings.Builder, class string, f frame, series []arena.Sample, band func(arena.Sample) (from, to float64)) {
	if len(series) == 0 {
		return
	}
	fmt.Fprintf(b, `<path class="%s" d="`, class)
	step := "M"
	for _, s := range series {
		_, to := band(s)
		fmt.Fprintf(b, "%s%.1f %.1f", step, f.x(s.At), f.y(to))
		step = "L"
	}
	for i := len(series) - 1; i >= 0; i-- {
		from, _ := band(series[i])
		fmt.Fprintf(b, "L%.1f %.1f", f.x(series[i].At), f.y(from))
	}
	b.WriteString(`Z"/>`)
}

// ticks returns four to ten round numbers from 0 to limit.
func ticks(limit float64) (list []float64) {
	step := math.Pow(10, math.Floor(math.Log10(limit)))
	for limit/step < 4 {
		step /= 2
	}
	for v := 0.0; v <= limit; v += step {
		list = append(list, v)
	}
	return list
}

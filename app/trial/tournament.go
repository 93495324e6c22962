package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/tributary-dl/tributary/app/arena"
	"github.com/tributary-dl/tributary/app/scenario"
)

// tournament plays scenarios several times, everybody in turn.
type tournament struct {
	options arena.Options
	runs    int
	say     io.Writer // what goes on
}

// attempts is how often a run that is void is tried.
const attempts = 6

// Outcome is everything that came out of one scenario.
type Outcome struct {
	Scenario scenario.Scenario `json:"scenario"`
	Missing  []string          `json:"missing,omitempty"` // rivals that are not installed
	Results  []*arena.Result   `json:"results"`           // in the order in which they were played, void ones too
	Goals    []Judged          `json:"goals"`
}

// Judged is a goal beside what came out.
type Judged struct {
	scenario.Goal
	Value float64   `json:"value"` // median
	Runs  []float64 `json:"runs"`
	Met   bool      `json:"met"`
}

func (t *tournament) play(ctx context.Context, s scenario.Scenario, beside []string) (o Outcome, err error) {
	o.Scenario = s
	for n := range t.runs {
		pair := map[string]*arena.Result{}
		for _, name := range append([]string{arena.Ours}, beside...) {
			for range attempts {
				fmt.Fprintf(t.say, "%s: %s, run %d …\n", s.Name, name, n+1)
				r, err := arena.Run(ctx, t.options, s, name, s.Seed+uint64(n))
				if err != nil {
					return o, err
				}
				o.Results = append(o.Results, r)
				fmt.Fprintf(t.say, "  processors busy for %s of the time, the members' programs took %s s of it\n", percent(r.Figures["processor"]), number(r.Figures["cpu_s"]))
				if r.Void == "" {
					pair[name] = r
					break
				}
				fmt.Fprintf(t.say, "  void: %s\n", r.Void)
			}
		}
		relate(pair)
	}
	o.judge()
	return o, nil
}

// relate works out the figures of our run that need another contestant's in the same draw.
func relate(pair map[string]*arena.Result) {
	mine := pair[arena.Ours]
	if mine == nil {
		return
	}
	ratio := func(figure, of, other string) {
		r := pair[other]
		if r == nil || r.Figures[of] == 0 || mine.Figures[of] == 0 {
			return
		}
		mine.Figures[figure] = mine.Figures[of] / r.Figures[of]
	}
	ratio("time_over_edge_only", "last_s", "curl")
	ratio("p95_over_edge_only", "p95_s", "curl")
	ratio("slope", "last_s", arena.Alone)
	if name := fastest(pair); name != "" {
		ratio("time_over_rivals", "last_s", name)
	}
}

// fastest returns who of the others brought everybody the file first; "" if nobody did.
func fastest(pair map[string]*arena.Result) (name string) {
	for other, r := range pair {
		if other == arena.Ours || other == arena.Alone || r.Figures["completed"] < 1 {
			continue
		}
		if name == "" || r.Figures["last_s"] < pair[name].Figures["last_s"] {
			name = other
		}
	}
	return name
}

// of returns the runs of a contestant that count.
func (o *Outcome) of(name string) (list []*arena.Result) {
	for _, r := range o.Results {
		if r.Contestant == name && r.Void == "" {
			list = append(list, r)
		}
	}
	return list
}

// names returns who played, in order.
func (o *Outcome) names() (names []string) {
	for _, r := range o.Results {
		if !slices.Contains(names, r.Contestant) {
			names = append(names, r.Contestant)
		}
	}
	return names
}

// figure returns a contestant's median, and all its values.
func (o *Outcome) figure(name, figure string) (value float64, all []float64) {
	for _, r := range o.of(name) {
		if v, ok := r.Figures[figure]; ok {
			all = append(all, v)
		}
	}
	return median(all), all
}

func (o *Outcome) judge() {
	for _, g := range o.Scenario.Goals {
		value, all := o.figure(arena.Ours, g.Figure)
		o.Goals = append(o.Goals, Judged{g, value, all, len(all) > 0 && g.Met(value)})
	}
}

// median is 0 for nothing.
func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

package main

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"time"

	"github.com/tributary-dl/tributary/app/arena"
	"github.com/tributary-dl/tributary/app/scenario"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// panel is a scenario as the page shows it.
type panel struct {
	Outcome
	Limits  string
	Columns []string
	Rows    []row
	Plots   []picture
	Met     int
	Remarks []string
}

type row struct {
	Name  string
	Ours  bool
	Cells []string
	Runs  string
}

type picture struct {
	Name string
	SVG  template.HTML
}

// writePage writes the report as one page that needs nothing else.
func (r *report) writePage(w io.Writer) error {
	page := struct {
		Columns          []string // of the overviews
		Overviews        []overview
		Panels           []panel
		Met, Goals       int
		When, Conditions string
		Crowd            int
	}{Crowd: arena.Crowd, Columns: overviewColumns, Overviews: r.overviews(), Conditions: r.conditions(), When: time.Now().Format("2006-01-02 15:04")}
	for _, o := range r.Outcomes {
		p := newPanel(o)
		page.Panels = append(page.Panels, p)
		page.Met, page.Goals = page.Met+p.Met, page.Goals+len(o.Goals)
	}
	return pageTemplate.Execute(w, page)
}

func newPanel(o Outcome) panel {
	p := panel{Outcome: o, Limits: o.limits(), Remarks: o.remarks()}
	for _, c := range columns {
		p.Columns = append(p.Columns, c.name)
	}
	var shown []*arena.Result
	for _, name := range o.names() {
		runs := o.of(name)
		p.Rows = append(p.Rows, row{Name: name, Ours: name == arena.Ours, Cells: o.cells(name), Runs: o.counted(name)})
		if len(runs) > 0 {
			shown = append(shown, runs[0])
		}
	}
	f := frameOf(shown)
	for _, r := range shown {
		p.Plots = append(p.Plots, picture{r.Contestant, plot(r, f)})
	}
	for _, g := range o.Goals {
		if g.Met {
			p.Met++
		}
	}
	return p
}

// limits says what arithmetic allows, of the first run.
func (o *Outcome) limits() string {
	for _, r := range o.Results {
		if r.Contestant == arena.Ours {
			l := r.Limits
			return fmt.Sprintf("%.1f s (%.1f s with headers), %.1f s from the edge alone; offload %.0f%%, %.0f%% in the shortest time",
				l.Time, scenario.WithHeaders(l.Time), l.EdgeOnly, 100*l.Offload, 100*l.OffloadAtTime)
		}
	}
	return "nothing was played"
}

// cells are a contestant's medians, column by column.
func (o *Outcome) cells(name string) (cells []string) {
	for _, c := range columns {
		_, all := o.figure(name, c.figure)
		cells = append(cells, spread(all, c.show))
	}
	return cells
}

// counted says how many of a contestant's runs count.
func (o *Outcome) counted(name string) string {
	played := 0
	for _, r := range o.Results {
		if r.Contestant == name {
			played++
		}
	}
	if count := len(o.of(name)); count < played {
		return fmt.Sprintf("%d of %d", count, played)
	}
	return strconv.Itoa(played)
}

// remarks are what a reader must know beside the figures.
func (o *Outcome) remarks() (list []string) {
	for _, m := range o.Missing {
		list = append(list, "not played: "+m)
	}
	for _, r := range o.Results {
		who := fmt.Sprintf("%s, seed %d: ", r.Contestant, r.Seed)
		if r.Void != "" {
			list = append(list, who+"void, "+r.Void)
		}
		for _, remark := range r.Remarks {
			list = append(list, who+remark)
		}
		if r.Folder != "" {
			list = append(list, who+"kept in "+r.Folder)
		}
	}
	return list
}

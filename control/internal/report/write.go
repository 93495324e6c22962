package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"text/tabwriter"
	"time"
)

// Format is how a report is written.
type Format string

// The formats.
const (
	Table Format = "table" // for people, in a terminal
	JSON  Format = "json"
	CSV   Format = "csv"
	HTML  Format = "html"
)

// Formats lists all formats, the default first.
var Formats = []Format{Table, JSON, CSV, HTML}

// Write writes the report.
func (r Report) Write(w io.Writer, format Format) error {
	switch format {
	case Table:
		return r.writeTable(w)
	case JSON:
		return r.writeJSON(w)
	case CSV:
		return r.writeCSV(w)
	case HTML:
		return page.Execute(w, r)
	}
	return fmt.Errorf("unknown format %q", format)
}

// jsonRow is Totals with what is computed from them.
type jsonRow struct {
	Content string `json:"content,omitempty"`
	Name    string `json:"name,omitempty"`
	Totals
	Offload float64 `json:"offload"`
}

func (r Report) writeJSON(w io.Writer) error {
	out := struct {
		Made    time.Time `json:"made"`
		All     jsonRow   `json:"all"`
		Objects []jsonRow `json:"objects"`
	}{Made: r.Made, All: jsonRow{Totals: r.All, Offload: r.All.Offload()}, Objects: []jsonRow{}}
	for _, o := range r.Objects {
		out.Objects = append(out.Objects, jsonRow{Content: o.Content.String(), Name: o.Name, Totals: o.Totals, Offload: o.Offload()})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}

func (r Report) writeCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"content", "name", "started", "running", "completed", "paused", "cancelled", "failed",
		"edge_bytes_logged", "edge_bytes_reported", "peer_bytes_reported", "wasted_bytes_reported", "uploaded_bytes_reported", "offload", "summed"})
	for _, o := range r.Objects {
		row := []string{o.Content.String(), cell(o.Name)}
		for _, n := range []int{o.Started, o.Running, o.Completed, o.Paused, o.Cancelled, o.Failed} {
			row = append(row, strconv.Itoa(n))
		}
		for _, n := range []uint64{o.EdgeLogged, o.Edge, o.Peers, o.Wasted, o.Uploaded} {
			row = append(row, strconv.FormatUint(n, 10))
		}
		_ = c.Write(append(row, strconv.FormatFloat(o.Offload(), 'f', 4, 64), strconv.Itoa(o.Summed)))
	}
	c.Flush()
	return c.Error() // also of the writes above
}

// cell keeps a spreadsheet from taking a file's name for a formula.
func cell(text string) string {
	if text != "" && (text[0] == '=' || text[0] == '+' || text[0] == '-' || text[0] == '@') {
		return "'" + text
	}
	return text
}

func (r Report) writeTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "started\tcompleted\tfailed\tedge (log)\tedge (clients)\tpeers\twasted\toffload\t  object")
	for _, o := range r.Objects {
		line(t, o.Totals, o.Title())
	}
	line(t, r.All, "all")
	if err := t.Flush(); err != nil || r.All.Summed == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "\nOf %d of these downloads only the sums are kept.\n", r.All.Summed)
	return err
}

func line(w io.Writer, t Totals, title string) {
	fmt.Fprintf(w, "%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t  %s\n", t.Started, t.Completed, t.Failed,
		size(t.EdgeLogged), size(t.Edge), size(t.Peers), size(t.Wasted), percent(t.Offload()), title)
}

// Title names the object for people.
func (r Row) Title() string {
	if r.Name == "" {
		return r.Content.String()[:16] + "…"
	}
	return r.Name
}

// size writes bytes with decimal units, as invoices do.
func size(n uint64) string {
	const units = "kMGTPE"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1000, 0
	for value >= 999.95 {
		value /= 1000
		unit++
	}
	return fmt.Sprintf("%.1f %cB", value, units[unit])
}

func percent(f float64) string { return fmt.Sprintf("%.1f%%", 100*f) }

var page = template.Must(template.New("report").Funcs(template.FuncMap{"size": size, "percent": percent}).Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Tributary report</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #1b1f24; }
table { border-collapse: collapse; }
th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid #d8dee4; }
th:first-child, td:first-child { text-align: left; }
tfoot { font-weight: 600; }
@media (prefers-color-scheme: dark) { body { background: #14171a; color: #e6e8ea; } th, td { border-color: #3a4047; } }
</style>
<h1>Tributary report</h1>
<p>As of {{.Made.Format "2006-01-02 15:04:05 MST"}}. “Edge (log)” is what this edge sent, to any program; the other
amounts are what services reported.{{if .All.Summed}} Of {{.All.Summed}} of these downloads only the sums are kept.{{end}}</p>
<table>
<thead><tr><th>Object<th>Started<th>Completed<th>Paused<th>Cancelled<th>Failed<th>Edge (log)<th>Edge (clients)<th>Peers<th>Wasted<th>Offload</tr></thead>
<tbody>
{{- range .Objects}}
<tr><td title="{{.Content}}">{{.Title}}{{template "cells" .Totals}}</tr>
{{- end}}
</tbody>
<tfoot><tr><td>All{{template "cells" .All}}</tr></tfoot>
</table>
</html>
{{define "cells"}}<td>{{.Started}}<td>{{.Completed}}<td>{{.Paused}}<td>{{.Cancelled}}<td>{{.Failed}}<td>{{size .EdgeLogged}}<td>{{size .Edge}}<td>{{size .Peers}}<td>{{size .Wasted}}<td>{{percent .Offload}}{{end}}
`))

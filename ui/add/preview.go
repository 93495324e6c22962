package add

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	stock "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/kit"
	"github.com/tributary-dl/tributary/ui/model"
	"github.com/tributary-dl/tributary/ui/say"
	"github.com/tributary-dl/tributary/ui/theme"
)

const (
	mostProbed = 20  // servers asked for one dialog; more would only be noise to them
	mostRows   = 200 // that are drawn
	rowsInView = 3
)

// previews says of each wish what its server says. It is the part of the dialog between the links and the form.
type previews struct {
	changed func()
	root    *container.Scroll
	column  *fyne.Container
	rows    []*preview
	wishes  []model.Wish
	answers map[string]answer // by what was asked; a probe is not repeated while somebody types
}

type answer struct {
	probe api.Probe
	fault string
}

// preview is one row.
type preview struct {
	check       *kit.Check // hidden where there is nothing to choose
	icon        *widget.Icon
	name, facts *kit.Text
	problem     *kit.Words
	root        *fyne.Container
}

func newPreviews() *previews {
	p := &previews{column: kit.Column(theme.Space), answers: map[string]answer{}}
	p.root = container.NewVScroll(p.column)
	p.root.Hide()
	return p
}

// ask shows the wishes and what is known of them, and asks for the rest.
func (p *previews) ask(wishes []model.Wish, requests []api.AddRequest, choose bool, probe func([]api.AddRequest, func(int, api.Probe, string))) {
	p.wishes = wishes
	p.draw(choose)
	var missing []api.AddRequest
	var rows []int
	for i, r := range requests[:min(len(requests), len(p.rows), mostProbed)] {
		if a, known := p.answers[key(r)]; known {
			p.rows[i].tell(wishes[i], a)
			continue
		}
		p.rows[i].wait(wishes[i], lang.L("Asking the server…"))
		missing, rows = append(missing, r), append(rows, i)
	}
	for i := min(len(p.rows), mostProbed); i < len(p.rows); i++ {
		p.rows[i].wait(wishes[i], lang.L("The server is asked when it starts."))
	}
	probe(missing, func(k int, found api.Probe, fault string) {
		a := answer{found, fault}
		p.answers[key(missing[k])] = a
		p.rows[rows[k]].tell(p.wishes[rows[k]], a)
		p.changed()
	})
	p.fit()
}

// key tells two questions apart.
func key(r api.AddRequest) string { return r.URL + "\n" + r.Checksum + "\n" + r.Out + "\n" + r.User }

// draw makes a row for each wish, as far as rows make sense.
func (p *previews) draw(choose bool) {
	for len(p.rows) < min(len(p.wishes), mostRows) {
		row := newPreview(p.changed)
		p.rows = append(p.rows, row)
		p.column.Add(row.root)
	}
	for _, gone := range p.rows[min(len(p.wishes), mostRows):] {
		p.column.Remove(gone.root)
	}
	p.rows = p.rows[:min(len(p.wishes), mostRows)]
	for _, row := range p.rows {
		kit.SetVisible(row.check, choose)
	}
}

// fit gives the rows the height of a few, and lets the others scroll.
func (p *previews) fit() {
	kit.SetVisible(p.root, len(p.rows) > 0)
	var height float32
	for i, row := range p.rows {
		if i == rowsInView {
			height += theme.Space * 2 // a part of the next one says that there are more
			break
		}
		height += row.root.MinSize().Height + theme.Space
	}
	p.root.SetMinSize(fyne.NewSize(0, height))
	p.root.Refresh()
}

// has says whether a wish is chosen. One that has no row is.
func (p *previews) has(i int) bool {
	return i >= len(p.rows) || !p.rows[i].check.Visible() || p.rows[i].check.Checked
}

func (p *previews) chosen() (n int) {
	for i := range p.wishes {
		if p.has(i) {
			n++
		}
	}
	return n
}

func newPreview(changed func()) *preview {
	r := &preview{icon: widget.NewIcon(nil), name: kit.Title(""), facts: kit.Small("", theme.Muted), problem: kit.Sentence("", false).Small()}
	r.check = kit.NewCheck("", nil)
	r.check.Checked = true
	r.check.OnChanged = func(bool) { changed() }
	r.problem.Hide()
	left := kit.Row(r.check, kit.Fixed(r.icon, 3*theme.Space))
	r.root = container.NewBorder(nil, nil, kit.Pad(left, 0, 0), nil, kit.Pad(kit.Column(2, r.name, r.facts, r.problem), 0, theme.Space))
	return r
}

// wait shows what is known without the server.
func (r *preview) wait(w model.Wish, text string) {
	r.name.Set(nameOf(w, ""))
	r.facts.Paint(say.Join(sizeOf(w.TotalBytes), w.Publisher, text), theme.Muted)
	r.icon.SetResource(theme.Tinted("schedule", theme.Muted))
	kit.SetVisible(r.problem, false)
}

// tell shows what the server says.
func (r *preview) tell(w model.Wish, a answer) {
	p := a.probe
	if a.fault != "" {
		p = api.Probe{TotalBytes: w.TotalBytes, Problem: &api.Problem{Text: a.fault}}
	}
	r.name.Set(nameOf(w, p.Name))
	if p.TotalBytes < 0 {
		p.TotalBytes = w.TotalBytes
	}
	if p.Problem != nil {
		r.icon.SetResource(theme.Tinted("error", stock.ColorNameError))
		r.facts.Paint(say.Join(sizeOf(p.TotalBytes), p.Publisher), theme.Muted)
		r.problem.Tell(say.ProblemText(p.Problem), widget.DangerImportance)
		kit.SetVisible(r.facts, r.facts.Content() != "")
		kit.SetVisible(r.problem, true)
		return
	}
	symbol, color := "warning", stock.ColorNameWarning
	switch p.Verdict {
	case api.VerdictPublisher:
		symbol, color = "verified_user", stock.ColorNameSuccess
	case api.VerdictHash:
		symbol, color = "check_circle", stock.ColorNameSuccess
	}
	resumable := lang.L("starts again if it breaks")
	if p.Resumable {
		resumable = lang.L("can be resumed")
	}
	r.icon.SetResource(theme.Tinted(symbol, color))
	r.facts.Paint(say.Join(sizeOf(p.TotalBytes), p.Publisher, say.Trust(p.Verdict), resumable), theme.Muted)
	kit.SetVisible(r.facts, true)
	kit.SetVisible(r.problem, false)
}

func nameOf(w model.Wish, served string) string {
	for _, name := range []string{w.Request.Out, served} {
		if name != "" {
			return name
		}
	}
	return model.Shorten(w.Request.URL, 200)
}

func sizeOf(n int64) string {
	if n < 0 {
		return ""
	}
	return say.Bytes(n)
}

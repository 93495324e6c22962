// Package add is the dialog that turns what a person pastes, or a file of links, into downloads. It says what it
// understood and, before anything begins, what each server says: size, publisher, how far the file can be trusted. It must
// never call the service itself.
package add

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/layout"
	stock "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/kit"
	"github.com/tributary-dl/tributary/ui/model"
	"github.com/tributary-dl/tributary/ui/say"
	"github.com/tributary-dl/tributary/ui/theme"
)

// Actions is what the dialog asks of its owner.
type Actions struct {
	// Add asks for the downloads and calls answer with a sentence if one was refused, "" otherwise.
	Add          func(requests []api.AddRequest, answer func(refusal string))
	ChooseFolder func(chosen func(dir string))
	// Known returns a download that already has this link, or nil.
	Known func(url string) *api.Download
	// Probe asks what requests lead to and calls answer for each, in any order; fault is a sentence if it cannot be
	// known. What it was asked before is void: its answers do not come any more.
	Probe func(requests []api.AddRequest, answer func(i int, p api.Probe, fault string))
}

// Offer is what the dialog opens with: a text that may hold links, or what a file has named.
type Offer struct {
	Text   string
	Wishes []model.Wish
	Source string // name of the file that has named the wishes
}

// Dialog is open from Show until it is closed.
type Dialog struct {
	Modal *kit.Modal

	do       Actions
	links    *kit.Entry // hidden where a file has named the wishes
	verdict  *kit.Words
	previews *previews
	dir      *kit.Entry
	name     *kit.Entry
	checksum *kit.Entry
	ofOne    []fyne.CanvasObject // what the form asks of one file alone
	sumLine  *kit.Text
	priority *kit.Segmented
	later    *kit.Check
	submit   *kit.Button
	refused  []model.Refusal
	wishes   []model.Wish
	fromFile bool
}

// Show opens the dialog with what there is to offer; it is checked at once.
func Show(over fyne.Canvas, do Actions, o Offer, dir string) *Dialog {
	d := &Dialog{do: do, links: kit.NewLines("https://", 3), verdict: kit.Sentence("", true), previews: newPreviews(), dir: kit.NewEntry(""),
		name: kit.NewEntry(lang.L("as the server says")), checksum: kit.NewEntry(lang.L("SHA-256 or another, if the site shows one")),
		sumLine:  kit.Small("", theme.Muted),
		priority: kit.NewSegmented(lang.L("First"), lang.L("Normal"), lang.L("Last")), later: kit.NewCheck(lang.L("Only add it, start later"), nil)}
	d.priority.Set(1)
	d.dir.SetText(dir)
	d.fromFile = len(o.Wishes) > 0
	d.previews.changed = d.tell
	d.submit = kit.Primary(lang.L("Download"), "download", d.send)
	body := kit.Column(theme.Space, d.links, d.verdict, d.previews.root, d.form(), d.later)
	for _, e := range []*kit.Entry{d.links, d.dir, d.name, d.checksum} {
		e.OnEscape = d.close
	}
	d.links.OnSubmitted = func(string) { d.send() } // Shift+Enter: Enter begins a new line
	d.links.OnChanged = func(string) { d.check() }
	d.checksum.OnChanged = func(string) { d.check() }
	d.dir.OnChanged = func(string) { d.tell() }
	for _, e := range []*kit.Entry{d.dir, d.name, d.checksum} {
		e.OnSubmitted = func(string) { d.send() }
	}
	title := lang.L("Add downloads")
	if d.fromFile {
		title = o.Source
	}
	d.Modal = kit.ShowModal(over, title, 76*theme.Space, body, kit.Plain(lang.L("Cancel"), "", d.close), d.submit)
	switch {
	case d.fromFile:
		d.links.Hide()
		d.wishes = o.Wishes
		d.probe()
		over.Focus(d.dir)
	case len(o.Text) > model.MaxPaste: // a field with megabytes of text stands still
		d.understand(o.Text)
		over.Focus(d.links)
	default:
		d.links.SetText(o.Text)
		d.check()
		over.Focus(d.links)
	}
	return d
}

func (d *Dialog) form() fyne.CanvasObject {
	choose := kit.NewTool(lang.L("Choose a folder"), "folder_open", func() { d.do.ChooseFolder(d.dir.SetText) })
	form := container.New(layout.NewFormLayout(), label(lang.L("Save in")), container.NewBorder(nil, nil, nil, choose, d.dir))
	if !d.fromFile { // a file has its own names and checksums
		d.ofOne = []fyne.CanvasObject{label(lang.L("Name")), d.name, label(lang.L("Checksum")), kit.Column(2, d.checksum, d.sumLine)}
		form.Objects = append(form.Objects, d.ofOne...)
	}
	form.Objects = append(form.Objects, label(lang.L("Place in queue")), container.NewHBox(kit.Fixed(d.priority, 36*theme.Space)))
	return form
}

func label(text string) fyne.CanvasObject {
	t := kit.NewText(text)
	t.Color = theme.Muted
	return kit.Middle(t)
}

func (d *Dialog) close() { d.Modal.Close() }

// check reads the fields again, says what they mean and asks the servers about what is new.
func (d *Dialog) check() { d.understand(d.links.Text) }

func (d *Dialog) understand(text string) {
	if d.fromFile {
		return
	}
	found := model.ParseLinks(text)
	d.refused, d.wishes = found.Refused, model.WishesOf(found.URLs)
	d.probe()
}

func (d *Dialog) probe() {
	requests := make([]api.AddRequest, len(d.wishes))
	for i, w := range d.wishes {
		requests[i] = w.Request
	}
	sum, _, ok := model.ParseChecksum(d.checksum.Text)
	if len(requests) == 1 && ok && !d.fromFile {
		requests[0].Checksum = sum
	}
	d.previews.ask(d.wishes, requests, d.fromFile && len(d.wishes) > 1, d.do.Probe)
	d.tell()
}

// tell says what was understood, and what stands in the way.
func (d *Dialog) tell() {
	text, importance := d.understood()
	d.verdict.Tell(text, importance)
	kit.SetVisible(d.verdict, text != "")
	one := len(d.wishes) == 1 && !d.fromFile
	_, kind, sumOK := model.ParseChecksum(d.checksum.Text)
	switch {
	case one && !sumOK:
		d.sumLine.Paint(lang.L("This is no checksum. Copy the whole line of digits and letters."), stock.ColorNameError)
	case one && kind != "":
		d.sumLine.Paint(lang.L("Looks like {{.kind}}.", map[string]any{"kind": kind}), stock.ColorNameSuccess)
	default:
		d.sumLine.Paint("", theme.Muted)
	}
	kit.SetVisible(d.sumLine, d.sumLine.Content() != "")
	for _, o := range d.ofOne {
		kit.SetVisible(o, len(d.wishes) < 2)
	}
	kit.SetEnabled(d.submit, d.previews.chosen() > 0 && (sumOK || !one) && d.dir.Text != "")
	if d.Modal != nil {
		d.Modal.Grow()
	}
}

// understood is a sentence on what was pasted; nothing where the rows below say it all.
func (d *Dialog) understood() (text string, importance widget.Importance) {
	importance = widget.LowImportance
	if n := len(d.wishes); n > 1 {
		text = lang.N("{{.n}} links will be downloaded.", n, map[string]any{"n": n})
		if d.fromFile {
			text = lang.N("This file names {{.n}} downloads.", n, map[string]any{"n": n})
		}
	} else if n == 1 {
		if known := d.do.Known(d.wishes[0].Request.URL); known != nil {
			text, importance = lang.L("“{{.name}}” in your list has the same link.", map[string]any{"name": known.Name}), widget.WarningImportance
		}
	}
	if len(d.refused) == 0 {
		return text, importance
	}
	r := d.refused[0]
	if r.Reason != model.ReasonEmpty {
		importance = widget.DangerImportance
		if len(d.wishes) > 0 { // the others are downloaded all the same
			importance = widget.WarningImportance
		}
	}
	if text != "" {
		text += "\n"
	}
	text += say.Refusal(r)
	if more := len(d.refused) - 1; more > 0 {
		text += " " + lang.N("And {{.n}} more like it.", more, map[string]any{"n": more})
	}
	return text, importance
}

// Priorities of the three places in the queue; smaller comes first.
var priorities = []int{-1000, 0, 1000}

func (d *Dialog) send() {
	if d.submit.Disabled() {
		return
	}
	sum, _, _ := model.ParseChecksum(d.checksum.Text)
	var requests []api.AddRequest
	for i, w := range d.wishes {
		if !d.previews.has(i) {
			continue
		}
		r := w.In(d.dir.Text)
		r.Priority, r.Paused = priorities[d.priority.Chosen()], d.later.Checked
		if len(d.wishes) == 1 && !d.fromFile {
			r.Out, r.Checksum = d.name.Text, sum
		}
		requests = append(requests, r)
	}
	d.submit.Disable()
	d.do.Add(requests, func(refusal string) {
		if refusal == "" {
			d.close()
			return
		}
		d.verdict.Tell(refusal, widget.DangerImportance)
		d.verdict.Show()
		d.submit.Enable()
		d.Modal.Grow()
	})
}

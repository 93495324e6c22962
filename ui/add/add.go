// Package add is the dialog that turns what a person pastes into downloads. It says what it understood before anything is
// asked of a server, and must never call the service itself.
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
}

// Dialog is open from Show until it is closed.
type Dialog struct {
	Modal *kit.Modal

	do       Actions
	links    *kit.Entry
	verdict  *kit.Words
	dir      *kit.Entry
	name     *kit.Entry
	checksum *kit.Entry
	sumLine  *kit.Text
	priority *kit.Segmented
	later    *widget.Check
	submit   *widget.Button
	found    model.Links
}

// Show opens the dialog with a text in its field; it is checked at once.
func Show(over fyne.Canvas, do Actions, text, dir string) *Dialog {
	d := &Dialog{do: do, links: kit.NewLines("https://", 4), verdict: kit.Sentence("", true), dir: kit.NewEntry(""),
		name: kit.NewEntry(lang.L("as the server says")), checksum: kit.NewEntry(lang.L("SHA-256 or another, if the site shows one")),
		sumLine:  kit.Small("", theme.Muted),
		priority: kit.NewSegmented(lang.L("First"), lang.L("Normal"), lang.L("Last")), later: widget.NewCheck(lang.L("Only add it, start later"), nil)}
	d.priority.Set(1)
	d.dir.SetText(dir)
	choose := kit.Plain("", "folder_open", func() { do.ChooseFolder(d.dir.SetText) })
	d.submit = kit.Primary(lang.L("Download"), "download", d.send)
	cancel := kit.Plain(lang.L("Cancel"), "", d.close)
	form := container.New(layout.NewFormLayout(),
		label(lang.L("Save in")), container.NewBorder(nil, nil, nil, choose, d.dir),
		label(lang.L("Name")), d.name,
		label(lang.L("Checksum")), d.checksum,
		kit.NewText(""), d.sumLine,
		label(lang.L("Place in queue")), container.NewHBox(kit.Fixed(d.priority, 36*theme.Space)),
	)
	body := kit.Column(theme.Space, d.links, d.verdict, form, d.later)
	for _, e := range []*kit.Entry{d.links, d.dir, d.name, d.checksum} {
		e.OnEscape = d.close
	}
	d.links.OnSubmitted = func(string) { d.send() } // Shift+Enter: Enter begins a new line
	d.links.OnChanged = func(string) { d.check() }
	d.checksum.OnChanged = func(string) { d.check() }
	d.dir.OnChanged = func(string) { d.check() }
	for _, e := range []*kit.Entry{d.dir, d.name, d.checksum} {
		e.OnSubmitted = func(string) { d.send() }
	}
	d.Modal = kit.ShowModal(over, lang.L("Add downloads"), 76*theme.Space, body, cancel, d.submit)
	if len(text) > model.MaxPaste { // a field with megabytes of text stands still
		d.found = model.ParseLinks(text)
		d.tell()
	} else {
		d.links.SetText(text)
		d.check()
	}
	over.Focus(d.links)
	return d
}

func label(text string) fyne.CanvasObject {
	t := kit.NewText(text)
	t.Color = theme.Muted
	return kit.Middle(t)
}

func (d *Dialog) close() { d.Modal.Close() }

// check reads the fields again and says what they mean.
func (d *Dialog) check() {
	d.found = model.ParseLinks(d.links.Text)
	d.tell()
}

func (d *Dialog) tell() {
	text, importance := "", widget.LowImportance
	one := len(d.found.URLs) == 1
	if n := len(d.found.URLs); n > 0 {
		text = lang.N("{{.n}} links will be downloaded.", n, map[string]any{"n": n})
		if one {
			text += " " + lang.L("The server says how big it is and who vouches for it; with a checksum, the file is verified by it.")
			if known := d.do.Known(d.found.URLs[0]); known != nil {
				text = lang.L("“{{.name}}” in your list has the same link.", map[string]any{"name": known.Name})
				importance = widget.WarningImportance
			}
		}
	}
	if len(d.found.Refused) > 0 {
		r := d.found.Refused[0]
		if r.Reason != model.ReasonEmpty {
			importance = widget.DangerImportance
		}
		if text != "" {
			text += "\n"
		}
		text += say.Refusal(r)
		if more := len(d.found.Refused) - 1; more > 0 {
			text += " " + lang.N("And {{.n}} more like it.", more, map[string]any{"n": more})
		}
	}
	d.verdict.Tell(text, importance)

	_, kind, sumOK := model.ParseChecksum(d.checksum.Text)
	switch {
	case !sumOK:
		d.sumLine.Paint(lang.L("This is no checksum. Copy the whole line of digits and letters."), stock.ColorNameError)
	case kind != "":
		d.sumLine.Paint(lang.L("Looks like {{.kind}}.", map[string]any{"kind": kind}), stock.ColorNameSuccess)
	default:
		d.sumLine.Paint("", theme.Muted)
	}
	for _, e := range []*kit.Entry{d.name, d.checksum} { // they belong to one file
		enable(e, one)
	}
	enable(d.submit, len(d.found.URLs) > 0 && (sumOK || !one) && d.dir.Text != "")
	if d.Modal != nil {
		d.Modal.Grow()
	}
}

func enable(w fyne.Disableable, on bool) {
	if w.Disabled() != on {
		return
	}
	if on {
		w.Enable()
	} else {
		w.Disable()
	}
}

// Priorities of the three places in the queue; smaller comes first.
var priorities = []int{-1000, 0, 1000}

func (d *Dialog) send() {
	if d.submit.Disabled() {
		return
	}
	sum, _, _ := model.ParseChecksum(d.checksum.Text)
	requests := make([]api.AddRequest, len(d.found.URLs))
	for i, link := range d.found.URLs {
		r := model.Request(link)
		r.Dir, r.Priority, r.Paused = d.dir.Text, priorities[d.priority.Chosen()], d.later.Checked
		if len(d.found.URLs) == 1 {
			r.Out, r.Checksum = d.name.Text, sum
		}
		requests[i] = r
	}
	d.submit.Disable()
	d.do.Add(requests, func(refusal string) {
		if refusal == "" {
			d.close()
			return
		}
		d.verdict.Tell(refusal, widget.DangerImportance)
		d.submit.Enable()
		d.Modal.Grow()
	})
}

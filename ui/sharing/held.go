package sharing

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/kit"
	"github.com/tributary-dl/tributary/ui/say"
	"github.com/tributary-dl/tributary/ui/theme"
)

// holdings is the list of files on disk that others can be given, each with the ways to end that.
type holdings struct {
	do    Actions
	root  *fyne.Container
	note  *kit.Words
	lines []*heldLine
}

type heldLine struct {
	root      *fyne.Container
	name, sub *kit.Text
	size      *kit.Text
	stop, del *kit.Tool
	held      api.Held
}

func newHoldings(do Actions) *holdings {
	h := &holdings{do: do, note: kit.Sentence("", true).Small()}
	h.root = kit.Column(theme.Space, h.note)
	return h
}

func (h *holdings) show(held []api.Held) {
	held = held[:min(len(held), mostLines)]
	for len(h.lines) < len(held) {
		h.grow()
	}
	note := lang.L("These are the files that you downloaded; there is no second copy of them.")
	if len(held) == 0 {
		note = lang.L("Nothing is held. What you download from a publisher who allows sharing appears here.")
	}
	h.note.Set(note)
	for i, line := range h.lines {
		kit.SetVisible(line.root, i < len(held))
		if i < len(held) {
			line.show(held[i])
		}
	}
}

func (l *heldLine) show(h api.Held) {
	l.held = h
	l.name.Set(h.Name)
	given := lang.L("never given")
	if h.LastSent != "" {
		given = lang.L("{{.size}} given, last on {{.day}}", map[string]any{"size": say.Bytes(h.Sent), "day": day(h.LastSent)})
	}
	offered := lang.L("not offered")
	if h.Shared {
		offered = lang.L("offered to peers")
	}
	l.sub.Set(say.Join(offered, given, h.Publisher))
	l.size.Set(say.Bytes(h.Bytes))
	kit.SetEnabled(l.stop, h.Shared)
}

// day writes a day of the ledger as people of the user's country do, if it is one.
func day(text string) string {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return text
	}
	return t.Format(lang.X("format.date", "2 Jan 2006"))
}

func (h *holdings) grow() {
	l := &heldLine{name: kit.NewText(""), sub: kit.Small("", theme.Muted), size: kit.Number("")}
	l.name.Cut = true
	l.stop = kit.NewTool(lang.L("Stop giving; the file stays"), "cloud_off", func() { h.do.Stop(l.held.ContentID) })
	l.del = kit.NewTool(lang.L("Delete the file from the disk…"), "delete", func() { h.do.Delete(l.held) })
	l.root = kit.Between(kit.Column(2, l.name, l.sub), kit.Fixed(kit.Middle(l.size), 10*theme.Space), l.stop, l.del)
	h.lines = append(h.lines, l)
	h.root.Add(l.root)
}

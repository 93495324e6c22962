package sharing

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"

	"github.com/tributary-dl/tributary/ui/kit"
	"github.com/tributary-dl/tributary/ui/model"
	"github.com/tributary-dl/tributary/ui/say"
	"github.com/tributary-dl/tributary/ui/theme"
)

// mostLines is how much of a list is drawn; the command line shows all of it.
const mostLines = 50

// given is a list of what was given of files or of publishers' files.
type given struct {
	root  *fyne.Container
	none  *kit.Text
	lines []*givenLine
}

type givenLine struct {
	root              *fyne.Container
	name, sub, amount *kit.Text
	bar               *kit.Bar
}

func newGiven() *given {
	g := &given{none: kit.Small(lang.L("Nothing was sent in this time."), theme.Muted)}
	g.root = kit.Column(theme.Space, g.none)
	return g
}

func (g *given) show(sums []model.Given) {
	sums = sums[:min(len(sums), mostLines)]
	for len(g.lines) < len(sums) {
		g.grow()
	}
	kit.SetVisible(g.none, len(sums) == 0)
	for i, line := range g.lines {
		kit.SetVisible(line.root, i < len(sums))
		if i >= len(sums) {
			continue
		}
		s := sums[i]
		line.name.Set(s.Name)
		publisher, peers := "", ""
		if s.ContentID != "" { // else the name is the publisher's
			publisher = s.Publisher
		}
		if s.Peers > 0 {
			peers = lang.L("to {{.peers}}", map[string]any{"peers": say.Peers(s.Peers)})
		}
		line.sub.Set(say.Join(publisher, peers))
		line.amount.Set(say.Bytes(s.Bytes))
		line.bar.Set(0, float64(s.Bytes)/float64(max(sums[0].Bytes, 1)))
	}
}

func (g *given) grow() {
	line := &givenLine{name: kit.NewText(""), sub: kit.Small("", theme.Muted), amount: kit.Number(""), bar: kit.NewBar()}
	line.name.Cut = true
	line.root = kit.Between(kit.Column(2, line.name, line.sub), kit.Fixed(kit.Middle(line.bar), 12*theme.Space), kit.Fixed(kit.Middle(line.amount), 10*theme.Space))
	g.lines = append(g.lines, line)
	g.root.Add(line.root)
}

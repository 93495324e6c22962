// Package detail shows one download from close by: its speed by source, its pieces by source and state, each server and
// peer, what happened when, and why it is not faster. With none chosen it shows all downloads together. It is drawn from
// snapshots and reports wishes through Actions; it must never call the service.
package detail

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/layout"
	stock "fyne.io/fyne/v2/theme"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/kit"
	"github.com/tributary-dl/tributary/ui/model"
	"github.com/tributary-dl/tributary/ui/say"
	"github.com/tributary-dl/tributary/ui/theme"
)

// Actions is what the user can ask for here.
type Actions struct {
	Back   func()              // to the list, where both do not fit side by side
	Copy   func(text string)   // to the clipboard
	Remedy func(*api.Download) // try again after a problem
	Log    func()
}

// View shows one download. The goroutine of the user interface owns it.
type View struct {
	do   Actions
	back *kit.Tool
	name *kit.Text
	sub  *kit.Text

	problem                  *fyne.Container
	problemTitle             *kit.Text
	problemText              *kit.Words
	retry                    *kit.Button
	rate, edgeRate, peerRate *kit.Text
	peak                     *kit.Text
	graph                    *kit.Graph
	pieces                   *kit.PieceMap
	pieceSum                 *kit.Text
	pieceCard                fyne.CanvasObject
	legend                   [5]*kit.Text
	sources                  *table
	sourceCard               fyne.CanvasObject
	facts                    *facts
	factCard                 fyne.CanvasObject
	timeline                 *table
	timeCard                 fyne.CanvasObject
	why                      *kit.Words
	scroll                   *container.Scroll
	shown                    string // whose parts are in sight; "" is all downloads
	root                     fyne.CanvasObject
}

// New returns the view with nothing to show yet.
func New(do Actions) *View {
	v := &View{do: do, name: kit.Heading(""), sub: kit.Small("", theme.Muted)}
	v.name.Scale = stock.SizeNameSubHeadingText
	v.back = kit.NewTool(lang.L("Back to the list"), "arrow_back", do.Back)
	head := container.NewBorder(nil, nil, v.back, nil, kit.Middle(kit.Column(2, v.name, v.sub)))

	cards := kit.Column(theme.Space*3/2, v.problemCard(), v.speedCard(), v.piecesCard(), v.sourcesCard(), v.factsCard(), v.timelineCard())
	v.scroll = container.NewVScroll(kit.Pad(cards, theme.Space/2, theme.Space))
	v.root = container.NewBorder(kit.Pad(kit.Tall(head, 5*theme.Space), theme.Space*3/2, theme.Space), nil, nil, nil, v.scroll)
	return v
}

// Object is what a window shows.
func (v *View) Object() fyne.CanvasObject { return v.root }

// Alone says whether the view has the window for itself and needs a way back to the list.
func (v *View) Alone(alone bool) {
	if alone {
		v.back.Show()
	} else {
		v.back.Hide()
	}
}

func (v *View) problemCard() fyne.CanvasObject {
	v.problemTitle, v.problemText = kit.Title(""), kit.Sentence("", false)
	v.retry = kit.Primary(lang.L("Try again"), "replay", nil)
	body := kit.Column(theme.Space/2, v.problemTitle, v.problemText, container.NewHBox(v.retry))
	v.problem = kit.Card(body)
	v.problem.Hide()
	return v.problem
}

func (v *View) speedCard() fyne.CanvasObject {
	v.rate = kit.Title("")
	v.rate.Scale, v.rate.Cut = stock.SizeNameHeadingText, false
	v.edgeRate, v.peerRate = kit.Small("", theme.Edge), kit.Small("", theme.Peers)
	v.edgeRate.Cut, v.peerRate.Cut = false, false
	v.peak = kit.Small("", theme.Muted)
	v.peak.Align = fyne.TextAlignTrailing
	v.graph = kit.NewGraph()
	span := kit.Small(lang.L("last 2 minutes"), theme.Muted)
	head := container.NewBorder(nil, nil, v.rate, nil, container.NewHBox(layout.NewSpacer(), kit.Middle(kit.Row(dot(theme.Edge), v.edgeRate, kit.Fixed(kit.NewText(""), theme.Space), dot(theme.Peers), v.peerRate))))
	v.why = kit.Sentence("", true)
	return kit.Card(kit.Column(theme.Space, kit.Between(kit.Small(lang.L("Speed by source"), theme.Muted)), head,
		kit.Tall(v.graph, 16*theme.Space), kit.Between(span, kit.Fixed(v.peak, 18*theme.Space)), v.why))
}

// dot marks a line of a legend with its colour.
func dot(color fyne.ThemeColorName) fyne.CanvasObject {
	return kit.Middle(container.NewGridWrap(fyne.NewSquareSize(theme.Space), kit.NewPanel(color, theme.Space/2)))
}

func (v *View) piecesCard() fyne.CanvasObject {
	v.pieces, v.pieceSum = kit.NewPieceMap(), kit.Small("", theme.Muted)
	v.pieceSum.Align = fyne.TextAlignTrailing
	keys := container.New(layout.NewRowWrapLayoutWithCustomPadding(theme.Space*3/2, theme.Space/2))
	colors := []fyne.ThemeColorName{theme.Track, theme.Asked, theme.Had, theme.Edge, theme.Peers}
	for _, i := range []model.Piece{model.PieceFromEdge, model.PieceFromPeers, model.PieceHad, model.PieceAsked, model.PieceMissing} {
		v.legend[i] = kit.Small("", theme.Muted)
		v.legend[i].Cut = false
		keys.Add(kit.Row(dot(colors[i]), v.legend[i]))
	}
	v.pieceCard = kit.Card(kit.Column(theme.Space, kit.Between(kit.Title(lang.L("Pieces")), kit.Fixed(v.pieceSum, 22*theme.Space)),
		kit.Tall(v.pieces, 15*theme.Space), keys))
	return v.pieceCard
}

func (v *View) sourcesCard() fyne.CanvasObject {
	v.sources = newTable(column{share: 4.5}, column{share: 4.5}, column{share: 3, trailing: true}, column{share: 3, trailing: true})
	v.sourceCard = kit.Card(kit.Column(theme.Space, kit.Title(lang.L("Sources")), v.sources.root))
	return v.sourceCard
}

func (v *View) factsCard() fyne.CanvasObject {
	v.facts = newFacts(v.do.Copy)
	v.factCard = kit.Card(kit.Column(theme.Space, kit.Title(lang.L("About this download")), v.facts.root))
	return v.factCard
}

func (v *View) timelineCard() fyne.CanvasObject {
	v.timeline = newTable(column{share: 2}, column{share: 8, wrap: true})
	log := kit.Quiet(lang.L("Show the service's log"), "history", v.do.Log)
	v.timeCard = kit.Card(kit.Column(theme.Space, kit.Title(lang.L("What happened")), v.timeline.root, container.NewHBox(log)))
	return v.timeCard
}

// ShowAll shows the speed of all downloads together.
func (v *View) ShowAll(t model.Totals, h *model.History) {
	v.name.Set(lang.L("All downloads"))
	v.sub.Set(lang.N("{{.n}} active", t.Count[model.FilterActive], map[string]any{"n": t.Count[model.FilterActive]}))
	v.speed(t.EdgeRate, t.PeerRate, h)
	v.sayWhy(lang.L("Choose a download to see its pieces and each of its sources."))
	for _, card := range []fyne.CanvasObject{v.problem, v.pieceCard, v.sourceCard, v.factCard, v.timeCard} {
		card.Hide()
	}
	v.turnTo("")
}

// turnTo begins at the top when another download, or all of them, come into sight: what has been scrolled to may not be there.
func (v *View) turnTo(id string) {
	if v.shown != id {
		v.shown = id
		v.scroll.ScrollToTop()
	}
}

// Show shows one download. Until the service has answered with the details, only the snapshot in d is filled.
func (v *View) Show(d *api.Detail, h *model.History) {
	v.name.Set(d.Name)
	v.sub.Set(say.Facts(&d.Download))
	v.speed(d.EdgeRate, d.PeerRate, h)
	v.sayWhy(say.Phrase(d.WhySay, d.Why))
	v.showProblem(d)
	v.showPieces(d)
	v.showSources(d)
	v.facts.show(&d.Download)
	v.showTimeline(d)
	kit.SetVisible(v.factCard, true)
	v.turnTo(d.ID)
}

func (v *View) sayWhy(text string) {
	kit.SetVisible(v.why, text != "")
	v.why.Set(text)
}

func (v *View) speed(edge, peers int64, h *model.History) {
	v.rate.Set(say.Rate(edge + peers))
	v.edgeRate.Set(lang.L("Edge {{.rate}}", map[string]any{"rate": say.Rate(edge)}))
	v.peerRate.Set(lang.L("Peers {{.rate}}", map[string]any{"rate": say.Rate(peers)}))
	top := model.Ceiling(h.Peak())
	v.peak.Set(lang.L("top line {{.rate}}", map[string]any{"rate": say.Rate(top)}))
	v.graph.Set(h.Points(), top)
}

func (v *View) showProblem(d *api.Detail) {
	kit.SetVisible(v.problem, d.Problem != nil)
	if d.Problem == nil {
		return
	}
	color := stock.ColorNameWarning
	if d.Problem.Severity == api.SeverityError {
		color = stock.ColorNameError
	}
	v.problemTitle.Paint(say.Problem(d.Problem), color)
	v.problemText.Set(say.ProblemText(d.Problem))
	shot := d.Download
	v.retry.OnTapped = func() { v.do.Remedy(&shot) }
}

func (v *View) showPieces(d *api.Detail) {
	kit.SetVisible(v.pieceCard, d.Pieces != "")
	if d.Pieces == "" {
		return
	}
	v.pieces.Set(d.Pieces)
	count := model.PieceCount(d.Pieces)
	done := count[model.PieceHad] + count[model.PieceFromEdge] + count[model.PieceFromPeers]
	v.pieceSum.Set(lang.L("{{.done}} of {{.all}} · {{.size}} each", map[string]any{"done": done, "all": len(d.Pieces), "size": say.Bytes(d.PieceLength)}))
	for piece, text := range map[model.Piece]string{
		model.PieceFromEdge: lang.L("Edge {{.n}}", count1(count[model.PieceFromEdge])), model.PieceFromPeers: lang.L("Peers {{.n}}", count1(count[model.PieceFromPeers])),
		model.PieceHad: lang.L("Before {{.n}}", count1(count[model.PieceHad])), model.PieceAsked: lang.L("On its way {{.n}}", count1(count[model.PieceAsked])),
		model.PieceMissing: lang.L("Missing {{.n}}", count1(count[model.PieceMissing])),
	} {
		v.legend[piece].Set(text)
	}
}

func count1(n int) map[string]any { return map[string]any{"n": n} }

func (v *View) showSources(d *api.Detail) {
	kit.SetVisible(v.sourceCard, len(d.Sources) > 0)
	lines := [][]cell{{{lang.L("Source"), theme.Muted}, {lang.L("How"), theme.Muted}, {lang.L("Received"), theme.Muted}, {lang.L("Speed"), theme.Muted}}}
	for _, s := range d.Sources {
		color := theme.Edge
		if s.Kind != "edge" {
			color = theme.Peers
		}
		how := say.Path(s)
		if s.Rate == 0 { // else its speed says what it does, and there is little room
			how = say.Join(how, say.Source(s))
		}
		lines = append(lines, []cell{{s.Name, color}, {how, theme.Muted}, {say.Bytes(s.Received), ""}, {say.Rate(s.Rate), ""}})
	}
	v.sources.show(lines)
}

func (v *View) showTimeline(d *api.Detail) {
	kit.SetVisible(v.timeCard, len(d.Timeline) > 0)
	const most = 30 // the rest is in the log
	var lines [][]cell
	for i := len(d.Timeline) - 1; i >= 0 && len(lines) < most; i-- {
		h := d.Timeline[i]
		lines = append(lines, []cell{{h.Time.Local().Format("15:04:05"), theme.Muted}, {say.Phrase(h.Say, h.Text), ""}})
	}
	v.timeline.show(lines)
}

// facts is the list of what is known of a download.
type facts struct {
	root  *fyne.Container
	copy  func(string)
	table *table
	link  *kit.Button
	sum   *kit.Button
	d     api.Download
}

func newFacts(copy func(string)) *facts {
	f := &facts{copy: copy, table: newTable(column{share: 4}, column{share: 6})}
	f.link = kit.Quiet(lang.L("Copy link"), "link", func() { f.copy(f.d.URL) })
	f.sum = kit.Quiet(lang.L("Copy SHA-256"), "content_copy", func() { f.copy(f.d.SHA256) })
	f.root = kit.Column(theme.Space, f.table.root, container.NewHBox(f.link, f.sum))
	return f
}

func (f *facts) show(d *api.Download) {
	f.d = *d
	kit.SetVisible(f.sum, d.SHA256 != "")
	trust := stock.ColorNameWarning
	if d.Verdict != api.VerdictUnverified {
		trust = stock.ColorNameSuccess
	}
	lines := [][]cell{
		{{lang.L("Trust"), theme.Muted}, {say.Verdict(d.Verdict), trust}},
		{{lang.L("From the edge"), theme.Muted}, {say.Bytes(d.BytesFromEdge), theme.Edge}},
		{{lang.L("From peers"), theme.Muted}, {say.Bytes(d.BytesFromPeers), theme.Peers}},
		{{lang.L("Sent to peers"), theme.Muted}, {say.Bytes(d.BytesUploaded), ""}},
		{{lang.L("Received in vain"), theme.Muted}, {say.Bytes(d.BytesWasted), ""}},
	}
	if d.BytesFromPeers > 0 {
		lines = append(lines, []cell{{lang.L("Saved"), theme.Muted}, {say.Given(d), ""}})
	}
	if d.Publisher != "" {
		lines = append(lines, []cell{{lang.L("Publisher"), theme.Muted}, {d.Publisher, ""}})
	}
	if d.Active > 0 {
		lines = append(lines, []cell{{lang.L("Time spent"), theme.Muted}, {say.Span(time.Duration(d.Active) * time.Second), ""}})
	}
	lines = append(lines, []cell{{lang.L("Folder"), theme.Muted}, {d.Path, ""}}, []cell{{lang.L("Link"), theme.Muted}, {d.URL, ""}})
	f.table.show(lines)
}

package kit

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	stock "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/tributary-dl/tributary/ui/theme"
)

const barHeight float32 = 6

// Bar shows how much of a whole came from the edge and from peers. The numbers stand beside it as text: colours alone
// say nothing to some.
type Bar struct {
	widget.BaseWidget
	edge, peers float64
}

// NewBar returns an empty bar.
func NewBar() *Bar {
	b := &Bar{}
	b.ExtendBaseWidget(b)
	return b
}

// Set changes the two shares, 0 to 1 each.
func (b *Bar) Set(edge, peers float64) {
	if b.edge == edge && b.peers == peers {
		return
	}
	b.edge, b.peers = edge, peers
	b.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (b *Bar) CreateRenderer() fyne.WidgetRenderer {
	r := &barRenderer{b: b, track: canvas.NewRectangle(color.Transparent), edge: canvas.NewRectangle(color.Transparent), peers: canvas.NewRectangle(color.Transparent)}
	r.Refresh()
	return r
}

type barRenderer struct {
	b                  *Bar
	track, edge, peers *canvas.Rectangle
}

func (r *barRenderer) MinSize() fyne.Size { return fyne.NewSize(8*theme.Space, barHeight) }

func (r *barRenderer) Layout(size fyne.Size) {
	r.track.Resize(size)
	edge, peers := size.Width*float32(r.b.edge), size.Width*float32(r.b.peers)
	r.edge.Resize(fyne.NewSize(edge, size.Height))
	r.peers.Resize(fyne.NewSize(peers, size.Height))
	r.peers.Move(fyne.NewPos(edge, 0))
	r.edge.Hidden, r.peers.Hidden = edge == 0, peers == 0 // even without width they would leave a trace
	// Only the ends of the whole are round; where the two streams meet, they touch.
	round := size.Height / 2
	r.edge.TopLeftCornerRadius, r.edge.BottomLeftCornerRadius = round, round
	r.edge.TopRightCornerRadius, r.edge.BottomRightCornerRadius = roundIf(peers == 0, round), roundIf(peers == 0, round)
	r.peers.TopRightCornerRadius, r.peers.BottomRightCornerRadius = round, round
	r.peers.TopLeftCornerRadius, r.peers.BottomLeftCornerRadius = roundIf(edge == 0, round), roundIf(edge == 0, round)
}

func roundIf(end bool, radius float32) float32 {
	if end {
		return radius
	}
	return 0
}

func (r *barRenderer) Refresh() {
	r.track.FillColor = stock.ColorForWidget(theme.Track, r.b)
	r.edge.FillColor = stock.ColorForWidget(theme.Edge, r.b)
	r.peers.FillColor = stock.ColorForWidget(theme.Peers, r.b)
	r.track.CornerRadius = barHeight / 2
	r.Layout(r.b.Size())
	for _, o := range r.Objects() {
		o.Refresh()
	}
}

func (r *barRenderer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{r.track, r.edge, r.peers}
}
func (r *barRenderer) Destroy() {}

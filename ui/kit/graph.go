package kit

import (
	"image"
	"image/color"
	"image/draw"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	stock "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
	"golang.org/x/image/vector"

	"github.com/tributary-dl/tributary/ui/model"
	"github.com/tributary-dl/tributary/ui/theme"
)

// Graph draws the speed of the last minutes: the edge's share below, the peers' on top of it, so that the upper line is
// the whole. One picture, not one object a line: there are many points and they all move.
type Graph struct {
	widget.BaseWidget
	points  []model.Point
	ceiling int64
	picture *image.NRGBA // reused from one drawing to the next
}

// NewGraph returns an empty graph.
func NewGraph() *Graph {
	g := &Graph{ceiling: model.Ceiling(0)}
	g.ExtendBaseWidget(g)
	return g
}

// Set changes the points and the top of the scale, bytes a second.
func (g *Graph) Set(points []model.Point, ceiling int64) {
	g.points, g.ceiling = points, ceiling
	g.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (g *Graph) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(canvas.NewRaster(g.draw))
}

// MinSize implements fyne.CanvasObject.
func (g *Graph) MinSize() fyne.Size { return fyne.NewSize(10*theme.Space, 12*theme.Space) }

// draw paints w times h pixels of the screen.
func (g *Graph) draw(w, h int) image.Image {
	if g.picture == nil || g.picture.Bounds().Dx() != w || g.picture.Bounds().Dy() != h {
		g.picture = image.NewNRGBA(image.Rect(0, 0, w, h))
	} else {
		clear(g.picture.Pix)
	}
	line := stock.ColorForWidget(theme.Border, g)
	for i := range 4 {
		y := i * (h - 1) / 4
		draw.Draw(g.picture, image.Rect(0, y, w, y+1), image.NewUniform(line), image.Point{}, draw.Src)
	}
	if len(g.points) < 2 || w < 2 || h < 2 {
		return g.picture
	}
	edge := func(p model.Point) int64 { return p.Edge }
	both := func(p model.Point) int64 { return p.Edge + p.Peers }
	g.area(both, theme.PeersFill)
	g.area(edge, theme.EdgeFill)
	g.line(both, theme.Peers)
	g.line(edge, theme.Edge)
	return g.picture
}

func (g *Graph) at(p model.Point, value int64) (x, y float32) {
	w, h := float32(g.picture.Bounds().Dx()), float32(g.picture.Bounds().Dy())
	return float32(p.X) * w, h - 1 - (h-3)*min(float32(value)/float32(g.ceiling), 1)
}

func (g *Graph) area(value func(model.Point) int64, fill fyne.ThemeColorName) {
	r := g.rasterizer()
	h := float32(g.picture.Bounds().Dy())
	x, _ := g.at(g.points[0], 0)
	r.MoveTo(x, h)
	for _, p := range g.points {
		r.LineTo(g.at(p, value(p)))
	}
	x, _ = g.at(g.points[len(g.points)-1], 0)
	r.LineTo(x, h)
	r.ClosePath()
	g.paint(r, stock.ColorForWidget(fill, g))
}

// line draws a stroke as the strip between the curve and itself a little lower.
func (g *Graph) line(value func(model.Point) int64, stroke fyne.ThemeColorName) {
	const thick = 1.75
	r := g.rasterizer()
	for i, p := range g.points {
		x, y := g.at(p, value(p))
		if i == 0 {
			r.MoveTo(x, y-thick/2)
		} else {
			r.LineTo(x, y-thick/2)
		}
	}
	for i := len(g.points) - 1; i >= 0; i-- {
		x, y := g.at(g.points[i], value(g.points[i]))
		r.LineTo(x, y+thick/2)
	}
	r.ClosePath()
	g.paint(r, stock.ColorForWidget(stroke, g))
}

func (g *Graph) rasterizer() *vector.Rasterizer {
	return vector.NewRasterizer(g.picture.Bounds().Dx(), g.picture.Bounds().Dy())
}

func (g *Graph) paint(r *vector.Rasterizer, c color.Color) {
	r.Draw(g.picture, g.picture.Bounds(), image.NewUniform(c), image.Point{})
}

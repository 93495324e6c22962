package kit

import (
	"image"
	"image/draw"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	stock "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/tributary-dl/tributary/ui/model"
	"github.com/tributary-dl/tributary/ui/theme"
)

// Bounds of a cell of the map with its gap, in pixels of the screen.
const (
	smallestCell = 5.0
	largestCell  = 22.0
)

// PieceMap shows the pieces of a download as cells, in the order of the file. The cells grow and shrink so that they fill
// the room; where there are more pieces than fit, a cell stands for several.
type PieceMap struct {
	widget.BaseWidget
	pieces  string // letters of engine/api
	picture *image.NRGBA
}

// NewPieceMap returns an empty map.
func NewPieceMap() *PieceMap {
	m := &PieceMap{}
	m.ExtendBaseWidget(m)
	return m
}

// Set changes the pieces, one letter each.
func (m *PieceMap) Set(pieces string) {
	if m.pieces == pieces {
		return
	}
	m.pieces = pieces
	m.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (m *PieceMap) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(canvas.NewRaster(m.draw))
}

// MinSize implements fyne.CanvasObject.
func (m *PieceMap) MinSize() fyne.Size { return fyne.NewSize(10*theme.Space, 10*theme.Space) }

var pieceColors = map[model.Piece]fyne.ThemeColorName{
	model.PieceMissing: theme.Track, model.PieceAsked: theme.Asked, model.PieceHad: theme.Had,
	model.PieceFromEdge: theme.Edge, model.PieceFromPeers: theme.Peers,
}

func (m *PieceMap) draw(w, h int) image.Image {
	if m.picture == nil || m.picture.Bounds().Dx() != w || m.picture.Bounds().Dy() != h {
		m.picture = image.NewNRGBA(image.Rect(0, 0, w, h))
	} else {
		clear(m.picture.Pix)
	}
	columns, rows, side := grid(len(m.pieces), w, h)
	if columns == 0 {
		return m.picture
	}
	fills := map[model.Piece]*image.Uniform{}
	for piece, name := range pieceColors {
		fills[piece] = image.NewUniform(stock.ColorForWidget(name, m))
	}
	gap := 1
	if side > 9 {
		gap = 2
	}
	for i, piece := range model.Condense(m.pieces, columns*rows) {
		// Columns share the width exactly; rows keep the cells' shape.
		x0, x1 := (i%columns)*w/columns, (i%columns+1)*w/columns
		y0, y1 := int(float64(i/columns)*side), int(float64(i/columns+1)*side)
		draw.Draw(m.picture, image.Rect(x0, y0, x1-gap, y1-gap), fills[piece], image.Point{}, draw.Src)
	}
	return m.picture
}

// grid finds the largest square cell with which all pieces fit, within bounds.
func grid(pieces, w, h int) (columns, rows int, side float64) {
	if pieces == 0 || w < smallestCell || h < smallestCell {
		return 0, 0, 0
	}
	side = min(math.Sqrt(float64(w)*float64(h)/float64(pieces)), largestCell)
	for ; side > smallestCell; side -= 0.5 {
		columns = int(float64(w) / side)
		if columns > 0 && (pieces+columns-1)/columns <= int(float64(h)/side) {
			break
		}
	}
	side = max(side, smallestCell)
	columns = max(int(float64(w)/side), 1)
	side = float64(w) / float64(columns) // cells stay square when the columns are spread over the width
	return columns, max(int(float64(h)/side), 1), side
}

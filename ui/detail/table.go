package detail

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	stock "fyne.io/fyne/v2/theme"

	"github.com/tributary-dl/tributary/ui/kit"
	"github.com/tributary-dl/tributary/ui/theme"
)

// column is a column of a table: its share of the width and where its text ends.
type column struct {
	share    float32
	trailing bool
	wrap     bool // several lines rather than cut
}

// cell is a text and its colour; no colour is that of text.
type cell struct {
	text  string
	color fyne.ThemeColorName
}

// table shows a few lines in columns that line up. Its widgets are used again from one snapshot to the next.
type table struct {
	columns []column
	root    *fyne.Container
	lines   []*fyne.Container
}

func newTable(columns ...column) *table {
	return &table{columns: columns, root: kit.Column(theme.Space * 3 / 4)}
}

func (t *table) show(lines [][]cell) {
	for len(t.lines) < len(lines) {
		t.grow()
	}
	for i, line := range t.lines {
		kit.SetVisible(line, i < len(lines))
		if i >= len(lines) {
			continue
		}
		for j, c := range lines[i] {
			if c.color == "" {
				c.color = stock.ColorNameForeground
			}
			switch o := line.Objects[j].(type) {
			case *kit.Text:
				o.Paint(c.text, c.color)
			case *kit.Words:
				o.Set(c.text)
			}
		}
	}
}

func (t *table) grow() {
	line := container.New(columns(t.columns))
	for _, c := range t.columns {
		if c.wrap {
			line.Add(kit.Sentence("", false).Small())
			continue
		}
		text := kit.Small("", stock.ColorNameForeground)
		if c.trailing {
			text.Align = fyne.TextAlignTrailing
		}
		line.Add(text)
	}
	t.lines = append(t.lines, line)
	t.root.Add(line)
}

// columns lays out the cells of one line.
type columns []column

func (c columns) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var h float32
	for _, o := range objects {
		h = max(h, o.MinSize().Height)
	}
	return fyne.NewSize(0, h)
}

func (c columns) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	var whole, x float32
	for _, col := range c {
		whole += col.share
	}
	room := size.Width - theme.Space*float32(len(c)-1)
	for i, o := range objects {
		w := room * c[i].share / whole
		o.Move(fyne.NewPos(x, 0))
		o.Resize(fyne.NewSize(w, size.Height))
		x += w + theme.Space
	}
}

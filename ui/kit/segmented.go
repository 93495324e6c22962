package kit

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	stock "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/tributary-dl/tributary/ui/theme"
)

// Segmented is a row of choices of which one holds. Left and Right move the choice.
type Segmented struct {
	widget.DisableableWidget
	OnChanged func(index int) // by the user, never by Set

	chosen  int
	focused bool
	ground  *Panel
	cells   []*Panel
	texts   []*Text
	root    *fyne.Container
}

// NewSegmented returns a row of choices, the first chosen.
func NewSegmented(options ...string) *Segmented {
	s := &Segmented{ground: NewPanel(theme.Track, theme.Space)}
	s.root = container.NewGridWithColumns(len(options))
	for _, o := range options {
		cell, text := NewPanel("", theme.Space*3/4), NewText(o)
		text.Align = fyne.TextAlignCenter
		s.cells, s.texts = append(s.cells, cell), append(s.texts, text)
		s.root.Add(container.NewStack(Pad(cell, 0, 0), Pad(text, theme.Space*3/4, theme.Space)))
	}
	s.ExtendBaseWidget(s)
	s.paint()
	return s
}

// Set chooses without telling OnChanged.
func (s *Segmented) Set(index int) {
	if s.chosen != index {
		s.chosen = index
		s.paint()
	}
}

// Chosen is the index of the choice that holds.
func (s *Segmented) Chosen() int { return s.chosen }

func (s *Segmented) choose(index int) {
	if s.Disabled() || index < 0 || index >= len(s.cells) || index == s.chosen {
		return
	}
	s.Set(index)
	if s.OnChanged != nil {
		s.OnChanged(index)
	}
}

func (s *Segmented) paint() {
	for i, cell := range s.cells {
		fill, text := fyne.ThemeColorName(""), theme.Muted
		if i == s.chosen {
			fill, text = stock.ColorNamePrimary, stock.ColorNameForegroundOnPrimary
			if s.Disabled() {
				fill, text = stock.ColorNameDisabledButton, stock.ColorNameDisabled
			}
		}
		stroke := fyne.ThemeColorName("")
		if i == s.chosen && s.focused {
			stroke = stock.ColorNameForeground
		}
		cell.Recolor(fill, stroke)
		s.texts[i].Bold = i == s.chosen
		s.texts[i].Paint(s.texts[i].Content(), text)
		s.texts[i].Refresh()
	}
}

// Disable implements fyne.Disableable.
func (s *Segmented) Disable() { s.DisableableWidget.Disable(); s.paint() }

// Enable implements fyne.Disableable.
func (s *Segmented) Enable() { s.DisableableWidget.Enable(); s.paint() }

// Tapped implements fyne.Tappable.
func (s *Segmented) Tapped(e *fyne.PointEvent) {
	if w := s.Size().Width; w > 0 {
		s.choose(int(e.Position.X * float32(len(s.cells)) / w))
	}
}

// FocusGained implements fyne.Focusable.
func (s *Segmented) FocusGained() { s.focused = true; s.paint() }

// FocusLost implements fyne.Focusable.
func (s *Segmented) FocusLost() { s.focused = false; s.paint() }

// TypedRune implements fyne.Focusable.
func (s *Segmented) TypedRune(rune) {}

// TypedKey implements fyne.Focusable.
func (s *Segmented) TypedKey(e *fyne.KeyEvent) {
	if Escaped(s, e) {
		return
	}
	switch e.Name {
	case fyne.KeyLeft:
		s.choose(s.chosen - 1)
	case fyne.KeyRight:
		s.choose(s.chosen + 1)
	}
}

// CreateRenderer implements fyne.Widget.
func (s *Segmented) CreateRenderer() fyne.WidgetRenderer {
	return widget.NewSimpleRenderer(container.NewStack(s.ground, Pad(s.root, 3, 3)))
}

// foldedNav is the width below which an entry of the navigation shows its symbol alone.
const foldedNav = 8 * theme.Space

// NavItem is an entry of the navigation: a symbol, a name, a count. When there is little room it shows the symbol alone.
type NavItem struct {
	widget.BaseWidget
	OnTapped func()

	symbol   string
	ground   *Panel
	icon     *widget.Icon
	name     *Text
	count    *Text
	selected bool
	focused  bool
	hovered  bool
	tip      tip
}

// NewNavItem returns an entry.
func NewNavItem(symbol, name string, tapped func()) *NavItem {
	n := &NavItem{OnTapped: tapped, symbol: symbol, ground: NewPanel("", theme.Space), icon: widget.NewIcon(theme.Icon(symbol)), name: NewText(name), count: Number("")}
	n.name.Cut = true
	n.count.Scale = stock.SizeNameCaptionText
	n.ExtendBaseWidget(n)
	n.paint()
	return n
}

// SetCount changes the number at the right; an empty text shows none.
func (n *NavItem) SetCount(count string) { n.count.Set(count) }

// Select marks the entry as the page that is shown.
func (n *NavItem) Select(selected bool) {
	if n.selected != selected {
		n.selected = selected
		n.paint()
	}
}

func (n *NavItem) paint() {
	fill, stroke, text := fyne.ThemeColorName(""), fyne.ThemeColorName(""), theme.Muted
	symbol := theme.Tinted(n.symbol, theme.Muted)
	if n.hovered {
		fill = stock.ColorNameHover
	}
	if n.selected {
		fill, text, symbol = theme.Chosen, stock.ColorNameForeground, theme.Tinted(n.symbol, theme.Edge)
	}
	if n.focused {
		stroke = theme.Edge
	}
	n.ground.Recolor(fill, stroke)
	n.icon.SetResource(symbol)
	n.name.Bold = n.selected
	n.name.Paint(n.name.Content(), text)
	n.name.Refresh()
	n.count.Paint(n.count.Content(), theme.Muted)
}

// Tapped implements fyne.Tappable.
func (n *NavItem) Tapped(*fyne.PointEvent) {
	n.tip.end(n)
	n.OnTapped()
}

// MouseIn implements desktop.Hoverable.
func (n *NavItem) MouseIn(*desktop.MouseEvent) {
	n.hovered = true
	n.paint()
	if n.Size().Width < foldedNav {
		n.tip.await(n, n.name.Content())
	}
}

// MouseMoved implements desktop.Hoverable.
func (n *NavItem) MouseMoved(*desktop.MouseEvent) {}

// MouseOut implements desktop.Hoverable.
func (n *NavItem) MouseOut() {
	n.hovered = false
	n.paint()
	n.tip.end(n)
}

// FocusGained implements fyne.Focusable.
func (n *NavItem) FocusGained() { n.focused = true; n.paint() }

// FocusLost implements fyne.Focusable.
func (n *NavItem) FocusLost() { n.focused = false; n.paint() }

// TypedRune implements fyne.Focusable.
func (n *NavItem) TypedRune(rune) {}

// TypedKey implements fyne.Focusable.
func (n *NavItem) TypedKey(e *fyne.KeyEvent) {
	if !Escaped(n, e) && presses(e) {
		n.OnTapped()
	}
}

// MinSize implements fyne.CanvasObject: the symbol alone.
func (n *NavItem) MinSize() fyne.Size { return fyne.NewSize(5*theme.Space, 5*theme.Space) }

// CreateRenderer implements fyne.Widget.
func (n *NavItem) CreateRenderer() fyne.WidgetRenderer {
	line := container.NewBorder(nil, nil, Fixed(Middle(n.icon), 20), nil, Folding(container.NewBorder(nil, nil, nil, Middle(n.count), Pad(Middle(n.name), 0, theme.Space/2))))
	return widget.NewSimpleRenderer(container.NewStack(n.ground, Pad(line, 0, 10)))
}

// Folding hides an object when there is not even room for a few letters.
func Folding(o fyne.CanvasObject) *fyne.Container { return container.New(folding{}, o) }

type folding struct{}

func (folding) MinSize(o []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(0, o[0].MinSize().Height)
}

func (folding) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Resize(size)
		if size.Width < 4*theme.Space {
			o.Hide()
		} else {
			o.Show()
		}
	}
}

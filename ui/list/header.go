package list

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"github.com/tributary-dl/tributary/ui/kit"
	"github.com/tributary-dl/tributary/ui/theme"
)

// folding is a button that shows its symbol alone, with a tip, where there is no room for its text.
type folding struct {
	full *kit.Button
	tool *kit.Tool
	tip  string // instead of the button's text
	root *fyne.Container
}

func newFolding(full *kit.Button, tip string) *folding {
	f := &folding{full: full, tip: tip, tool: kit.NewTool("", "add", full.OnTapped)}
	f.tool.Importance, f.tool.Icon = full.Importance, full.Icon
	f.root = container.NewStack(full, f.tool)
	f.set(full.Text, "", true)
	f.fold(false)
	return f
}

// set changes what the button says; an empty symbol keeps the one it has.
func (f *folding) set(text, symbol string, enabled bool) {
	if f.full.Text != text && symbol != "" {
		f.full.SetIcon(theme.Icon(symbol))
		f.tool.SetIcon(theme.Icon(symbol))
		f.full.SetText(text)
	}
	f.tool.Tip = text
	if f.tip != "" {
		f.tool.Tip = f.tip + ": " + text
	}
	kit.SetEnabled(f.full, enabled)
	kit.SetEnabled(f.tool, enabled)
}

func (f *folding) fold(narrow bool) {
	kit.SetVisible(f.full, !narrow)
	kit.SetVisible(f.tool, narrow)
}

// width is what the button needs, folded or not.
func (f *folding) width(narrow bool) float32 {
	if narrow {
		return f.tool.MinSize().Width
	}
	return f.full.MinSize().Width
}

// inSight is the one of its two buttons that shows.
func (f *folding) inSight() fyne.CanvasObject {
	if f.tool.Visible() {
		return f.tool
	}
	return f.full
}

// header lays out title, search and buttons. Where there is little room the search shrinks first, then the buttons fold
// one after the other; none ever disappears.
type header struct{ v *View }

const (
	widestSearch    = 32 * theme.Space
	narrowestSearch = 22 * theme.Space
	headerHeight    = 5 * theme.Space
)

// buttons are those of the header in the order in which they fold.
func (h header) buttons() []*folding { return []*folding{h.v.order, h.v.all, h.v.add} }

func (h header) MinSize(o []fyne.CanvasObject) fyne.Size {
	width := o[0].MinSize().Width/2 + narrowestSearch + theme.Space
	for _, b := range h.buttons() {
		width += b.width(true) + theme.Space
	}
	return fyne.NewSize(width, headerHeight)
}

func (h header) Layout(o []fyne.CanvasObject, size fyne.Size) {
	title := fyne.MeasureText(h.v.title.Content(), h.v.title.TextSize(), fyne.TextStyle{Bold: true}).Width
	folded := 0
	for folded < len(h.buttons()) && title+narrowestSearch+h.width(folded) > size.Width {
		folded++
	}
	right := size.Width
	for i := len(h.buttons()) - 1; i >= 0; i-- {
		b := h.buttons()[i]
		b.fold(i < folded)
		w, height := b.width(i < folded), b.inSight().MinSize().Height
		right -= w
		b.root.Resize(fyne.NewSize(w, height))
		b.root.Move(fyne.NewPos(right, (size.Height-height)/2))
		right -= theme.Space
	}
	search, height := min(widestSearch, max(right-title-2*theme.Space, narrowestSearch)), o[1].MinSize().Height
	o[1].Resize(fyne.NewSize(search, height))
	o[1].Move(fyne.NewPos(right-search, (size.Height-height)/2))
	height = o[0].MinSize().Height
	o[0].Resize(fyne.NewSize(max(right-search-theme.Space, 0), height))
	o[0].Move(fyne.NewPos(0, (size.Height-height)/2))
}

// width is what all buttons need with some of them folded.
func (h header) width(folded int) (w float32) {
	for i, b := range h.buttons() {
		w += b.width(i < folded) + theme.Space
	}
	return w + theme.Space
}

package kit

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Text is one line of text in a colour and size of the theme. Unlike a label it has no padding, so that columns line
// up, and it can be cut with … to the room it is given.
type Text struct {
	widget.BaseWidget

	Color fyne.ThemeColorName // ColorNameForeground if empty
	Scale fyne.ThemeSizeName  // SizeNameText if empty
	Bold  bool
	Align fyne.TextAlign
	Cut   bool // may be narrower than its text

	text string
}

// NewText returns a line of text. Set the fields before it is shown.
func NewText(text string) *Text {
	t := &Text{text: text}
	t.ExtendBaseWidget(t)
	return t
}

// Heading returns the title of a page.
func Heading(text string) *Text {
	t := NewText(text)
	t.Scale, t.Bold, t.Cut = theme.SizeNameHeadingText, true, true
	return t
}

// Title returns the title of a card.
func Title(text string) *Text {
	t := NewText(text)
	t.Bold, t.Cut = true, true
	return t
}

// Small returns a line of small text in a colour.
func Small(text string, color fyne.ThemeColorName) *Text {
	t := NewText(text)
	t.Scale, t.Color, t.Cut = theme.SizeNameCaptionText, color, true
	return t
}

// Number returns a line that ends at the right edge of its room and is never cut.
func Number(text string) *Text {
	t := NewText(text)
	t.Align = fyne.TextAlignTrailing
	return t
}

// Content is the whole text, however little of it is visible.
func (t *Text) Content() string { return t.text }

// TextSize is the size of the letters.
func (t *Text) TextSize() float32 {
	return theme.SizeForWidget(fyne.ThemeSizeName(orName(string(t.Scale), string(theme.SizeNameText))), t)
}

// Set changes the text. Nothing is drawn again when it stays the same.
func (t *Text) Set(text string) {
	if t.text == text {
		return
	}
	t.text = text
	t.Refresh()
}

// Paint changes text and colour.
func (t *Text) Paint(text string, color fyne.ThemeColorName) {
	if t.text == text && t.Color == color {
		return
	}
	t.text, t.Color = text, color
	t.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (t *Text) CreateRenderer() fyne.WidgetRenderer {
	r := &textRenderer{t: t, line: canvas.NewText("", nil)}
	r.Refresh()
	return r
}

type textRenderer struct {
	t    *Text
	line *canvas.Text
	// What the line was cut from, so that measuring happens only after a change.
	full  string
	width float32
	size  float32
}

func (r *textRenderer) style() fyne.TextStyle { return fyne.TextStyle{Bold: r.t.Bold} }

func (r *textRenderer) MinSize() fyne.Size {
	min := fyne.MeasureText(r.t.text, r.t.TextSize(), r.style())
	if r.t.Cut {
		min.Width = 0
	}
	return min
}

func (r *textRenderer) Layout(size fyne.Size) {
	r.line.Resize(size)
	r.cut(size.Width)
}

// cut shows as much of the text as fits.
func (r *textRenderer) cut(width float32) {
	size := r.t.TextSize()
	if r.full == r.t.text && r.width == width && r.size == size {
		return
	}
	r.full, r.width, r.size = r.t.text, width, size
	r.line.Text = fit(r.t.text, width, func(s string) float32 { return fyne.MeasureText(s, size, r.style()).Width }, r.t.Cut)
	r.line.Refresh()
}

// fit returns the longest beginning of text that fits, with … if something is missing.
func fit(text string, width float32, measure func(string) float32, cut bool) string {
	const slack = 0.5 // layouts round
	if !cut || measure(text) <= width+slack {
		return text
	}
	runes := []rune(text)
	low, high := 0, len(runes)
	for low < high {
		mid := (low + high + 1) / 2
		if measure(string(runes[:mid])+"…") <= width+slack {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return string(runes[:low]) + "…"
}

func (r *textRenderer) Refresh() {
	r.line.Color = theme.ColorForWidget(fyne.ThemeColorName(orName(string(r.t.Color), string(theme.ColorNameForeground))), r.t)
	r.line.TextSize = r.t.TextSize()
	r.line.TextStyle = r.style()
	r.line.Alignment = r.t.Align
	r.full = "\x00" // whatever was measured may be wrong now
	r.cut(r.t.Size().Width)
	r.line.Refresh()
}

func (r *textRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.line} }
func (r *textRenderer) Destroy()                     {}

func orName(name, fallback string) string {
	if name == "" {
		return fallback
	}
	return name
}

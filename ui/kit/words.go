package kit

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	stock "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Words is text of several lines, broken to its width. It is a label without the padding, so that it lines up with
// titles.
type Words struct {
	widget.BaseWidget
	label *widget.Label
}

// Sentence returns text of several lines, secondary if muted.
func Sentence(text string, muted bool) *Words {
	w := &Words{label: widget.NewLabel(text)}
	w.label.Wrapping = fyne.TextWrapWord
	if muted {
		w.label.Importance = widget.LowImportance
	}
	w.ExtendBaseWidget(w)
	return w
}

// Centered puts each line in the middle. Call it before the text is shown.
func (w *Words) Centered() *Words {
	w.label.Alignment = fyne.TextAlignCenter
	return w
}

// Small makes the letters small. Call it before the text is shown.
func (w *Words) Small() *Words {
	w.label.SizeName = stock.SizeNameCaptionText
	return w
}

// Content is the text.
func (w *Words) Content() string { return w.label.Text }

// Set changes the text. Nothing is drawn again when it stays the same.
func (w *Words) Set(text string) {
	if w.label.Text != text {
		w.label.SetText(text)
		w.Refresh()
	}
}

// Tell changes the text and how loudly it is told.
func (w *Words) Tell(text string, importance widget.Importance) {
	if w.label.Text != text || w.label.Importance != importance {
		w.label.Importance = importance
		w.label.SetText(text)
		w.Refresh()
	}
}

// CreateRenderer implements fyne.Widget.
func (w *Words) CreateRenderer() fyne.WidgetRenderer {
	pad := stock.SizeForWidget(stock.SizeNameInnerPadding, w)
	return widget.NewSimpleRenderer(container.New(layout.NewCustomPaddedLayout(-pad, -pad, -pad, -pad), w.label))
}

package kit

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/widget"

	"github.com/tributary-dl/tributary/ui/theme"
)

// Modal is a dialog above the window. Whoever owns the window's keys calls Close on Escape.
type Modal struct {
	pop     *widget.PopUp
	content fyne.CanvasObject
	scroll  *container.Scroll
	width   float32
	onClose func()
}

// ShowModal opens a dialog of a width, with buttons at its lower right.
func ShowModal(over fyne.Canvas, title string, width float32, content fyne.CanvasObject, buttons ...fyne.CanvasObject) *Modal {
	m := &Modal{content: Pad(content, 0, theme.Space)} // room for the scroll bar, the same at both sides
	m.scroll = container.NewVScroll(m.content)
	var foot fyne.CanvasObject
	if len(buttons) > 0 {
		foot = Pad(Row(append([]fyne.CanvasObject{layout.NewSpacer()}, buttons...)...), theme.Space, theme.Space)
	}
	body := container.NewBorder(Pad(Heading(title), theme.Space/2, theme.Space), foot, nil, nil, m.scroll)
	m.pop = widget.NewModalPopUp(container.NewStack(Pad(body, 2*theme.Space, theme.Space), NewTips()), over)
	m.width = min(width, over.Size().Width-4*theme.Space)
	m.Grow()
	m.pop.Show()
	return m
}

// OnClose is called once, however the dialog is closed.
func (m *Modal) OnClose(f func()) { m.onClose = f }

// Grow makes the dialog as high as its content needs now, and lets the content scroll where the window has no room for it.
func (m *Modal) Grow() {
	if m.pop == nil {
		return
	}
	most := m.pop.Canvas.Size().Height - 4*theme.Space
	frame := m.pop.MinSize().Height - m.scroll.MinSize().Height
	m.pop.Resize(fyne.NewSize(m.width, min(frame+m.content.MinSize().Height, most)))
}

// Close closes the dialog. Closing again does nothing.
func (m *Modal) Close() {
	if m.pop == nil {
		return
	}
	m.pop.Hide()
	m.pop = nil
	if m.onClose != nil {
		m.onClose()
	}
}

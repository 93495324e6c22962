package kit

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"github.com/tributary-dl/tributary/ui/theme"
)

// The toolkit gives each key to the widget with the focus alone, and its own widgets drop those they do not know. The
// types here are its widgets with Escape handed on, so that a dialog or a page can be left from any of them.

// Escaped hands Escape to the window that an object is in, and says whether the key was that one.
func Escaped(o fyne.CanvasObject, e *fyne.KeyEvent) bool {
	if e.Name != fyne.KeyEscape {
		return false
	}
	if canvas := fyne.CurrentApp().Driver().CanvasForObject(o); canvas != nil && canvas.OnTypedKey() != nil {
		canvas.OnTypedKey()(e)
	}
	return true
}

// presses says whether a key presses the button with the focus.
func presses(e *fyne.KeyEvent) bool {
	return e.Name == fyne.KeySpace || e.Name == fyne.KeyReturn || e.Name == fyne.KeyEnter
}

// Button is a button that Enter presses as well as Space.
type Button struct{ widget.Button }

// TypedKey implements fyne.Focusable.
func (b *Button) TypedKey(e *fyne.KeyEvent) {
	if !Escaped(b, e) && presses(e) {
		b.Tapped(nil)
	}
}

// Primary returns the button that does what a dialog or a page is for.
func Primary(text, symbol string, tapped func()) *Button {
	return button(text, symbol, widget.HighImportance, tapped)
}

// Plain returns a button; an empty symbol draws none.
func Plain(text, symbol string, tapped func()) *Button {
	return button(text, symbol, widget.MediumImportance, tapped)
}

// Quiet returns a button without a ground of its own, often a symbol alone.
func Quiet(text, symbol string, tapped func()) *Button {
	return button(text, symbol, widget.LowImportance, tapped)
}

func button(text, symbol string, importance widget.Importance, tapped func()) *Button {
	b := &Button{}
	b.Text, b.Importance, b.OnTapped = text, importance, tapped
	if symbol != "" {
		b.Icon = theme.Icon(symbol)
	}
	b.ExtendBaseWidget(b)
	return b
}

// Check is a box to tick.
type Check struct{ widget.Check }

// NewCheck returns a box that is not ticked.
func NewCheck(text string, changed func(bool)) *Check {
	c := &Check{}
	c.Text, c.OnChanged = text, changed
	c.ExtendBaseWidget(c)
	return c
}

// TypedKey implements fyne.Focusable.
func (c *Check) TypedKey(e *fyne.KeyEvent) {
	if !Escaped(c, e) {
		c.Check.TypedKey(e)
	}
}

// Select is a choice among several, of which one shows.
type Select struct{ widget.Select }

// NewSelect returns a choice with none chosen yet.
func NewSelect(options []string, changed func(string)) *Select {
	s := &Select{}
	s.Options, s.OnChanged = options, changed
	s.ExtendBaseWidget(s)
	return s
}

// TypedKey implements fyne.Focusable.
func (s *Select) TypedKey(e *fyne.KeyEvent) {
	if !Escaped(s, e) {
		s.Select.TypedKey(e)
	}
}

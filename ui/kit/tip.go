package kit

import (
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	stock "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/tributary-dl/tributary/ui/theme"
)

// tipAfter is how long the pointer rests on a button before its tip shows.
const tipAfter = 600 * time.Millisecond

// Tips is the layer above a window's content, or a dialog's, in which tips are drawn. It takes no clicks.
type Tips struct {
	widget.BaseWidget
	text *Text
	box  *fyne.Container
	root *fyne.Container
}

// NewTips returns an empty layer. Put it above everything in a Stack.
func NewTips() *Tips {
	t := &Tips{text: Small("", stock.ColorNameForeground)}
	t.text.Cut = false
	ground := NewPanel(stock.ColorNameOverlayBackground, theme.Space)
	ground.Stroke, ground.Raised = theme.Border, true
	t.box = container.NewStack(ground, Pad(t.text, theme.Space*3/4, theme.Space))
	t.box.Hide()
	t.root = container.NewWithoutLayout(t.box)
	t.ExtendBaseWidget(t)
	return t
}

// show puts a tip below an object, or above it where there is no room, within the layer.
func (t *Tips) show(text string, of fyne.CanvasObject) {
	driver := fyne.CurrentApp().Driver()
	at := driver.AbsolutePositionForObject(of).Subtract(driver.AbsolutePositionForObject(t))
	t.text.Set(text)
	size := t.box.MinSize()
	x := min(max(at.X+(of.Size().Width-size.Width)/2, 0), max(t.Size().Width-size.Width, 0))
	y := at.Y + of.Size().Height + theme.Space/2
	if y+size.Height > t.Size().Height {
		y = at.Y - size.Height - theme.Space/2
	}
	t.box.Resize(size)
	t.box.Move(fyne.NewPos(x, y))
	t.box.Show()
}

func (t *Tips) hide() { t.box.Hide() }

// MinSize implements fyne.CanvasObject.
func (t *Tips) MinSize() fyne.Size { return fyne.Size{} }

// CreateRenderer implements fyne.Widget.
func (t *Tips) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(t.root) }

// tipsAbove finds the layer of the dialog or window that an object is in.
func tipsAbove(o fyne.CanvasObject) *Tips {
	canvas := fyne.CurrentApp().Driver().CanvasForObject(o)
	if canvas == nil {
		return nil
	}
	root := canvas.Content()
	if pop, ok := canvas.Overlays().Top().(*widget.PopUp); ok {
		root = pop.Content
	}
	if stack, ok := root.(*fyne.Container); ok {
		for _, layer := range stack.Objects {
			if tips, ok := layer.(*Tips); ok {
				return tips
			}
		}
	}
	return nil
}

// tip is what one object says when the pointer rests on it.
type tip struct{ wait *fyne.Animation }

// await shows the text once the pointer has rested. An animation waits instead of a timer: it stays on the goroutine of
// the user interface.
func (t *tip) await(of fyne.CanvasObject, text string) {
	t.wait = fyne.NewAnimation(tipAfter, func(done float32) {
		if tips := tipsAbove(of); done == 1 && tips != nil {
			tips.show(text, of)
		}
	})
	t.wait.Start()
}

func (t *tip) end(of fyne.CanvasObject) {
	if t.wait != nil {
		t.wait.Stop()
		t.wait = nil
	}
	if tips := tipsAbove(of); tips != nil {
		tips.hide()
	}
}

// Tool is a button that shows a symbol alone, and says what it does when the pointer rests on it.
type Tool struct {
	Button
	Tip string
	tip tip
}

// NewTool returns a quiet button with a tip.
func NewTool(tip, symbol string, tapped func()) *Tool {
	t := &Tool{Tip: tip}
	t.Icon, t.Importance, t.OnTapped = theme.Icon(symbol), widget.LowImportance, tapped
	t.ExtendBaseWidget(t)
	return t
}

// MouseIn implements desktop.Hoverable.
func (t *Tool) MouseIn(e *desktop.MouseEvent) {
	t.Button.MouseIn(e)
	t.tip.await(t, t.Tip)
}

// MouseOut implements desktop.Hoverable.
func (t *Tool) MouseOut() {
	t.Button.MouseOut()
	t.tip.end(t)
}

// Tapped implements fyne.Tappable.
func (t *Tool) Tapped(e *fyne.PointEvent) {
	t.tip.end(t)
	t.Button.Tapped(e)
}

// TypedKey implements fyne.Focusable.
func (t *Tool) TypedKey(e *fyne.KeyEvent) {
	if !Escaped(t, e) && presses(e) {
		t.Tapped(nil)
	}
}

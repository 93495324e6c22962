package kit

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	stock "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/tributary-dl/tributary/ui/theme"
)

// Panel is a rectangle in colours of the theme, which it reads again when the theme changes.
type Panel struct {
	widget.BaseWidget

	Fill, Stroke fyne.ThemeColorName // empty: none
	Radius       float32
	Raised       bool // throws a shadow
}

// NewPanel returns a rectangle. Set the fields before it is shown, or call Refresh.
func NewPanel(fill fyne.ThemeColorName, radius float32) *Panel {
	p := &Panel{Fill: fill, Radius: radius}
	p.ExtendBaseWidget(p)
	return p
}

// Recolor changes the colours.
func (p *Panel) Recolor(fill, stroke fyne.ThemeColorName) {
	if p.Fill == fill && p.Stroke == stroke {
		return
	}
	p.Fill, p.Stroke = fill, stroke
	p.Refresh()
}

// CreateRenderer implements fyne.Widget.
func (p *Panel) CreateRenderer() fyne.WidgetRenderer {
	r := &panelRenderer{p: p, rect: canvas.NewRectangle(color.Transparent)}
	r.Refresh()
	return r
}

type panelRenderer struct {
	p    *Panel
	rect *canvas.Rectangle
}

func (r *panelRenderer) Refresh() {
	r.rect.FillColor = colorOrNone(r.p.Fill, r.p)
	r.rect.StrokeColor = colorOrNone(r.p.Stroke, r.p)
	r.rect.StrokeWidth = 0
	if r.p.Stroke != "" {
		r.rect.StrokeWidth = 1
	}
	r.rect.CornerRadius = r.p.Radius
	r.rect.Shadow = canvas.Shadow{}
	if r.p.Raised {
		r.rect.Shadow = canvas.Shadow{Color: stock.ColorForWidget(stock.ColorNameShadow, r.p), BlurRadius: theme.Space, Offset: fyne.NewPos(0, 2)}
	}
	r.rect.Refresh()
}

// colorOrNone never returns nil: the software painter does not take it.
func colorOrNone(name fyne.ThemeColorName, w fyne.Widget) color.Color {
	if name == "" {
		return color.Transparent
	}
	return stock.ColorForWidget(name, w)
}

func (r *panelRenderer) Layout(size fyne.Size)        { r.rect.Resize(size) }
func (r *panelRenderer) MinSize() fyne.Size           { return fyne.Size{} }
func (r *panelRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.rect} }
func (r *panelRenderer) Destroy()                     {}

// Card puts content on a surface of its own.
func Card(content fyne.CanvasObject) *fyne.Container {
	p := NewPanel(theme.Surface, theme.Space*3/2)
	p.Stroke, p.Raised = theme.Border, true
	return container.NewStack(p, Pad(content, 2*theme.Space, 2*theme.Space))
}

// Pad leaves room around content: v above and below, h at the sides.
func Pad(content fyne.CanvasObject, v, h float32) *fyne.Container {
	return container.New(layout.NewCustomPaddedLayout(v, v, h, h), content)
}

// Row puts objects side by side with a gap of one unit, each at its least width.
func Row(objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedHBoxLayout(theme.Space), objects...)
}

// Column puts objects below each other with a gap.
func Column(gap float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedVBoxLayout(gap), objects...)
}

// Between puts one object at the left, which takes the room that is left, and others at the right, centred in height.
func Between(left fyne.CanvasObject, right ...fyne.CanvasObject) *fyne.Container {
	for i, o := range right {
		right[i] = Middle(o)
	}
	return container.New(layout.NewCustomPaddedLayout(0, 0, 0, 0), container.NewBorder(nil, nil, nil, Row(right...), Middle(left)))
}

// Middle centres an object in height and gives it the whole width.
func Middle(o fyne.CanvasObject) *fyne.Container { return container.New(middle{}, o) }

type middle struct{}

func (middle) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		h := o.MinSize().Height
		o.Resize(fyne.NewSize(size.Width, h))
		o.Move(fyne.NewPos(0, (size.Height-h)/2))
	}
}

func (middle) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var min fyne.Size
	for _, o := range objects {
		min = min.Max(o.MinSize())
	}
	return min
}

// Fixed gives an object a width, at its own least height.
func Fixed(o fyne.CanvasObject, width float32) *fyne.Container { return container.New(fixed(width), o) }

type fixed float32

func (f fixed) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Resize(size)
	}
}

func (f fixed) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var h float32
	for _, o := range objects {
		if o.Visible() {
			h = max(h, o.MinSize().Height)
		}
	}
	return fyne.NewSize(float32(f), h)
}

// Tall gives an object a least height.
func Tall(o fyne.CanvasObject, height float32) *fyne.Container { return container.New(tall(height), o) }

type tall float32

func (h tall) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Resize(size)
	}
}

func (h tall) MinSize(objects []fyne.CanvasObject) fyne.Size { return fyne.NewSize(0, float32(h)) }

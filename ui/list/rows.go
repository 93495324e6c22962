package list

import (
	"path"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/lang"
	stock "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/kit"
	"github.com/tributary-dl/tributary/ui/model"
	"github.com/tributary-dl/tributary/ui/say"
	"github.com/tributary-dl/tributary/ui/theme"
)

// rows is the list itself. Only rows in sight exist; the widgets of a row are used again for another download. The list of
// the toolkit throws away the rows that wait to be used again whenever it is refreshed as a whole, which its ScrollTo also does:
// it is refreshed only when the number of rows changed.
type rows struct {
	widget.List
	view    *View
	focused bool
	shown   map[*row]widget.ListItemID // rows in or near sight, and what they show now
}

func newRows(v *View) *rows {
	r := &rows{view: v, shown: map[*row]widget.ListItemID{}}
	r.HideSeparators = true
	r.Length = func() int { return len(v.rows) }
	r.CreateItem = func() fyne.CanvasObject { return newRow(v) }
	r.UpdateItem = func(i widget.ListItemID, o fyne.CanvasObject) {
		if i < len(v.rows) {
			item := o.(*row)
			r.shown[item] = i
			item.show(v.rows[i], v.Selection.Has(v.rows[i].ID), r.focused && v.Selection.Cursor() == v.rows[i].ID)
		}
	}
	r.ExtendBaseWidget(r)
	return r
}

// update draws the rows in sight, and forgets those that are not, so that what the toolkit threw away is not kept. Refreshing the
// whole list costs much more and is needed only when the number of rows changed.
func (r *rows) update(length bool) {
	if length {
		clear(r.shown)
		r.Refresh()
		return
	}
	for item, i := range r.shown {
		if i >= len(r.view.rows) || !r.near(i) {
			delete(r.shown, item)
			continue
		}
		if item.Visible() {
			d := r.view.rows[i]
			item.show(d, r.view.Selection.Has(d.ID), r.focused && r.view.Selection.Cursor() == d.ID)
		}
	}
}

// pitch is how far apart rows begin: the toolkit leaves room for a line between them.
func (r *rows) pitch() float32 { return rowHeight + stock.SizeForWidget(stock.SizeNamePadding, r) }

// near says whether a row is in sight, or will be at the next step.
func (r *rows) near(i widget.ListItemID) bool {
	top, seen := float32(i)*r.pitch(), r.GetScrollOffset()
	return top+2*r.pitch() >= seen && top <= seen+r.Size().Height+r.pitch()
}

// reveal scrolls no farther than it takes to see a row.
func (r *rows) reveal(i widget.ListItemID) {
	top, seen := float32(i)*r.pitch(), r.GetScrollOffset()
	switch room := r.Size().Height; {
	case top < seen:
		r.ScrollToOffset(top)
	case top+rowHeight > seen+room:
		r.ScrollToOffset(top + rowHeight - room)
	}
}

// FocusGained implements fyne.Focusable.
func (r *rows) FocusGained() { r.focused = true; r.update(false) }

// FocusLost implements fyne.Focusable.
func (r *rows) FocusLost() { r.focused = false; r.update(false) }

// TypedRune implements fyne.Focusable.
func (r *rows) TypedRune(rune) {}

// TypedKey moves the selection; what else keys do is in the window's table of keys, which acts on the selection.
func (r *rows) TypedKey(e *fyne.KeyEvent) {
	v := r.view
	extend := false
	if d, ok := fyne.CurrentApp().Driver().(desktop.Driver); ok {
		extend = d.CurrentKeyModifiers()&fyne.KeyModifierShift != 0
	}
	page := max(int(r.Size().Height/rowHeight)-1, 1)
	steps := map[fyne.KeyName]int{
		fyne.KeyUp: -1, fyne.KeyDown: 1, fyne.KeyPageUp: -page, fyne.KeyPageDown: page, fyne.KeyHome: -len(v.rows), fyne.KeyEnd: len(v.rows),
	}
	if by, ok := steps[e.Name]; ok {
		if at := v.Selection.Step(v.rows, by, extend); at >= 0 {
			r.reveal(at)
		}
		v.changed()
		return
	}
	switch selected := v.Selected(); {
	case len(selected) == 0:
		v.do.Key(e)
	case e.Name == fyne.KeySpace:
		for _, d := range selected {
			v.do.Toggle(d)
		}
	case e.Name == fyne.KeyDelete:
		v.do.Remove(selected)
	case e.Name == fyne.KeyReturn || e.Name == fyne.KeyEnter:
		v.do.Open(selected[0])
	default:
		v.do.Key(e)
	}
}

const rowHeight = 11*theme.Space + 4

// row is one download: its symbol, its name, two lines of words, its bar, its buttons.
type row struct {
	widget.BaseWidget
	view *View
	d    *api.Download

	ground           *kit.Panel
	symbol           *widget.Icon
	symbolName       string
	name, facts, now *kit.Text
	percent          *kit.Text
	bar              *kit.Bar
	main, more       *kit.Tool
	mainSymbol       string
	root             fyne.CanvasObject
}

func newRow(v *View) *row {
	r := &row{
		view: v, ground: kit.NewPanel(theme.Surface, theme.Space*3/2), symbol: widget.NewIcon(nil), name: kit.Title(""),
		facts: kit.Small("", theme.Muted), now: kit.Small("", theme.Muted), percent: kit.Number(""), bar: kit.NewBar(),
	}
	r.percent.Bold = true
	r.main = kit.NewTool("", "pause", func() { r.act() })
	r.more = kit.NewTool(lang.L("More"), "more_horiz", func() { r.openMenu(nil) })
	symbol := container.NewStack(kit.NewPanel(theme.Track, theme.Space), kit.Pad(r.symbol, 8, 8))
	left := kit.Middle(container.New(square(5*theme.Space), symbol))
	words := kit.Column(3, r.name, r.facts, r.now)
	right := kit.Row(kit.Fixed(kit.Middle(r.percent), 5*theme.Space), kit.Middle(r.main), kit.Middle(r.more))
	top := container.NewBorder(nil, nil, nil, right, kit.Pad(kit.Middle(words), 0, theme.Space*3/2))
	body := container.NewBorder(nil, nil, left, nil, container.NewBorder(nil, kit.Pad(r.bar, 0, theme.Space*3/2), nil, nil, top))
	r.root = container.NewStack(kit.Pad(r.ground, 2, 2), kit.Pad(body, theme.Space+2, theme.Space*3/2))
	r.ExtendBaseWidget(r)
	return r
}

// square keeps an object at one size.
type square float32

func (s square) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSquareSize(float32(s)) }

func (s square) Layout(objects []fyne.CanvasObject, _ fyne.Size) {
	for _, o := range objects {
		o.Resize(fyne.NewSquareSize(float32(s)))
	}
}

// show draws a snapshot. Widgets are touched only where something changed: every change repaints the window.
func (r *row) show(d *api.Download, selected, cursor bool) {
	r.d = d
	fill, stroke := theme.Surface, theme.Border
	if selected {
		fill, stroke = theme.Chosen, theme.Chosen
	}
	if cursor {
		stroke = theme.Edge
	}
	r.ground.Recolor(fill, stroke)
	if name := symbolOf(d); name != r.symbolName {
		r.symbolName = name
		r.symbol.SetResource(theme.Tinted(name, theme.Muted))
	}
	r.name.Set(d.Name)
	r.facts.Set(say.Facts(d))
	color := theme.Muted
	if d.Problem != nil {
		color = stock.ColorNameWarning
		if d.State == api.StateFailed {
			color = stock.ColorNameError
		}
	}
	r.now.Paint(say.Now(d), color)
	r.percent.Set(model.Percent(model.Progress(d)))
	r.bar.Set(model.Shares(d))
	if symbol := mainSymbol(d); symbol != r.mainSymbol {
		r.mainSymbol = symbol
		r.main.SetIcon(theme.Icon(symbol))
		r.main.Tip = mainTip(symbol)
	}
}

// mainSymbol is the one thing that a user most likely wants of a download in its state.
func mainSymbol(d *api.Download) string {
	switch {
	case d.State == api.StateComplete:
		return "folder_open"
	case d.State == api.StateFailed:
		return "replay"
	case model.CanPause(d):
		return "pause"
	}
	return "play_arrow"
}

// mainTip says what the button with a symbol does.
func mainTip(symbol string) string {
	switch symbol {
	case "folder_open":
		return lang.L("Open")
	case "replay":
		return lang.L("Try again")
	case "pause":
		return lang.L("Pause")
	}
	return lang.L("Resume")
}

func (r *row) act() {
	if r.d.State == api.StateComplete {
		r.view.do.Open(r.d)
		return
	}
	r.view.do.Toggle(r.d)
}

// symbolOf guesses from the name what kind of file it is.
func symbolOf(d *api.Download) string {
	switch strings.ToLower(strings.TrimPrefix(path.Ext(d.Name), ".")) {
	case "iso", "img", "dmg", "vhd", "vmdk", "qcow2":
		return "album"
	case "zip", "gz", "xz", "zst", "bz2", "7z", "rar", "tar", "tgz":
		return "folder_zip"
	case "mkv", "mp4", "mov", "avi", "webm", "m4v":
		return "movie"
	case "mp3", "flac", "ogg", "wav", "m4a", "opus":
		return "music_note"
	case "png", "jpg", "jpeg", "gif", "webp", "svg", "tiff":
		return "image"
	case "exe", "msi", "deb", "rpm", "pkg", "appimage", "apk", "sh", "run":
		return "terminal"
	}
	return "description"
}

// openMenu opens the menu of what is selected; a row that is not selected is selected first.
func (r *row) openMenu(at *fyne.PointEvent) {
	if !r.view.Selection.Has(r.d.ID) {
		r.view.Selection.Only(r.d.ID)
		r.view.changed()
	}
	canvas := fyne.CurrentApp().Driver().CanvasForObject(r)
	menu := widget.NewPopUpMenu(r.view.do.Menu(), canvas)
	if at != nil {
		menu.ShowAtPosition(at.AbsolutePosition)
		return
	}
	menu.ShowAtRelativePosition(fyne.NewPos(r.more.Size().Width-menu.MinSize().Width, r.more.Size().Height), r.more)
}

// MouseDown implements desktop.Mouseable: only it tells Ctrl and Shift.
func (r *row) MouseDown(e *desktop.MouseEvent) {
	if e.Button != desktop.MouseButtonPrimary {
		return
	}
	s := &r.view.Selection
	switch {
	case e.Modifier&fyne.KeyModifierShift != 0:
		s.Extend(r.view.rows, r.d.ID)
	case e.Modifier&fyne.KeyModifierShortcutDefault != 0:
		s.Toggle(r.d.ID)
	default:
		s.Only(r.d.ID)
	}
	if canvas := fyne.CurrentApp().Driver().CanvasForObject(r); canvas != nil {
		canvas.Focus(r.view.list)
	}
	r.view.changed()
}

// MouseUp implements desktop.Mouseable.
func (r *row) MouseUp(*desktop.MouseEvent) {}

// TappedSecondary implements fyne.SecondaryTappable.
func (r *row) TappedSecondary(e *fyne.PointEvent) { r.openMenu(e) }

// DoubleTapped implements fyne.DoubleTappable.
func (r *row) DoubleTapped(*fyne.PointEvent) { r.view.do.Open(r.d) }

// MinSize implements fyne.CanvasObject.
func (r *row) MinSize() fyne.Size { return fyne.NewSize(30*theme.Space, rowHeight) }

// CreateRenderer implements fyne.Widget.
func (r *row) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(r.root) }

// Package list shows downloads as rows: what they are, where their bytes come from, what can be done. It is drawn from
// snapshots and reports wishes through Actions; it must never call the service.
package list

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	stock "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/kit"
	"github.com/tributary-dl/tributary/ui/model"
	"github.com/tributary-dl/tributary/ui/theme"
)

// Actions is what the user can ask for here. All run on the goroutine of the user interface.
type Actions struct {
	Add      func()
	Toggle   func(*api.Download)   // pause what runs, go on with what rests
	Menu     func() *fyne.Menu     // for what is selected
	Open     func(*api.Download)   // the finished file
	Remove   func([]*api.Download) // what is selected
	PauseAll func(pause bool)
	Selected func()               // the selection changed
	Key      func(*fyne.KeyEvent) // that the list has no use for
}

// View is the page of downloads. The goroutine of the user interface owns it.
type View struct {
	Selection model.Selection
	Search    *kit.Entry

	do     Actions
	query  model.Query
	book   *model.Book
	rows   []*api.Download
	list   *rows
	title  *kit.Text
	count  *kit.Text
	all    *widget.Button
	empty  *fyne.Container
	invite *inviting
	root   fyne.CanvasObject
}

// New returns an empty page.
func New(do Actions) *View {
	v := &View{do: do, book: &model.Book{}, title: kit.Heading(""), count: kit.Small("", theme.Muted), Search: kit.NewEntry(lang.L("Search downloads"))}
	v.title.Cut = false
	v.Search.Icon = theme.Icon("search")
	v.Search.OnChanged = func(text string) { v.query.Search = text; v.rebuild() }
	order := widget.NewSelect(orderNames(), nil)
	order.SetSelectedIndex(int(model.OrderQueue))
	order.OnChanged = func(string) { v.query.Order = model.Order(order.SelectedIndex()); v.rebuild() }
	v.all = kit.Plain("", "pause", func() { v.do.PauseAll(v.book.Totals().Running > 0) })
	v.list = newRows(v)
	v.invite = newInviting(do.Add)
	v.empty = container.NewStack(v.invite.root)
	head := container.New(&header{}, kit.Middle(v.title), kit.Middle(v.Search), kit.Fixed(kit.Middle(order), 19*theme.Space), kit.Middle(v.all),
		kit.Middle(kit.Primary(lang.L("Add link"), "add", do.Add)))
	v.root = container.NewBorder(kit.Pad(head, theme.Space*3/2, 2*theme.Space), nil, nil, nil,
		kit.Pad(container.NewStack(v.list, v.empty), 0, theme.Space))
	v.rebuild()
	return v
}

func orderNames() []string {
	return []string{lang.L("In queue order"), lang.L("Newest first"), lang.L("By name"), lang.L("By size"), lang.L("By progress"), lang.L("By speed")}
}

// Object is what a window shows.
func (v *View) Object() fyne.CanvasObject { return v.root }

// Focusable is what keys go to when the page opens.
func (v *View) Focusable() fyne.Focusable { return v.list }

// Filter shows another set of downloads.
func (v *View) Filter(f model.Filter) {
	v.query.Filter = f
	v.Selection.Clear()
	v.rebuild()
	v.list.ScrollToTop()
}

// Show draws what a book knows now.
func (v *View) Show(b *model.Book) {
	v.book = b
	v.rebuild()
}

// Selected returns the selected downloads in the order of the rows.
func (v *View) Selected() []*api.Download { return v.Selection.Selected(v.rows) }

// SelectAll selects every row that is shown.
func (v *View) SelectAll() {
	v.Selection.All(v.rows)
	v.changed()
}

// Select selects one download and scrolls to it.
func (v *View) Select(id string) {
	v.Selection.Only(id)
	for i, d := range v.rows {
		if d.ID == id {
			v.list.ScrollTo(i)
		}
	}
	v.changed()
}

// ClearSelection selects nothing and says whether anything was selected.
func (v *View) ClearSelection() bool {
	had := v.Selection.Len() > 0
	v.Selection.Clear()
	v.changed()
	return had
}

func (v *View) changed() {
	v.list.Refresh()
	v.do.Selected()
}

func (v *View) rebuild() {
	before := len(v.rows)
	v.rows = v.book.Rows(v.query)
	v.Selection.Prune(v.rows)
	v.title.Set(filterTitle(v.query.Filter))
	totals := v.book.Totals()
	if totals.Running > 0 {
		setButton(v.all, lang.L("Pause all"), "pause", true)
	} else {
		setButton(v.all, lang.L("Resume all"), "play_arrow", totals.Paused > 0)
	}
	v.invite.show(v.book, v.query)
	if len(v.rows) == 0 {
		v.empty.Show()
	} else {
		v.empty.Hide()
	}
	v.list.update(before != len(v.rows))
}

func filterTitle(f model.Filter) string {
	return []string{lang.L("Downloads"), lang.L("Active"), lang.L("Queued"), lang.L("Done"), lang.L("Failed")}[f]
}

func setButton(b *widget.Button, text, symbol string, enabled bool) {
	if b.Text != text {
		b.SetIcon(theme.Icon(symbol))
		b.SetText(text)
	}
	if b.Disabled() == enabled {
		if enabled {
			b.Enable()
		} else {
			b.Disable()
		}
	}
}

// header lays out title, search, order and buttons. When there is little room, the search shrinks first, then the
// order and the button for all disappear: both are in menus and keys.
type header struct{}

const (
	widestSearch    = 28 * theme.Space
	narrowestSearch = 22 * theme.Space
)

func (header) MinSize(o []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(o[0].MinSize().Width+narrowestSearch+o[4].MinSize().Width+3*theme.Space, 5*theme.Space)
}

func (header) Layout(o []fyne.CanvasObject, size fyne.Size) {
	right, title := size.Width, o[0].MinSize().Width+theme.Space
	place := func(i int, width float32) {
		right -= width
		o[i].Move(fyne.NewPos(right, 0))
		o[i].Resize(fyne.NewSize(width, size.Height))
		right -= theme.Space
	}
	place(4, o[4].MinSize().Width)
	for _, i := range []int{3, 2} {
		if width := o[i].MinSize().Width; right-width >= title+narrowestSearch+2*theme.Space {
			o[i].Show()
			place(i, width)
		} else {
			o[i].Hide()
		}
	}
	place(1, min(widestSearch, right-title))
	o[0].Move(fyne.NewPos(0, 0))
	o[0].Resize(fyne.NewSize(max(right, 0), size.Height))
}

// inviting is what stands where rows would be: an invitation, or why nothing matches.
type inviting struct {
	root  *fyne.Container
	title *kit.Text
	text  *kit.Words
	add   *widget.Button
}

func newInviting(add func()) *inviting {
	i := &inviting{title: kit.NewText(""), text: kit.Sentence("", true).Centered(), add: kit.Primary(lang.L("Add link"), "add", add)}
	i.title.Scale, i.title.Bold, i.title.Align = stock.SizeNameSubHeadingText, true, fyne.TextAlignCenter
	mark := widget.NewIcon(theme.Mark())
	i.root = container.NewCenter(kit.Fixed(kit.Column(theme.Space,
		container.NewCenter(container.NewGridWrap(fyne.NewSize(72, 72), mark)), i.title, i.text, container.NewCenter(i.add)), 45*theme.Space))
	return i
}

func (i *inviting) show(b *model.Book, q model.Query) {
	title, text, add := lang.L("Nothing here yet"), lang.L("Downloads in this state appear here."), false
	switch {
	case q.Search != "":
		title, text = lang.L("Nothing found"), lang.L("No download here has these words in its name, address or publisher.")
	case b.Len() == 0:
		title, add = lang.L("Your first download"), true
		text = lang.L("Paste a link anywhere in this window, or drop one on it. Blue bytes come from the publisher's servers, violet ones from other people's computers.")
	}
	i.title.Set(title)
	i.text.Set(text)
	if add {
		i.add.Show()
	} else {
		i.add.Hide()
	}
}

// Rows is how many rows exist as widgets, for tests of what a long list costs.
func (v *View) Rows() int { return len(v.list.shown) }

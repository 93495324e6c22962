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
	order  *folding
	all    *folding
	add    *folding
	empty  *fyne.Container
	invite *inviting
	root   fyne.CanvasObject
}

// New returns an empty page.
func New(do Actions) *View {
	v := &View{do: do, book: &model.Book{}, title: kit.Heading(""), Search: kit.NewEntry(lang.L("Search downloads"))}
	v.title.Cut = false
	v.Search.Icon = theme.Icon("search")
	v.Search.OnChanged = func(text string) { v.query.Search = text; v.rebuild() }
	v.order = newFolding(kit.Plain(orderNames()[0], "sort", v.chooseOrder), lang.L("Sort the list"))
	v.all = newFolding(kit.Plain("", "pause", func() { v.do.PauseAll(v.book.Totals().Running > 0) }), "")
	v.add = newFolding(kit.Primary(lang.L("Add link"), "add", do.Add), "")
	v.list = newRows(v)
	v.invite = newInviting(do.Add)
	v.empty = container.NewStack(v.invite.root)
	head := container.New(&header{v}, v.title, v.Search, v.order.root, v.all.root, v.add.root)
	v.root = container.NewBorder(kit.Pad(head, theme.Space*3/2, 2*theme.Space), nil, nil, nil,
		kit.Pad(container.NewStack(v.list, v.empty), 0, theme.Space))
	v.rebuild()
	return v
}

// chooseOrder opens the menu of orders below its button.
func (v *View) chooseOrder() {
	menu := fyne.NewMenu("")
	for i, name := range orderNames() {
		item := fyne.NewMenuItem(name, func() { v.sort(model.Order(i)) })
		item.Checked = v.query.Order == model.Order(i)
		menu.Items = append(menu.Items, item)
	}
	button := v.order.inSight()
	canvas := fyne.CurrentApp().Driver().CanvasForObject(button)
	widget.NewPopUpMenu(menu, canvas).ShowAtRelativePosition(fyne.NewPos(0, button.Size().Height), button)
}

func (v *View) sort(o model.Order) {
	v.query.Order = o
	v.order.set(orderNames()[o], "sort", true)
	v.rebuild()
	v.list.ScrollToTop()
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
			v.list.reveal(i)
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
	v.list.update(false)
	v.do.Selected()
}

func (v *View) rebuild() {
	before := len(v.rows)
	v.rows = v.book.Rows(v.query)
	v.Selection.Prune(v.rows)
	v.title.Set(filterTitle(v.query.Filter))
	totals := v.book.Totals()
	if totals.Running > 0 {
		v.all.set(lang.L("Pause all"), "pause", true)
	} else {
		v.all.set(lang.L("Resume all"), "play_arrow", totals.Paused > 0)
	}
	v.invite.show(v.book, v.query)
	kit.SetVisible(v.empty, len(v.rows) == 0)
	v.list.update(before != len(v.rows))
}

func filterTitle(f model.Filter) string {
	return []string{lang.L("Downloads"), lang.L("Active"), lang.L("Queued"), lang.L("Done"), lang.L("Failed")}[f]
}

// inviting is what stands where rows would be: an invitation, or why nothing matches.
type inviting struct {
	root  *fyne.Container
	title *kit.Text
	text  *kit.Words
	add   *kit.Button
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
	kit.SetVisible(i.add, add)
}

// Rows is how many rows exist as widgets, for tests of what a long list costs.
func (v *View) Rows() int { return len(v.list.shown) }

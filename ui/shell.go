package ui

import (
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/layout"
	stock "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/kit"
	"github.com/tributary-dl/tributary/ui/model"
	"github.com/tributary-dl/tributary/ui/say"
	"github.com/tributary-dl/tributary/ui/theme"
)

// Widths in device-independent pixels.
const (
	wideSidebar   = 26 * theme.Space
	narrowSidebar = 7 * theme.Space
	sidebarFolds  = 110 * theme.Space // below this width of the window the sidebar shows symbols alone
	detailFits    = 88 * theme.Space  // list and detail stand side by side from this width on
	leastDetail   = 42 * theme.Space
	mostDetail    = 60 * theme.Space
)

// frame puts the sidebar beside the page.
type frame struct{}

func (frame) MinSize(o []fyne.CanvasObject) fyne.Size { return fyne.NewSize(640, 400) }

func (frame) Layout(o []fyne.CanvasObject, size fyne.Size) {
	w := float32(wideSidebar)
	if size.Width < sidebarFolds {
		w = narrowSidebar
	}
	o[0].Resize(fyne.NewSize(w, size.Height))
	o[1].Move(fyne.NewPos(w, 0))
	o[1].Resize(fyne.NewSize(size.Width-w, size.Height))
}

// besides puts the detail beside the list where both fit, else one of them.
type besides struct{ u *UI }

func (besides) MinSize([]fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(50*theme.Space, 40*theme.Space)
}

func (b *besides) Layout(o []fyne.CanvasObject, size fyne.Size) {
	listing, closeUp := o[0], o[1]
	both := size.Width >= detailFits
	b.u.close.Alone(!both)
	kit.SetVisible(listing, both || !b.u.alone)
	kit.SetVisible(closeUp, both || b.u.alone)
	if !both {
		for _, x := range o {
			x.Move(fyne.NewPos(0, 0))
			x.Resize(size)
		}
		return
	}
	w := min(max(size.Width*0.42, leastDetail), mostDetail)
	listing.Resize(fyne.NewSize(size.Width-w, size.Height))
	closeUp.Move(fyne.NewPos(size.Width-w, 0))
	closeUp.Resize(fyne.NewSize(w-theme.Space, size.Height))
}

// sidebar is the navigation, with what is shared below it.
type sidebar struct {
	u        *UI
	filters  [5]*kit.NavItem
	sharing  *kit.NavItem
	settings *kit.NavItem
	current  model.Filter
	state    *kit.Text
	today    *kit.Text
	speed    *kit.Text
	root     fyne.CanvasObject
}

func newSidebar(u *UI) *sidebar {
	s := &sidebar{u: u, state: kit.Title(""), today: kit.Small("", theme.Muted), speed: kit.Small("", theme.Muted)}
	names := []string{lang.L("All"), lang.L("Active"), lang.L("Queued"), lang.L("Done"), lang.L("Failed")}
	nav := kit.Column(theme.Space / 4)
	for i, symbol := range []string{"list", "download", "schedule", "check_circle", "error"} {
		s.filters[i] = kit.NewNavItem(symbol, names[i], func() { s.filter(model.Filter(i)) })
		nav.Add(s.filters[i])
	}
	s.sharing = kit.NewNavItem("share", lang.L("Sharing"), func() { u.turnTo(pageSharing) })
	s.settings = kit.NewNavItem("settings", lang.L("Settings"), func() { u.turnTo(pageSettings) })
	nav.Add(kit.Pad(widget.NewSeparator(), theme.Space, theme.Space))
	nav.Add(s.sharing)
	nav.Add(s.settings)
	name := kit.Title("Tributary")
	name.Scale = stock.SizeNameSubHeadingText
	mark := container.NewGridWrap(fyne.NewSquareSize(28), widget.NewIcon(theme.Mark()))
	head := container.NewBorder(nil, nil, kit.Middle(mark), nil, kit.Folding(kit.Pad(kit.Middle(name), 0, theme.Space)))
	foot := container.New(unfolded{}, kit.Card(kit.Column(theme.Space/2, s.state, s.today, s.speed)))
	body := container.NewBorder(kit.Pad(kit.Tall(head, 5*theme.Space), theme.Space*3/2, 6), foot, nil, nil, nav)
	s.root = container.NewStack(kit.NewPanel(theme.Sidebar, 0), kit.Pad(body, 0, theme.Space), container.NewHBox(layout.NewSpacer(), kit.Fixed(kit.NewPanel(theme.Border, 0), 1)))
	return s
}

// unfolded hides what it holds in a narrow sidebar.
type unfolded struct{}

func (unfolded) MinSize(o []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(0, o[0].MinSize().Height+theme.Space)
}

func (unfolded) Layout(o []fyne.CanvasObject, size fyne.Size) {
	kit.SetVisible(o[0], size.Width > narrowSidebar)
	o[0].Resize(fyne.NewSize(size.Width, size.Height-theme.Space))
}

// filter shows the downloads of a state.
func (s *sidebar) filter(f model.Filter) {
	s.current = f
	s.u.list.Filter(f)
	s.u.alone = false
	s.u.turnTo(pageDownloads)
	s.u.pages[pageDownloads].Refresh()
}

func (s *sidebar) show(t model.Totals, sharing api.SharingStatus, p page) {
	for i, n := range s.filters {
		count := ""
		if t.Count[i] > 0 {
			count = strconv.Itoa(t.Count[i])
		}
		n.SetCount(count)
		n.Select(p == pageDownloads && s.current == model.Filter(i))
	}
	s.sharing.Select(p == pageSharing)
	s.settings.Select(p == pageSettings)
	state := lang.L("Sharing is off")
	switch {
	case sharing.Sharing == api.SharingOff || sharing.Sharing == "":
	case sharing.PausedWhy != "":
		state = lang.L("Sharing rests")
	case sharing.Sharing == api.SharingLAN:
		state = lang.L("Sharing at home")
	default:
		state = lang.L("Sharing is on")
	}
	s.state.Set(state)
	s.today.Set(lang.L("{{.size}} given today", map[string]any{"size": say.Bytes(sharing.Today)}))
	s.speed.Set(lang.L("↓ {{.down}}  ↑ {{.up}}", map[string]any{"down": say.Rate(t.EdgeRate + t.PeerRate), "up": say.Rate(t.UploadRate)}))
}

// banner is a strip above the page that says what is wrong with the service, with the button that helps.
type banner struct {
	text   *kit.Words
	button *kit.Button
	root   *fyne.Container
}

func newBanner(u *UI) *banner {
	b := &banner{text: kit.Sentence("", false)}
	b.button = kit.Primary(lang.L("Start it"), "play_arrow", u.startService)
	ground := kit.NewPanel(theme.Surface, theme.Space)
	ground.Stroke = stock.ColorNameWarning
	icon := widget.NewIcon(theme.Tinted("cloud_off", stock.ColorNameWarning))
	line := container.NewBorder(nil, nil, kit.Middle(icon), kit.Middle(b.button), kit.Pad(kit.Middle(b.text), 0, theme.Space))
	b.root = kit.Pad(container.NewStack(ground, kit.Pad(line, theme.Space/2, theme.Space*3/2)), theme.Space, 2*theme.Space)
	b.root.Hide()
	return b
}

func (b *banner) show(u *UI) {
	text, start := "", false
	switch {
	case u.away != nil && u.book.Synced():
		text, start = lang.L("The service has stopped. What was downloaded is kept, and this window goes on by itself when the service is back."), true
	case u.away == nil && u.known && u.status.API != apiVersion:
		text = lang.L("The service is of another version ({{.version}}). Update both programs, then open this window again.", map[string]any{"version": u.status.Version})
	}
	b.text.Set(text)
	kit.SetVisible(b.button, start)
	kit.SetVisible(b.root, text != "")
}

// absent stands in place of all pages while no service has ever answered.
type absent struct {
	why  *kit.Words
	root *fyne.Container
}

func newAbsent(u *UI) *absent {
	a := &absent{why: kit.Sentence("", true).Centered()}
	title := kit.NewText(lang.L("The service is not running"))
	title.Scale, title.Bold, title.Align = stock.SizeNameSubHeadingText, true, fyne.TextAlignCenter
	icon := container.NewGridWrap(fyne.NewSquareSize(7*theme.Space), widget.NewIcon(theme.Tinted("cloud_off", theme.Muted)))
	text := kit.Sentence(lang.L("Tributary downloads in a program of its own, so that downloads go on when this window is closed. Nothing that you downloaded is lost."), true).Centered()
	body := kit.Column(theme.Space, container.NewCenter(icon), title, text, container.NewCenter(kit.Primary(lang.L("Start the service"), "play_arrow", u.startService)), a.why)
	a.root = container.NewStack(kit.NewPanel(stock.ColorNameBackground, 0), container.NewCenter(kit.Fixed(body, 52*theme.Space)))
	a.root.Hide()
	return a
}

func (a *absent) show(u *UI) {
	visible := u.away != nil && !u.book.Synced()
	if visible {
		a.why.Set(sentence(u.away))
	}
	kit.SetVisible(a.root, visible)
}

// toast is a message at the lower edge of the window. It stays until it is closed, Escape is pressed or another one
// comes: whoever was looking elsewhere still reads it.
type toast struct {
	text *kit.Words
	root *fyne.Container
}

func newToast() *toast {
	t := &toast{text: kit.Sentence("", false)}
	ground := kit.NewPanel(stock.ColorNameOverlayBackground, theme.Space*3/2)
	ground.Stroke, ground.Raised = theme.Edge, true
	line := container.NewBorder(nil, nil, nil, kit.Middle(kit.NewTool(lang.L("Close"), "close", func() { t.hide() })), kit.Pad(kit.Middle(t.text), 0, theme.Space))
	t.root = container.New(lower{}, container.NewStack(ground, kit.Pad(line, theme.Space/2, theme.Space)))
	t.root.Hide()
	return t
}

func (t *toast) show(text string) {
	t.text.Set(text)
	t.root.Show()
	t.root.Refresh()
}

func (t *toast) hide() bool {
	if !t.root.Visible() {
		return false
	}
	t.root.Hide()
	return true
}

// lower centres an object at the lower edge.
type lower struct{}

func (lower) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.Size{} }

func (lower) Layout(o []fyne.CanvasObject, size fyne.Size) {
	w := min(70*theme.Space, size.Width-4*theme.Space)
	o[0].Resize(fyne.NewSize(w, o[0].MinSize().Height))
	h := o[0].MinSize().Height // known once the text is broken to the width
	o[0].Resize(fyne.NewSize(w, h))
	o[0].Move(fyne.NewPos((size.Width-w)/2, size.Height-h-3*theme.Space))
}

package ui

import (
	"context"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/add"
	"github.com/tributary-dl/tributary/ui/detail"
	"github.com/tributary-dl/tributary/ui/kit"
	"github.com/tributary-dl/tributary/ui/list"
	"github.com/tributary-dl/tributary/ui/model"
	"github.com/tributary-dl/tributary/ui/settings"
	"github.com/tributary-dl/tributary/ui/sharing"
	"github.com/tributary-dl/tributary/ui/theme"
	"github.com/tributary-dl/tributary/ui/welcome"
)

// historySpan is how far the graphs look back.
const historySpan = 2 * time.Minute

// page is what the main part of the window shows.
type page int

const (
	pageDownloads page = iota
	pageSharing
	pageSettings
)

// UI is the content of the window. Its goroutine is that of the toolkit; other goroutines touch only inbox and wg.
type UI struct {
	cfg    Config
	inbox  inbox
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	prefs     model.Preferences
	book      model.Book
	histories map[string]*model.History
	total     *model.History
	status    api.Status
	known     bool // status has come
	policy    []api.Effective
	governed  bool  // policy is known
	away      error // why no service answers, nil when one does
	shared    api.SharingStatus
	held      []api.Held
	detail    api.Detail
	page      page
	alone     bool // where there is no room for both, the detail is shown, not the list
	polling   map[string]bool
	beats     int

	list     *list.View
	close    *detail.View
	sharing  *sharing.View
	settings *settings.View
	welcome  *welcome.View
	dialog   *add.Dialog
	modal    *kit.Modal
	probing  context.CancelFunc // ends the questions of the dialog for adding
	probeLag time.Duration      // how long a link must stand before its server is asked
	bar      *sidebar
	banner   *banner
	toast    *toast
	pages    [3]fyne.CanvasObject
	absent   *absent
	first    *fyne.Container // holds the welcome screens
	root     fyne.CanvasObject
}

// New builds the window's content. Call Start to bring it to life.
func New(cfg Config) *UI {
	ctx, cancel := context.WithCancel(context.Background())
	u := &UI{cfg: cfg, ctx: ctx, cancel: cancel, prefs: cfg.Preferences, histories: map[string]*model.History{}, total: model.NewHistory(historySpan),
		polling: map[string]bool{}, probing: func() {}, probeLag: typingPause}
	u.applyTheme() // before anything is measured: fonts are remembered
	u.list = list.New(list.Actions{Add: func() { u.OpenLinks("") }, Toggle: u.toggle, Menu: u.rowMenu, Open: u.open, Remove: u.askRemove,
		PauseAll: u.pauseAll, Selected: u.selected, Key: u.typedKey})
	u.close = detail.New(detail.Actions{Back: u.back, Copy: u.copy, Remedy: u.toggle, Log: u.showLog})
	u.sharing = sharing.New(sharing.Actions{Share: func(s api.Sharing) { u.change(api.SettingsPatch{Sharing: &s}) }, Stop: u.stopSharing, Delete: u.askDelete,
		Limits: func() { u.turnTo(pageSettings); u.settings.Open(settings.Sharing) }}, cfg.Now)
	u.settings = settings.New(settings.Actions{Change: u.change, Prefer: u.prefer, ChooseFolder: u.chooseFolder, Doctor: u.examine,
		StartAtLogin: cfg.Desktop.StartsAtLogin, SetStartAtLogin: u.startAtLogin}, cfg.Preferences, cfg.About)
	u.bar = newSidebar(u)
	u.banner, u.toast, u.absent = newBanner(u), newToast(), newAbsent(u)
	u.pages = [3]fyne.CanvasObject{container.New(&besides{u: u}, u.list.Object(), u.close.Object()), u.sharing.Object(), u.settings.Object()}
	u.first = container.NewStack()
	u.first.Hide()
	pages := container.NewStack(u.pages[0], u.pages[1], u.pages[2], u.absent.root)
	main := container.NewBorder(u.banner.root, nil, nil, nil, pages)
	frame := container.New(frame{}, u.bar.root, main)
	u.root = container.NewStack(kit.NewPanel("background", 0), frame, u.first, u.toast.root, kit.NewTips())
	u.turnTo(pageDownloads)
	u.refresh()
	return u
}

// Object is what the window shows.
func (u *UI) Object() fyne.CanvasObject { return u.root }

// Start connects keys and drops, and begins to follow the service.
func (u *UI) Start() {
	u.bindKeys()
	u.cfg.Window.SetOnDropped(func(_ fyne.Position, what []fyne.URI) { u.dropped(what) })
	u.cfg.Window.Canvas().Focus(u.list.Focusable())
	u.wg.Go(func() { u.follow(u.ctx) })
	u.wg.Go(func() { u.pulse(u.ctx) })
}

// Stop ends all work and waits for it. Nothing is drawn afterwards.
func (u *UI) Stop() {
	u.cancel()
	u.wg.Wait()
}

func (u *UI) applyTheme() {
	u.cfg.App.Settings().SetTheme(theme.New(theme.Mode(u.prefs.Theme)))
}

// tick takes in what the watch has told and draws.
func (u *UI) tick() {
	if u.ctx.Err() != nil {
		return
	}
	n := u.inbox.take()
	if n.began {
		u.book.BeginSync()
	}
	for _, e := range n.events {
		u.book.Apply(e)
	}
	if n.synced {
		u.away = nil
		u.book.Apply(api.Event{Synced: true})
		u.askPolicy()
	}
	if n.status != nil {
		u.status, u.known = *n.status, true
		u.shared = mergeSharing(u.shared, n.status.Sharing)
	}
	if n.lost != nil {
		u.away = n.lost
	}
	u.remember()
	u.poll()
	u.refresh()
}

// mergeSharing keeps the ledger, which only an answer of its own brings.
func mergeSharing(old, s api.SharingStatus) api.SharingStatus {
	if s.Ledger == nil {
		s.Ledger = old.Ledger
	}
	return s
}

// remember adds a sample to each history.
func (u *UI) remember() {
	now := u.cfg.Now()
	t := u.book.Totals()
	u.total.Push(model.Sample{At: now, Edge: t.EdgeRate, Peers: t.PeerRate})
	for _, d := range u.book.Rows(model.Query{Filter: model.FilterActive}) {
		h := u.history(d.ID)
		h.Push(model.Sample{At: now, Edge: d.EdgeRate, Peers: d.PeerRate})
	}
	for id := range u.histories {
		if u.book.Find(id) == nil {
			delete(u.histories, id)
		}
	}
}

func (u *UI) history(id string) *model.History {
	h := u.histories[id]
	if h == nil {
		h = model.NewHistory(historySpan)
		u.histories[id] = h
	}
	return h
}

// poll asks for what no event brings: the details of the download in sight, the ledger of the page in sight.
func (u *UI) poll() {
	u.beats++
	if u.away != nil {
		return
	}
	if id := u.list.Selection.Cursor(); u.page == pageDownloads && u.list.Selection.Has(id) {
		u.ask("detail", func(ctx context.Context) (func(), error) {
			d, err := u.cfg.Service.Download(ctx, id)
			return func() { u.detail = d }, err
		})
	}
	if u.page == pageSharing && u.beats%4 == 1 {
		u.ask("sharing", func(ctx context.Context) (func(), error) {
			s, err := u.cfg.Service.Sharing(ctx)
			return func() { u.shared = s }, err
		})
		u.ask("held", func(ctx context.Context) (func(), error) {
			held, err := u.cfg.Service.Held(ctx)
			return func() { u.held = held }, err
		})
	}
	if (u.page == pageSettings || u.page == pageSharing) && u.beats%8 == 1 {
		u.askPolicy() // an administrator may change it at any time
	}
	if u.beats%4 == 1 || !u.known {
		u.ask("status", func(ctx context.Context) (func(), error) {
			s, err := u.cfg.Service.Status(ctx)
			return func() { u.status, u.known, u.shared = s, true, mergeSharing(u.shared, s.Sharing) }, err
		})
	}
}

// locks tells what this user cannot change.
func (u *UI) locks() model.Locks { return model.LocksOf(u.policy, u.status) }

// askPolicy learns what an administrator has locked.
func (u *UI) askPolicy() {
	u.ask("policy", func(ctx context.Context) (func(), error) {
		effective, err := u.cfg.Service.Policy(ctx)
		return func() { u.policy, u.governed = effective, true }, err
	})
}

// ask makes one call of a kind at a time. What it brings is taken over and drawn; that it fails shows in the watch.
func (u *UI) ask(kind string, call func(context.Context) (use func(), err error)) {
	if u.polling[kind] {
		return
	}
	u.polling[kind] = true
	u.wg.Go(func() {
		use, err := call(u.ctx)
		u.later(func() {
			delete(u.polling, kind)
			if err == nil {
				use()
				u.refresh()
			}
		})
	})
}

// later runs a function on the goroutine of the user interface, unless the window is closed by then: the toolkit
// then runs what it is given on whatever goroutine gives it.
func (u *UI) later(f func()) {
	u.cfg.Do(func() {
		if u.ctx.Err() == nil {
			f()
		}
	})
}

// refresh draws everything in sight from what is known.
func (u *UI) refresh() {
	t := u.book.Totals()
	u.bar.show(t, u.shared, u.page)
	u.banner.show(u)
	u.absent.show(u)
	switch u.page {
	case pageDownloads:
		u.list.Show(&u.book)
		u.showDetail(t)
	case pageSharing:
		u.sharing.Show(u.shared, u.held, u.status.Settings, u.locks())
	case pageSettings:
		u.settings.Show(u.status.Settings, u.locks())
	}
	u.offerWelcome()
}

func (u *UI) showDetail(t model.Totals) {
	id := u.list.Selection.Cursor()
	d := u.book.Find(id)
	if d == nil || !u.list.Selection.Has(id) {
		u.close.ShowAll(t, u.total)
		return
	}
	shown := api.Detail{Download: *d}
	if u.detail.ID == id {
		shown = u.detail
		shown.Download = *d // the watch is newer than the last answer
	}
	u.close.Show(&shown, u.history(id))
}

// offerWelcome shows the first-run screens as soon as the service has told what holds.
func (u *UI) offerWelcome() {
	if u.prefs.Welcomed || !u.known || !u.governed || u.welcome != nil {
		return
	}
	u.welcome = welcome.New(welcome.Actions{ChooseFolder: u.chooseFolder, Done: func(p api.SettingsPatch) {
		if p != (api.SettingsPatch{}) {
			u.change(p)
		}
		u.prefs.Welcomed = true
		u.prefer(u.prefs)
		u.first.RemoveAll()
		u.first.Hide()
		u.refocus()
	}}, u.status.Settings, u.locks())
	u.first.Objects = []fyne.CanvasObject{kit.NewPanel("background", 0), u.welcome.Object()}
	u.first.Show()
	u.first.Refresh()
	u.welcome.Focus(u.cfg.Window.Canvas())
}

// turnTo shows a page.
func (u *UI) turnTo(p page) {
	turned := u.page != p
	u.page = p
	for i, o := range u.pages {
		if page(i) == p {
			o.Show()
		} else {
			o.Hide()
		}
	}
	if _, nav := u.cfg.Window.Canvas().Focused().(*kit.NavItem); turned && (!nav || p == pageDownloads) {
		u.refocus()
	}
	u.beats = 0
	u.refresh()
}

// refocus gives the keyboard to the page in sight: Space and Delete must never reach a list that nobody sees.
func (u *UI) refocus() {
	if u.page == pageDownloads {
		u.cfg.Window.Canvas().Focus(u.list.Focusable())
	} else {
		u.cfg.Window.Canvas().Unfocus()
	}
}

// selected is called when the selection changed.
func (u *UI) selected() {
	u.poll()
	u.showDetail(u.book.Totals())
}

func (u *UI) back() {
	u.alone = false
	u.pages[pageDownloads].Refresh()
}

//go:build !darwin || cgo

package tray

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"fyne.io/systray"
	"github.com/jeandeaual/go-locale"

	"github.com/tributary-dl/tributary/app/desktop"
	"github.com/tributary-dl/tributary/assets/icons"
	"github.com/tributary-dl/tributary/assets/translations"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/client"
	"github.com/tributary-dl/tributary/ui/tray"
)

// The menu changes at most this often: nobody reads it faster, and each change wakes the desktop's panel. The service tells
// of changes as seldom.
const showEvery = 2 * time.Second

// A service that went away is looked for this often.
const retryEvery = 2 * time.Second

// Run shows the tray until the user quits it, or does nothing if there is one already.
func Run(o desktop.Options, log *slog.Logger) error {
	place, err := o.Resolve()
	if err != nil {
		return err
	}
	instance, err := place.Claim("tray", desktop.Hello{Show: true})
	if errors.Is(err, desktop.ErrHandedOver) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = instance.Close() }()
	ctx, stop := context.WithCancel(context.Background())
	a := &app{place: place, client: place.Client(), log: log, ctx: ctx, notifier: newNotifier(place, log)}
	defer a.notifier.close()
	a.tray.Preferences = place.LoadPreferences()
	if a.words, err = tray.LoadWords(translations.Files, languages(a.tray.Preferences.Language)...); err != nil {
		log.Warn("a translation could not be read; the tray is in English", "err", err)
	}
	a.tray.Words = a.words
	instance.Serve(func(h desktop.Hello) {
		if h.Quit {
			systray.Quit()
		}
	})
	systray.Run(a.ready, stop)
	a.wg.Wait()
	return nil
}

// languages are the user's, most wanted first.
func languages(chosen string) []string {
	system, err := locale.GetLocales()
	if err != nil {
		system = nil // then it is English
	}
	if chosen != "" {
		return append([]string{chosen}, system...)
	}
	return system
}

// app is the running tray. tray is guarded by mu: the watch fills it, clicks read it.
type app struct {
	place    desktop.Place
	client   *client.Client
	log      *slog.Logger
	ctx      context.Context
	wg       sync.WaitGroup
	notifier *notifier
	words    tray.Words

	mu   sync.Mutex
	tray tray.Tray

	shown                  tray.View // by the goroutine that draws
	recent                 [tray.RecentItems]*systray.MenuItem
	recentIDs              []string // guarded by mu
	pause, resume, sharing *systray.MenuItem
}

// ready builds the menu and starts the work.
func (a *app) ready() {
	systray.SetTitle("Tributary")
	w := a.words
	open := func() { a.openWindow() }
	systray.SetOnTapped(open)
	a.item(w.L("Open Tributary"), open)
	a.item(w.L("Add link from clipboard"), func() { a.openWindow("--paste") })
	systray.AddSeparator()
	for i := range a.recent {
		a.recent[i] = a.item("", func() { a.openRecent(i) })
		a.recent[i].Hide()
	}
	systray.AddSeparator()
	a.pause = a.item(w.L("Pause all"), func() { a.each(a.client.Pause, (*tray.Tray).Pausable) })
	a.resume = a.item(w.L("Resume all"), func() { a.each(a.client.Resume, (*tray.Tray).Resumable) })
	a.sharing = systray.AddMenuItemCheckbox(w.L("Give to others"), "", false)
	a.clicks(a.sharing, a.toggleSharing)
	systray.AddSeparator()
	a.item(w.L("Quit the tray"), a.quit)
	a.draw(tray.View{State: tray.Problem})
	a.wg.Go(a.follow)
	a.wg.Go(func() { a.place.RunErrands(a.ctx, a.log) })
	a.wg.Go(a.pulse)
}

func (a *app) item(text string, clicked func()) *systray.MenuItem {
	m := systray.AddMenuItem(text, "")
	a.clicks(m, clicked)
	return m
}

func (a *app) clicks(m *systray.MenuItem, clicked func()) {
	a.wg.Go(func() {
		for {
			select {
			case <-a.ctx.Done():
				return
			case <-m.ClickedCh:
				clicked()
			}
		}
	})
}

// follow takes in what the service tells, for ever.
func (a *app) follow() {
	for a.ctx.Err() == nil {
		a.mu.Lock()
		a.tray.BeginSync()
		a.mu.Unlock()
		for e, err := range a.client.WatchEvery(a.ctx, showEvery) {
			a.mu.Lock()
			var notices []tray.Notice
			if err != nil {
				a.tray.Away()
			} else {
				notices = a.tray.Apply(e)
			}
			a.mu.Unlock()
			for _, n := range notices {
				a.notifier.tell(n, a.words)
			}
		}
		select {
		case <-a.ctx.Done():
		case <-time.After(retryEvery):
		}
	}
}

// pulse asks for the status, which no event brings when nothing is downloaded, and draws what changed.
func (a *app) pulse() {
	beat := time.NewTicker(showEvery)
	defer beat.Stop()
	for n := 0; ; n++ {
		if n%5 == 0 {
			if s, err := a.client.Status(a.ctx); err == nil {
				a.mu.Lock()
				notices := a.tray.Apply(api.Event{Status: &s})
				a.tray.Preferences = a.place.LoadPreferences() // the window may have changed them
				a.mu.Unlock()
				for _, notice := range notices {
					a.notifier.tell(notice, a.words)
				}
			}
		}
		a.mu.Lock()
		v := a.tray.Show()
		a.recentIDs = v.RecentIDs
		a.mu.Unlock()
		a.draw(v)
		select {
		case <-a.ctx.Done():
			return
		case <-beat.C:
		}
	}
}

// draw changes only what differs: every call goes over the desktop's bus.
func (a *app) draw(v tray.View) {
	if v.State != a.shown.State {
		png, err := icons.Tray.ReadFile("tray/" + string(v.State) + ".png")
		if err != nil {
			a.log.Error("an icon is missing", "state", v.State, "err", err)
		}
		systray.SetIcon(iconFile(png))
	}
	if v.Tooltip != a.shown.Tooltip {
		systray.SetTooltip(v.Tooltip)
	}
	for i, m := range a.recent {
		var now, before string
		if i < len(v.Recent) {
			now = v.Recent[i]
		}
		if i < len(a.shown.Recent) {
			before = a.shown.Recent[i]
		}
		switch now {
		case before:
		case "":
			m.Hide()
		default:
			m.SetTitle(now)
			m.Show()
		}
	}
	enable(a.pause, v.CanPause)
	enable(a.resume, v.CanResume)
	enable(a.sharing, v.CanShare)
	if v.Sharing != a.sharing.Checked() {
		if v.Sharing {
			a.sharing.Check()
		} else {
			a.sharing.Uncheck()
		}
	}
	a.shown = v
}

func enable(m *systray.MenuItem, on bool) {
	if m.Disabled() != on {
		return
	}
	if on {
		m.Enable()
	} else {
		m.Disable()
	}
}

func (a *app) openWindow(args ...string) {
	if err := a.place.StartOther("tributary", args...); err != nil {
		a.notifier.tell(tray.Notice{Title: a.words.L("The window cannot be opened"), Text: err.Error()}, a.words)
	}
}

// openRecent opens the finished file, else the window.
func (a *app) openRecent(i int) {
	a.mu.Lock()
	var path string
	if i < len(a.recentIDs) {
		path = a.tray.PathOf(a.recentIDs[i])
	}
	a.mu.Unlock()
	if path == "" {
		a.openWindow()
		return
	}
	if err := a.place.Open(path); err != nil {
		a.notifier.tell(tray.Notice{Title: a.words.L("The file cannot be opened"), Text: err.Error()}, a.words)
	}
}

func (a *app) each(command func(context.Context, string) error, pick func(*tray.Tray) []string) {
	a.mu.Lock()
	ids := pick(&a.tray)
	a.mu.Unlock()
	for _, id := range ids {
		if err := command(a.ctx, id); err != nil {
			a.log.Warn("a command failed", "download", id, "err", err)
		}
	}
}

func (a *app) toggleSharing() {
	to := api.SharingOn
	if a.sharing.Checked() {
		to = api.SharingOff
	}
	if _, err := a.client.SetSettings(a.ctx, api.SettingsPatch{Sharing: &to}); err != nil {
		a.notifier.tell(tray.Notice{Title: a.words.L("Sharing stays as it is"), Text: err.Error()}, a.words)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s, err := a.client.Status(a.ctx); err == nil {
		a.tray.Apply(api.Event{Status: &s})
	}
}

// quit ends the tray, and says once that downloads go on without it.
func (a *app) quit() {
	if prefs := a.place.LoadPreferences(); !prefs.ToldAboutQuit {
		prefs.ToldAboutQuit = true
		if err := a.place.SavePreferences(prefs); err != nil {
			a.log.Warn("it will be told again", "err", err)
		}
		a.notifier.tell(tray.Notice{Title: a.words.L("Downloads go on"), Text: a.words.L("The service runs without the tray. Open Tributary to see your downloads.")}, a.words)
	}
	systray.Quit()
}

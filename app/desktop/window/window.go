//go:build desktop

package window

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"

	"github.com/tributary-dl/tributary/app/config"
	"github.com/tributary-dl/tributary/app/desktop"
	"github.com/tributary-dl/tributary/ui"
	"github.com/tributary-dl/tributary/ui/say"
	"github.com/tributary-dl/tributary/ui/theme"
)

// gcPercent is how much garbage may gather, in percent of what is in use. With 10,000 rows in use are 36 MB, a third of it
// fonts, and the runtime's 100% would let as much again lie about; in "make bench-ui" less than a third of it takes 50 MB away.
const gcPercent = 25

// Run shows the window until it is closed, or hands links to the window that is open already.
func Run(o desktop.Options, links []string, log *slog.Logger) error {
	if runtime.GOOS == "linux" && os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return errors.New("there is no display to open a window on; tributaryctl does the same in a terminal")
	}
	place, err := o.Resolve()
	if err != nil {
		return err
	}
	links = desktop.Absolute(links)
	instance, err := place.Claim("window", desktop.Hello{Links: links, Paste: o.Paste, Show: true})
	if errors.Is(err, desktop.ErrHandedOver) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = instance.Close() }()
	debug.SetGCPercent(gcPercent)

	prefs := place.LoadPreferences()
	if err := say.Use(prefs.Language); err != nil {
		log.Warn("a translation could not be read; the window is in English", "err", err)
	}
	if prefs.Scale > 0 { // the toolkit takes it from there alone, and only before its window is made
		if err := os.Setenv("FYNE_SCALE", strconv.FormatFloat(prefs.Scale, 'f', 2, 64)); err != nil {
			log.Warn("the size of the window cannot be set", "err", err)
		}
	}
	// That the toolkit is only called on its goroutine is said by the tag migrated_fynedo alone: a build without it checks.
	app.SetMetadata(fyne.AppMetadata{ID: desktop.ID, Name: "Tributary", Version: config.Version(), Icon: theme.Mark()})
	a := app.NewWithID(desktop.ID)
	a.SetIcon(theme.Mark())
	w := a.NewWindow("Tributary")
	u := ui.New(ui.Config{Service: place.Client(), Desktop: place, App: a, Window: w, Do: fyne.Do, Now: time.Now,
		Preferences: prefs, SavePreferences: place.SavePreferences, About: place.Socket})
	w.SetPadded(false)
	w.SetContent(u.Object())
	w.Resize(fyne.NewSize(1180, 740))
	w.SetMaster()
	w.SetCloseIntercept(func() { u.Closing(a.Quit) })
	a.Lifecycle().SetOnStarted(func() {
		log.Info("the window is open")
		u.Start()
		take(u, a, desktop.Hello{Links: links, Paste: o.Paste})
	})
	instance.Serve(func(h desktop.Hello) {
		fyne.Do(func() {
			if h.Quit {
				a.Quit()
				return
			}
			take(u, a, h)
			w.Show()
			w.RequestFocus()
		})
	})
	if !o.Alone {
		startOthers(place, log)
	}
	errands, stop := context.WithCancel(context.Background())
	var agent sync.WaitGroup
	agent.Go(func() { place.RunErrands(errands, log) })
	w.ShowAndRun()
	stop()
	agent.Wait()
	u.Stop()
	return nil
}

// take offers for download what a start came with.
func take(u *ui.UI, a fyne.App, h desktop.Hello) {
	switch {
	case len(h.Links) > 0:
		u.OpenLinks(strings.Join(h.Links, "\n"))
	case h.Paste:
		u.OpenLinks(a.Clipboard().Content())
	}
}

// startOthers starts the service, if none answers, and the tray, which goes on when the window is closed.
func startOthers(place desktop.Place, log *slog.Logger) {
	// The window does not wait for it: it shows the service as absent until it answers.
	go func() {
		if err := place.StartService(context.Background()); err != nil {
			log.Warn("the service could not be started", "err", err)
		}
		if err := place.StartOther("tributary-tray"); err != nil {
			log.Warn("the tray could not be started", "err", err)
		}
	}()
}

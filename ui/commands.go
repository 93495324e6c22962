package ui

import (
	"context"
	"errors"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/widget"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/kit"
	"github.com/tributary-dl/tributary/ui/model"
	"github.com/tributary-dl/tributary/ui/theme"
)

// run does something slow. If it fails the user reads why; done, if not nil, runs after a success.
func (u *UI) run(work func(context.Context) error, done func()) {
	u.wg.Go(func() {
		err := work(u.ctx)
		u.later(func() {
			switch {
			case err != nil:
				u.toast.show(sentence(err))
			case done != nil:
				done()
			}
		})
	})
}

// sentence is what a person reads of an error: the service's own words without what wraps them.
func sentence(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*api.Error](err); ok {
		text = e.Message
	}
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// each runs a command on several downloads and stops at the first that fails.
func (u *UI) each(downloads []*api.Download, command func(context.Context, string) error) {
	u.run(func(ctx context.Context) error {
		for _, d := range downloads {
			if err := command(ctx, d.ID); err != nil {
				return err
			}
		}
		return nil
	}, nil)
}

// toggle pauses what runs and lets go on what rests.
func (u *UI) toggle(d *api.Download) {
	if model.CanPause(d) && d.State != api.StateWaiting {
		u.each([]*api.Download{d}, u.cfg.Service.Pause)
	} else if model.CanResume(d) {
		u.each([]*api.Download{d}, u.cfg.Service.Resume)
	}
}

func (u *UI) pauseAll(pause bool) {
	var chosen []*api.Download
	command := u.cfg.Service.Resume
	if pause {
		command = u.cfg.Service.Pause
	}
	for _, d := range u.book.Rows(model.Query{}) {
		if pause && model.CanPause(d) || !pause && d.State == api.StatePaused {
			chosen = append(chosen, d)
		}
	}
	u.each(chosen, command)
}

// open opens the finished file, or looks at a download from close by where there is no room beside the list.
func (u *UI) open(d *api.Download) {
	if d.State != api.StateComplete {
		u.alone = true
		u.pages[pageDownloads].Refresh()
		return
	}
	path := d.Path
	u.run(func(context.Context) error { return u.cfg.Desktop.Open(path) }, nil)
}

func (u *UI) reveal(d *api.Download) {
	path := d.Path
	u.run(func(context.Context) error { return u.cfg.Desktop.Reveal(path) }, nil)
}

func (u *UI) copy(text string) {
	u.cfg.App.Clipboard().SetContent(text)
	u.toast.show(lang.L("Copied."))
}

// move puts a download some places further in the queue.
func (u *UI) move(d *api.Download, by int) {
	places := model.Reorder(u.book.Rows(model.Query{}), d.ID, by)
	u.run(func(ctx context.Context) error {
		for _, p := range places {
			if err := u.cfg.Service.Move(ctx, p.ID, p.Priority); err != nil {
				return err
			}
		}
		return nil
	}, nil)
}

// rowMenu is the menu of the selected downloads.
func (u *UI) rowMenu() *fyne.Menu {
	chosen := u.list.Selected()
	item := func(text, symbol string, enabled bool, action func()) *fyne.MenuItem {
		m := fyne.NewMenuItem(text, action)
		m.Icon, m.Disabled = theme.Icon(symbol), !enabled
		return m
	}
	pausable := slices.ContainsFunc(chosen, model.CanPause)
	resumable := slices.ContainsFunc(chosen, model.CanResume)
	one := len(chosen) == 1
	complete := one && chosen[0].State == api.StateComplete
	filtered := func(keep func(*api.Download) bool) []*api.Download {
		return slices.DeleteFunc(slices.Clone(chosen), func(d *api.Download) bool { return !keep(d) })
	}
	return fyne.NewMenu("",
		item(lang.L("Open"), "open_in_new", complete, func() { u.open(chosen[0]) }),
		item(lang.L("Show in folder"), "folder_open", one, func() { u.reveal(chosen[0]) }),
		item(lang.L("Details"), "info", one && !complete, func() { u.open(chosen[0]) }),
		fyne.NewMenuItemSeparator(),
		item(lang.L("Pause"), "pause", pausable, func() { u.each(filtered(model.CanPause), u.cfg.Service.Pause) }),
		item(lang.L("Resume or try again"), "play_arrow", resumable, func() { u.each(filtered(model.CanResume), u.cfg.Service.Resume) }),
		item(lang.L("Move up"), "arrow_upward", one && !complete, func() { u.move(chosen[0], -1) }),
		item(lang.L("Move down"), "arrow_downward", one && !complete, func() { u.move(chosen[0], 1) }),
		fyne.NewMenuItemSeparator(),
		item(lang.L("Copy link"), "link", len(chosen) > 0, func() { u.copyLinks(chosen) }),
		item(lang.L("Remove…"), "delete", len(chosen) > 0, func() { u.askRemove(chosen) }),
	)
}

func (u *UI) copyLinks(chosen []*api.Download) {
	var links []string
	for _, d := range chosen {
		links = append(links, d.URL)
	}
	u.copy(strings.Join(links, "\n"))
}

// askRemove asks before anything is forgotten or deleted.
func (u *UI) askRemove(chosen []*api.Download) {
	done := slices.DeleteFunc(slices.Clone(chosen), func(d *api.Download) bool { return d.State != api.StateComplete })
	title := lang.N("Remove {{.n}} downloads?", len(chosen), map[string]any{"n": len(chosen)})
	text := lang.L("What has been downloaded of unfinished files is deleted.")
	if len(done) == len(chosen) {
		text = lang.L("The finished files stay where they are, unless you delete them, too.")
	}
	if len(chosen) == 1 {
		text = chosen[0].Name + "\n" + text
	}
	remove := func(file bool) {
		u.modal.Close()
		u.each(chosen, func(ctx context.Context, id string) error { return u.remove(ctx, id, file) })
	}
	buttons := []fyne.CanvasObject{kit.Plain(lang.L("Keep"), "", func() { u.modal.Close() })}
	if len(done) > 0 {
		del := kit.Plain(lang.L("Delete files, too"), "delete", func() { remove(true) })
		del.Importance = widget.DangerImportance
		buttons = append(buttons, del)
	}
	buttons = append(buttons, kit.Primary(lang.L("Remove"), "", func() { remove(false) }))
	u.showModal(title, 60*theme.Space, kit.Sentence(text, false), buttons...)
}

// remove forgets a finished download and cancels another.
func (u *UI) remove(ctx context.Context, id string, file bool) error {
	d, err := u.cfg.Service.Download(ctx, id)
	if err != nil {
		return err
	}
	if d.State != api.StateComplete {
		return u.cfg.Service.Cancel(ctx, id)
	}
	return u.cfg.Service.Remove(ctx, id, file)
}

func (u *UI) showModal(title string, width float32, content fyne.CanvasObject, buttons ...fyne.CanvasObject) {
	u.closeModal()
	u.modal = kit.ShowModal(u.cfg.Window.Canvas(), title, width, content, buttons...)
	u.modal.OnClose(func() { u.modal = nil; u.refocus() })
}

// closeModal closes the dialog that is open and says whether one was.
func (u *UI) closeModal() bool {
	if u.modal == nil {
		return false
	}
	u.modal.Close()
	return true
}

// change asks the service for other settings.
func (u *UI) change(p api.SettingsPatch) {
	u.wg.Go(func() {
		s, err := u.cfg.Service.SetSettings(u.ctx, p)
		u.later(func() {
			if err != nil {
				if field, _, named := strings.Cut(sentence(err), ":"); named {
					u.settings.Complain(strings.ToLower(field), sentence(err))
				}
				u.toast.show(sentence(err))
			} else {
				u.status.Settings, u.shared.Sharing = s, s.Sharing
			}
			u.refresh() // also puts a switch back that the service refused
		})
	})
}

func (u *UI) prefer(p model.Preferences) {
	changed := p.Theme != u.prefs.Theme
	u.prefs = p
	if changed {
		u.applyTheme()
	}
	if err := u.cfg.SavePreferences(p); err != nil {
		u.toast.show(sentence(err))
	}
}

func (u *UI) startAtLogin(on bool) {
	u.run(func(context.Context) error { return u.cfg.Desktop.SetStartAtLogin(on) }, nil)
}

func (u *UI) stopSharing(contentID string) {
	u.run(func(ctx context.Context) error { return u.cfg.Service.StopSharing(ctx, contentID) }, func() {
		u.toast.show(lang.L("This file is no longer given to others. It stays where it is."))
		u.askHeld()
	})
}

// askDelete asks before a downloaded file is deleted because it is shared: the two are the same file.
func (u *UI) askDelete(h api.Held) {
	text := lang.L("“{{.name}}” is the file that you downloaded; there is no second copy. It is deleted from the disk, and others no longer get it from you.", map[string]any{"name": h.Name})
	del := kit.Plain(lang.L("Delete the file"), "delete", func() {
		u.modal.Close()
		u.run(func(ctx context.Context) error { return u.cfg.Service.Remove(ctx, h.Download, true) }, u.askHeld)
	})
	del.Importance = widget.DangerImportance
	u.showModal(lang.L("Delete the file?"), 60*theme.Space, kit.Column(theme.Space, kit.Sentence(text, false), kit.Small(h.Path, theme.Muted)),
		kit.Primary(lang.L("Keep"), "", func() { u.modal.Close() }), del)
}

// askHeld asks at once for what the page in sight shows.
func (u *UI) askHeld() {
	u.beats = 0
	u.poll()
}

func (u *UI) startService() {
	u.run(u.cfg.Desktop.StartService, nil)
}

func (u *UI) chooseFolder(chosen func(dir string)) {
	dialog.NewFolderOpen(func(folder fyne.ListableURI, err error) {
		switch {
		case err != nil:
			u.toast.show(sentence(err))
		case folder != nil:
			chosen(folder.Path())
		}
	}, u.cfg.Window).Show()
}

// examine shows what the service finds out about this computer.
func (u *UI) examine() {
	var checks []api.Check
	u.run(func(ctx context.Context) (err error) { checks, err = u.cfg.Service.Doctor(ctx); return err }, func() {
		lines := kit.Column(theme.Space)
		for _, c := range checks {
			icon := theme.Tinted("check_circle", "success")
			text := c.Detail
			if !c.OK {
				icon, text = theme.Tinted("warning", "warning"), c.Detail+" "+c.Remedy
			}
			lines.Add(container.NewBorder(nil, nil, widget.NewIcon(icon), nil, kit.Column(0, kit.Title(c.Name), kit.Sentence(text, true))))
		}
		u.showModal(lang.L("Examine this computer"), 76*theme.Space, kit.Tall(container.NewVScroll(lines), 44*theme.Space),
			kit.Primary(lang.L("Close"), "", func() { u.closeModal() }))
	})
}

// showLog shows the newest lines of the service's log.
func (u *UI) showLog() {
	var lines []string
	u.run(func(ctx context.Context) (err error) { lines, err = u.cfg.Service.Diagnostics(ctx); return err }, func() {
		text := widget.NewLabel(strings.Join(lines[max(len(lines)-200, 0):], "\n"))
		text.TextStyle.Monospace = true
		text.Selectable = true
		u.showModal(lang.L("Log of the service"), 110*theme.Space, kit.Tall(container.NewScroll(text), 50*theme.Space),
			kit.Plain(lang.L("Copy"), "content_copy", func() { u.copy(strings.Join(lines, "\n")) }), kit.Primary(lang.L("Close"), "", func() { u.closeModal() }))
	})
}

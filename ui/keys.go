package ui

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"github.com/tributary-dl/tributary/ui/model"
)

// binding is a key with Ctrl (Cmd on a Mac) and what it does.
type binding struct {
	key    fyne.KeyName
	action func(*UI)
}

// bindings is the table of keys that work wherever the focus is. Keys without Ctrl are in typedKey and, for the list,
// in its own TypedKey: Space pauses, Delete removes, Enter opens, arrows move.
var bindings = []binding{
	{fyne.KeyN, func(u *UI) { u.OpenLinks("") }},
	{fyne.KeyF, func(u *UI) { u.turnTo(pageDownloads); u.cfg.Window.Canvas().Focus(u.list.Search) }},
	{fyne.KeyComma, func(u *UI) { u.turnTo(pageSettings) }},
	{fyne.Key1, func(u *UI) { u.bar.filter(model.FilterAll) }},
	{fyne.Key2, func(u *UI) { u.bar.filter(model.FilterActive) }},
	{fyne.Key3, func(u *UI) { u.bar.filter(model.FilterQueued) }},
	{fyne.Key4, func(u *UI) { u.bar.filter(model.FilterDone) }},
	{fyne.Key5, func(u *UI) { u.bar.filter(model.FilterFailed) }},
	{fyne.Key6, func(u *UI) { u.turnTo(pageSharing) }},
	{fyne.KeyUp, func(u *UI) { u.moveSelected(-1) }},
	{fyne.KeyDown, func(u *UI) { u.moveSelected(1) }},
}

func (u *UI) bindKeys() {
	canvas := u.cfg.Window.Canvas()
	for _, b := range bindings {
		canvas.AddShortcut(&desktop.CustomShortcut{KeyName: b.key, Modifier: fyne.KeyModifierShortcutDefault}, func(fyne.Shortcut) { b.action(u) })
	}
	canvas.AddShortcut(&fyne.ShortcutPaste{}, func(fyne.Shortcut) { u.OpenLinks(u.cfg.App.Clipboard().Content()) })
	canvas.AddShortcut(&fyne.ShortcutCopy{}, func(fyne.Shortcut) {
		if chosen := u.list.Selected(); len(chosen) > 0 {
			u.copyLinks(chosen)
		}
	})
	canvas.AddShortcut(&fyne.ShortcutSelectAll{}, func(fyne.Shortcut) { u.list.SelectAll() })
	canvas.SetOnTypedKey(u.typedKey)
	u.list.Search.OnEscape = func() {
		u.list.Search.SetText("")
		canvas.Focus(u.list.Focusable())
	}
}

// typedKey is for keys that no widget with the focus took.
func (u *UI) typedKey(e *fyne.KeyEvent) {
	switch e.Name {
	case fyne.KeyEscape:
		u.escape()
	case fyne.KeyF5:
		u.tick()
	case fyne.KeyDown, fyne.KeyUp:
		if u.page != pageDownloads {
			return
		}
		u.cfg.Window.Canvas().Focus(u.list.Focusable())
		u.list.Focusable().TypedKey(e)
	}
}

// escape undoes the last thing that opened: a dialog, a message, the detail, a selection, another page.
func (u *UI) escape() {
	switch {
	case u.closeModal():
	case u.toast.hide():
	case u.alone:
		u.back()
	case u.page != pageDownloads:
		u.turnTo(pageDownloads)
	default:
		u.list.ClearSelection()
	}
}

func (u *UI) moveSelected(by int) {
	if chosen := u.list.Selected(); len(chosen) == 1 {
		u.move(chosen[0], by)
	}
}

package ui

import (
	"fyne.io/fyne/v2/lang"

	"github.com/tributary-dl/tributary/ui/kit"
	"github.com/tributary-dl/tributary/ui/theme"
)

// Closing is what happens when the user closes the window: quit is called. Downloads go on without it, which the tray's icon
// shows; where there is no tray the user is told before, once, and may keep the window. Closing it again while that is
// told is an answer, too.
func (u *UI) Closing(quit func()) {
	if u.prefs.ToldAboutClose {
		quit()
		return
	}
	u.wg.Go(func() {
		tray := u.cfg.Desktop.HasTray()
		u.later(func() {
			if tray {
				quit()
				return
			}
			told := u.prefs
			told.ToldAboutClose = true
			u.prefer(told)
			text := lang.L("This desktop shows no tray icon. The service goes on with your downloads without the window; open Tributary again to see them.")
			u.showModal(lang.L("Downloads go on"), 60*theme.Space, kit.Sentence(text, false),
				kit.Plain(lang.L("Keep the window"), "", func() { u.closeModal() }), kit.Primary(lang.L("Close"), "", quit))
		})
	})
}

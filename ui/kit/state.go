package kit

import "fyne.io/fyne/v2"

// SetVisible shows or hides an object, and touches it only if that changes anything: every change repaints the window.
func SetVisible(o fyne.CanvasObject, visible bool) {
	if o.Visible() == visible {
		return
	}
	if visible {
		o.Show()
	} else {
		o.Hide()
	}
}

// SetEnabled enables or disables a widget if that changes anything.
func SetEnabled(w fyne.Disableable, on bool) {
	if w.Disabled() != on {
		return
	}
	if on {
		w.Enable()
	} else {
		w.Disable()
	}
}

package model

import "github.com/tributary-dl/tributary/engine/api"

// Locks maps the name of each setting that this user cannot change to where an administrator has locked it, or to "" if it
// takes an administrator to change it.
type Locks map[string]string

// LocksOf picks the locked settings out of what the service says of its policy and of itself.
func LocksOf(effective []api.Effective, s api.Status) Locks {
	locks := Locks{}
	for _, e := range effective {
		if e.Locked {
			locks[e.Name] = e.Origin
		} else if s.Machine && !s.Administrator { // they hold for everybody who uses the machine
			locks[e.Name] = ""
		}
	}
	return locks
}

// Scales are the sizes of the window that can be chosen.
var Scales = []float64{1, 1.25, 1.5, 1.75, 2}

// Preferences are the user's choices about the window and the tray. They concern no other program, so the
// service does not know them.
type Preferences struct {
	Theme          string  `json:"theme,omitempty"`    // "", "light" or "dark"; empty follows the system
	Language       string  `json:"language,omitempty"` // "en", "de" …; empty follows the system
	Scale          float64 `json:"scale,omitempty"`    // one of Scales; 0 follows the system
	QuietFinished  bool    `json:"quiet_finished,omitempty"`
	QuietFailed    bool    `json:"quiet_failed,omitempty"`
	QuietBudget    bool    `json:"quiet_budget,omitempty"`
	Welcomed       bool    `json:"welcomed,omitempty"`         // the first-run screens have been answered
	ToldAboutQuit  bool    `json:"told_about_quit,omitempty"`  // that the service goes on without the tray
	ToldAboutClose bool    `json:"told_about_close,omitempty"` // and without the window, where there is no tray
}

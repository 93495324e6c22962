package tray

import (
	"testing"

	"github.com/godbus/dbus/v5"
)

// A notification may be clicked on before the answer that says its number has been read.
func TestClickBeforeTheNumberIsKnown(t *testing.T) {
	click := &dbus.Signal{Name: notifyName + ".ActionInvoked", Body: []any{uint32(7), "folder"}}
	n := &notifier{paths: map[uint32]string{}, early: map[uint32]string{}, telling: 2}
	n.clicked(click)
	if action, chosen := n.shown(6, ""); chosen {
		t.Errorf("of another notification %q was chosen", action)
	}
	if action, chosen := n.shown(7, "/file"); !chosen || action != "folder" {
		t.Errorf("chosen was %q, %v; want folder", action, chosen)
	}
	n.paths = map[uint32]string{}
	n.clicked(click) // nothing is under way: it is a notification of another program
	if len(n.early) != 0 {
		t.Errorf("kept %v", n.early)
	}
}

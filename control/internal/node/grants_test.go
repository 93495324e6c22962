package node

import (
	"testing"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
)

func TestGoodGrantsAreRemembered(t *testing.T) {
	var g grants
	later := noon.Add(time.Hour)
	g.add([]byte("sealed"), film, later)
	for _, test := range []struct {
		what    string
		sealed  string
		content protocol.ContentID
		now     time.Time
		holds   bool
	}{
		{"the same", "sealed", film, noon, true},
		{"another grant", "Sealed", film, noon, false},
		{"for another object", "sealed", protocol.ContentID{9}, noon, false},
		{"in its last second", "sealed", film, later.Add(-time.Second), true},
		{"expired", "sealed", film, later, false},
	} {
		if g.holds([]byte(test.sealed), test.content, test.now) != test.holds {
			t.Errorf("%s: %v", test.what, !test.holds)
		}
	}
	for i := range 2 * maxGrants {
		g.add([]byte{byte(i)}, film, later)
	}
	if len(g.list) != maxGrants {
		t.Errorf("%d grants are remembered; want %d", len(g.list), maxGrants)
	}
	if g.holds([]byte("sealed"), film, noon) || !g.holds([]byte{2*maxGrants - 1}, film, noon) {
		t.Error("the oldest must be forgotten first")
	}
}

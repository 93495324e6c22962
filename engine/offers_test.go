package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

func TestOffersKeepTheNewestThatFit(t *testing.T) {
	object := func(id string, size int64, finished int) api.Download {
		at := time.Unix(int64(finished), 0)
		return api.Download{ID: id, State: api.StateComplete, ContentID: "x", TotalBytes: size, Finished: &at}
	}
	list := []api.Download{object("old", 40, 1), object("small", 5, 2), object("big", 60, 3), object("new", 30, 4),
		{ID: "running", State: api.StateDownloading, ContentID: "x", TotalBytes: 1000}}
	var o offers
	for _, c := range []struct {
		keep int64
		want string // offered
	}{
		{0, "old small big new"}, {1000, "old small big new"}, {95, "small big new"}, {60, "small new"}, {1, ""}, {0, "old small big new"},
	} {
		o.settle(list, c.keep)
		var got []string
		for _, id := range []string{"old", "small", "big", "new"} {
			if o.may(id) {
				got = append(got, id)
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("with room for %d bytes %q are offered; want %q", c.keep, s, c.want)
		}
	}
	// Of each user of a machine so many.
	var users []api.Download
	for i := range mostOpen + 2 {
		for _, owner := range []string{"ann", "bob"} {
			d := object(fmt.Sprint(owner, i), 1, i)
			d.Owner = owner
			if users = append(users, d); owner == "bob" && i >= 2 {
				users = users[:len(users)-1]
			}
		}
	}
	var of offers
	of.settle(users, 0)
	for id, want := range map[string]bool{"ann0": false, "ann1": false, "ann2": true, fmt.Sprint("ann", mostOpen+1): true, "bob0": true, "bob1": true} {
		if of.may(id) != want {
			t.Errorf("%s may be offered: %v", id, !want)
		}
	}
	if changed := o.settle(list, 60); strings.Join(changed, " ") != "big old" {
		t.Errorf("changed: %v; want big and old", changed)
	}
}

package tray_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/model"
	"github.com/tributary-dl/tributary/ui/tray"
)

func download(id string, s api.State) api.Event {
	return api.Event{Download: &api.Download{ID: id, Name: id + ".iso", State: s, TotalBytes: 1000, VerifiedBytes: 500, BytesFromPeers: 250, Path: "/dl/" + id + ".iso",
		Problem: &api.Problem{Text: "The disk is full.", Remedy: "Make room."}}}
}

// told plays events after a first watch has told of three downloads, and returns the titles of the notices.
func told(prefs model.Preferences, events ...api.Event) (titles []string) {
	t := tray.Tray{Preferences: prefs}
	t.BeginSync()
	first := []api.Event{download("old", api.StateComplete), download("a", api.StateDownloading), download("b", api.StateDownloading), {Synced: true}}
	for _, e := range append(first, events...) {
		for _, n := range t.Apply(e) {
			titles = append(titles, n.Title)
		}
	}
	return titles
}

func TestNotices(t *testing.T) {
	full := api.Event{Status: &api.Status{Settings: api.Settings{MonthlyUpload: 100}, Sharing: api.SharingStatus{Month: 100}}}
	tests := []struct {
		name   string
		prefs  model.Preferences
		events []api.Event
		want   string
	}{
		{"what was finished before is no news", model.Preferences{}, nil, ""},
		{"finished, once", model.Preferences{}, []api.Event{download("a", api.StateComplete), download("a", api.StateComplete)}, "a.iso is finished"},
		{"failed", model.Preferences{}, []api.Event{download("b", api.StateFailed)}, "b.iso has failed"},
		{"failed again after another try", model.Preferences{}, []api.Event{download("b", api.StateFailed), download("b", api.StateDownloading), download("b", api.StateFailed)}, "b.iso has failed, b.iso has failed"},
		{"the limit, once", model.Preferences{}, []api.Event{full, full}, "Your sharing limit is used up"},
		{"quiet", model.Preferences{QuietFinished: true, QuietFailed: true, QuietBudget: true}, []api.Event{download("a", api.StateComplete), download("b", api.StateFailed), full}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(told(tt.prefs, tt.events...), ", "); got != tt.want {
				t.Errorf("told %q; want %q", got, tt.want)
			}
		})
	}
}

func TestShow(t *testing.T) {
	var tr tray.Tray
	if v := tr.Show(); v.State != tray.Problem || v.CanShare {
		t.Errorf("before the service answers: %+v", v)
	}
	tr.BeginSync()
	for i := range 5 {
		tr.Apply(download(fmt.Sprint("d", i), api.StateDownloading))
	}
	tr.Apply(api.Event{Synced: true})
	v := tr.Show()
	if v.State != tray.Active || !v.CanPause || v.CanResume || len(v.Recent) != tray.RecentItems || !strings.HasSuffix(v.Recent[0], "50%") {
		t.Errorf("five run: %+v", v)
	}
	if diff := cmp.Diff([]string{"d0", "d1", "d2", "d3", "d4"}, tr.Pausable()); diff != "" {
		t.Error(diff)
	}
	tr.Apply(download("d0", api.StateFailed))
	if v := tr.Show(); v.State != tray.Problem {
		t.Errorf("one has failed: %+v", v)
	}
	tr.Away()
	if v := tr.Show(); v.State != tray.Problem || !strings.Contains(v.Tooltip, "not running") {
		t.Errorf("the service is away: %+v", v)
	}
}

func TestWords(t *testing.T) {
	files := fstest.MapFS{
		"de.json": {Data: []byte(`{"{{.name}} is finished": "{{.name}} ist fertig", "{{.n}} peers": {"one": "x", "other": "y"}}`)},
		"fr.json": {Data: []byte(`{`)},
	}
	w, err := tray.LoadWords(files, "xx", "de_AT.UTF-8")
	if err != nil {
		t.Fatal(err)
	}
	if got := w.L("{{.name}} is finished", "name", "a"); got != "a ist fertig" {
		t.Errorf("L() = %q", got)
	}
	if got := w.L("not {{.x}} there", "x", "translated"); got != "not translated there" {
		t.Errorf("L() = %q", got)
	}
	if _, err := tray.LoadWords(files, "fr"); err == nil {
		t.Error("a broken file is no error")
	}
}

// Package tray decides what the tray shows and tells: its state, its menu, its notifications, from the events of a watch. It
// is plain Go, because the tray runs all day and must cost nothing: it must never import a toolkit, do I/O or start
// a goroutine.
package tray

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/model"
)

// State is what the icon shows.
type State string

const (
	Idle    State = "idle"
	Active  State = "active"
	Sharing State = "sharing"
	Problem State = "problem" // a download needs the user, or the service is away
)

// RecentItems is how many downloads the menu shows.
const RecentItems = 3

// Tray knows what the service has told. The zero value knows nothing; one goroutine owns it.
type Tray struct {
	Words       Words
	Preferences model.Preferences

	book    model.Book
	sharing api.SharingStatus
	limit   int64 // bytes a month; 0: none
	away    bool
	told    map[string]api.State // what was known of each download when it was told of last
	budget  bool                 // that it is used up has been told
}

// BeginSync says that a watch starts: what it tells first is no news.
func (t *Tray) BeginSync() { t.book.BeginSync() }

// Away says that no service answers.
func (t *Tray) Away() { t.away = true }

// Apply takes in an event and returns what the user should be told.
func (t *Tray) Apply(e api.Event) (notices []Notice) {
	news := t.book.Synced() && !t.away
	t.book.Apply(e)
	if e.Synced {
		t.away = false
	}
	if d := e.Download; d != nil {
		if n, ok := t.noticeOf(d); ok && news {
			notices = append(notices, n)
		}
		if t.told == nil {
			t.told = map[string]api.State{}
		}
		t.told[d.ID] = d.State
	}
	if e.Removed != "" {
		delete(t.told, e.Removed)
	}
	if e.Status != nil {
		t.sharing, t.limit = e.Status.Sharing, e.Status.Settings.MonthlyUpload
		used := t.limit > 0 && t.sharing.Month >= t.limit
		if used && !t.budget && news && !t.Preferences.QuietBudget {
			notices = append(notices, Notice{Title: t.Words.L("Your sharing limit is used up"),
				Text: t.Words.L("{{.size}} were given this month. Sharing goes on next month.", "size", t.format().Bytes(t.sharing.Month))})
		}
		t.budget = used
	}
	return notices
}

// Notice is one notification. Path is the file it is about, if there is one to open.
type Notice struct {
	Title, Text string
	Path        string
	Urgent      bool
}

func (t *Tray) noticeOf(d *api.Download) (Notice, bool) {
	if t.told[d.ID] == d.State {
		return Notice{}, false
	}
	switch {
	case d.State == api.StateComplete && !t.Preferences.QuietFinished:
		_, peers := model.Shares(d)
		text := t.format().Bytes(d.TotalBytes)
		if peers > 0 {
			text += " · " + t.Words.L("{{.share}} from peers", "share", model.Percent(peers))
		}
		return Notice{Title: t.Words.L("{{.name}} is finished", "name", d.Name), Text: text, Path: d.Path}, true
	case d.State == api.StateFailed && !t.Preferences.QuietFailed:
		n := Notice{Title: t.Words.L("{{.name}} has failed", "name", d.Name), Urgent: true}
		if d.Problem != nil {
			n.Text = strings.TrimSpace(d.Problem.Text + " " + d.Problem.Remedy)
		}
		return n, true
	}
	return Notice{}, false
}

// View is what the tray shows now.
type View struct {
	State     State
	Tooltip   string
	Recent    []string // a line for each of the latest downloads
	RecentIDs []string
	CanPause  bool
	CanResume bool
	Sharing   bool
	CanShare  bool // the service answers
}

// Show returns what the tray shows now.
func (t *Tray) Show() View {
	if t.away || !t.book.Synced() {
		return View{State: Problem, Tooltip: "Tributary · " + t.Words.L("The service is not running")}
	}
	totals := t.book.Totals()
	v := View{State: Idle, CanPause: totals.Running > 0, CanResume: totals.Paused > 0, CanShare: true,
		Sharing: t.sharing.Sharing == api.SharingOn || t.sharing.Sharing == api.SharingLAN}
	switch {
	case totals.Count[model.FilterFailed] > 0:
		v.State = Problem
	case totals.Running > 0:
		v.State = Active
	case v.Sharing && t.sharing.Rate > 0:
		v.State = Sharing
	}
	f := t.format()
	v.Tooltip = "Tributary"
	if totals.Running > 0 {
		v.Tooltip += fmt.Sprintf(" · %s %s · %s %s", t.Words.L("Edge"), f.Rate(totals.EdgeRate), t.Words.L("Peers"), f.Rate(totals.PeerRate))
	}
	for _, d := range t.book.Recent(RecentItems) {
		v.Recent = append(v.Recent, model.Shorten(d.Name, 40)+" · "+model.Percent(model.Progress(d)))
		v.RecentIDs = append(v.RecentIDs, d.ID)
	}
	return v
}

// PathOf returns where the finished file of a download is, "" while it is not.
func (t *Tray) PathOf(id string) string {
	if d := t.book.Find(id); d != nil && d.State == api.StateComplete {
		return filepath.Clean(d.Path)
	}
	return ""
}

// Pausable returns the downloads that can be paused, Resumable those that are.
func (t *Tray) Pausable() (ids []string) {
	return t.pick(model.CanPause)
}

// Resumable returns the downloads that the user has paused.
func (t *Tray) Resumable() (ids []string) {
	return t.pick(func(d *api.Download) bool { return d.State == api.StatePaused })
}

func (t *Tray) pick(wanted func(*api.Download) bool) (ids []string) {
	for _, d := range t.book.Rows(model.Query{}) {
		if wanted(d) {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

func (t *Tray) format() model.Format {
	return model.Format{Decimal: t.Words.L("format.decimal")}
}

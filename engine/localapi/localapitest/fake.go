// Package localapitest is a kit for tests of programs that speak the local API: a Service that lives in
// memory, behind the real server on a real socket. It must never be imported outside tests.
package localapitest

import (
	"context"
	"fmt"
	"iter"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// Fake is a localapi.Service whose downloads change only when a caller or the test says so.
type Fake struct {
	// Fixed answers; set them before the fake is served.
	Policy     []api.Effective
	Checks     []api.Check
	LogLines   []string
	StatusNow  api.Status
	SharingNow api.SharingStatus
	HeldNow    []api.Held
	Probes     map[string]api.Probe // by URL
	Linked     []api.LinkedFile     // in every file

	mu        sync.Mutex
	refuse    error        // what every command answers, if set
	downloads []api.Detail // in queue order
	settings  api.Settings // in force
	requests  []api.AddRequest
	calls     []string      // each command as "pause d1"
	changed   chan struct{} // closed and replaced at every change
}

// NewFake returns a fake that holds downloads.
func NewFake(downloads ...api.Detail) *Fake {
	return &Fake{downloads: downloads, settings: api.DefaultSettings(), changed: make(chan struct{})}
}

// Refuse makes every later command answer err.
func (f *Fake) Refuse(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = err
}

// Update changes a download as the engine would, and tells watchers.
func (f *Fake) Update(id string, change func(*api.Download)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := f.indexLocked(id); i >= 0 {
		change(&f.downloads[i].Download)
		f.publishLocked()
	}
}

// Calls returns the commands so far, as "pause d1".
func (f *Fake) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Requests returns what has been asked for so far.
func (f *Fake) Requests() []api.AddRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// Add makes a download d1, d2, … that waits in the queue.
func (f *Fake) Add(_ context.Context, r api.AddRequest) (api.Download, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return api.Download{}, f.refuse
	}
	d := api.Download{ID: fmt.Sprintf("d%d", len(f.downloads)+1), URL: r.URL, Name: r.Out, State: api.StateQueued, Want: api.WantRun, TotalBytes: -1, ETASeconds: -1}
	if r.Paused {
		d.State, d.Want = api.StatePaused, api.WantPause
	}
	f.requests = append(f.requests, r)
	f.downloads = append(f.downloads, api.Detail{Download: d})
	f.recordLocked("add " + r.URL)
	return d, nil
}

// Probe returns what Probes has of the URL.
func (f *Fake) Probe(_ context.Context, r api.AddRequest) (api.Probe, error) {
	p, ok := f.Probes[r.URL]
	if !ok {
		return p, &api.Error{Code: api.ErrInvalid, Message: fmt.Sprintf("%q is not a web address", r.URL)}
	}
	return p, nil
}

// ReadLinkFile returns Linked, and refuses a file without content.
func (f *Fake) ReadLinkFile(_ context.Context, file api.LinkFile) ([]api.LinkedFile, error) {
	if len(file.Data) == 0 {
		return nil, &api.Error{Code: api.ErrInvalid, Message: "The file is neither a Metalink nor a torrent."}
	}
	return f.Linked, nil
}

// AddFor is Add for a user of the machine. The file is not looked at.
func (f *Fake) AddFor(ctx context.Context, owner string, file *os.File, r api.AddRequest) (api.Download, error) {
	if file == nil {
		return api.Download{}, &api.Error{Code: api.ErrNeedsFile, Message: "no file came"}
	}
	defer file.Close()
	d, err := f.Add(ctx, r)
	f.Update(d.ID, func(d *api.Download) { d.Owner = owner })
	return d, err
}

// Owner returns the user whose download it is.
func (f *Fake) Owner(id string) (string, error) {
	d, err := f.Get(context.Background(), id)
	return d.Owner, err
}

// Hand records the call.
func (f *Fake) Hand(_ context.Context, id string, file *os.File, name string) error {
	return f.taken("hand "+name, id, file)
}

// Named records the call.
func (f *Fake) Named(_ context.Context, id string, file *os.File, name string) error {
	return f.taken("name "+name, id, file)
}

func (f *Fake) taken(verb, id string, file *os.File) error {
	if file == nil {
		return &api.Error{Code: api.ErrNeedsFile, Message: "no file came"}
	}
	defer file.Close()
	return f.command(verb, id, func(int) {})
}

// List returns every download.
func (f *Fake) List() []api.Download {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []api.Download
	for _, d := range f.downloads {
		all = append(all, d.Download)
	}
	return all
}

// Get returns one download.
func (f *Fake) Get(ctx context.Context, id string) (api.Detail, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.indexLocked(id)
	if i < 0 {
		return api.Detail{}, notFound(id)
	}
	return f.downloads[i], nil
}

// Pause records the call and pauses.
func (f *Fake) Pause(_ context.Context, id string) error {
	return f.command("pause", id, func(i int) {
		f.downloads[i].State, f.downloads[i].Want = api.StatePaused, api.WantPause
	})
}

// Resume records the call and queues.
func (f *Fake) Resume(_ context.Context, id string) error {
	return f.command("resume", id, func(i int) {
		f.downloads[i].State, f.downloads[i].Want = api.StateQueued, api.WantRun
	})
}

// Cancel records the call and drops the download.
func (f *Fake) Cancel(_ context.Context, id string) error {
	return f.command("cancel", id, f.dropLocked)
}

// Remove records the call, "remove" or "delete" with the file, and drops the download.
func (f *Fake) Remove(_ context.Context, id string, deleteFile bool) error {
	verb := "remove"
	if deleteFile {
		verb = "delete"
	}
	return f.command(verb, id, f.dropLocked)
}

// Move records the call and sets the priority.
func (f *Fake) Move(_ context.Context, id string, priority int) error {
	return f.command(fmt.Sprintf("move to %d", priority), id, func(i int) { f.downloads[i].Priority = priority })
}

// Settings returns the settings.
func (f *Fake) Settings() api.Settings {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.settings
}

// SetSettings takes what is present in p, and the defaults of what is in reset.
func (f *Fake) SetSettings(_ context.Context, p api.SettingsPatch, reset ...string) (api.Settings, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return api.Settings{}, f.refuse
	}
	if _, err := (api.SettingsChange{SettingsPatch: p, Reset: reset}).Check(); err != nil {
		return api.Settings{}, err
	}
	to, from, defaults := reflect.ValueOf(&f.settings).Elem(), reflect.ValueOf(p), reflect.ValueOf(api.DefaultSettings())
	for i := range from.NumField() {
		field := from.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case !from.Field(i).IsNil():
			to.FieldByName(field.Name).Set(from.Field(i).Elem())
		case slices.Contains(reset, name):
			to.FieldByName(field.Name).Set(defaults.FieldByName(field.Name))
		}
	}
	f.recordLocked("set")
	return f.settings, nil
}

// Effective returns Policy.
func (f *Fake) Effective() []api.Effective { return f.Policy }

// ReloadPolicy records the call.
func (f *Fake) ReloadPolicy(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return f.refuse
	}
	f.recordLocked("reload policy")
	return nil
}

// Status returns StatusNow.
func (f *Fake) Status() api.Status { return f.StatusNow }

// Sharing returns SharingNow.
func (f *Fake) Sharing() api.SharingStatus { return f.SharingNow }

// Held returns HeldNow.
func (f *Fake) Held() []api.Held { return f.HeldNow }

// StopSharing records the call.
func (f *Fake) StopSharing(_ context.Context, contentID string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return f.refuse
	}
	f.recordLocked("forget " + contentID)
	return nil
}

// Doctor returns Checks.
func (f *Fake) Doctor(context.Context) []api.Check { return f.Checks }

// Diagnostics returns LogLines.
func (f *Fake) Diagnostics() []string { return f.LogLines }

// Watch yields the whole with Synced, and then what differs from what was yielded before, at once however seldom it
// shall be.
func (f *Fake) Watch(ctx context.Context, _ time.Duration) iter.Seq[[]api.Event] {
	return func(yield func([]api.Event) bool) {
		var told []api.Download
		for synced := false; ctx.Err() == nil; {
			now, changed := f.snapshot()
			events := differences(told, now)
			told = now
			if !synced {
				events = append(events, api.Event{Synced: true})
			}
			synced = true
			if len(events) > 0 && !yield(events) {
				return
			}
			select {
			case <-ctx.Done():
			case <-changed:
			}
		}
	}
}

func differences(before, now []api.Download) (events []api.Event) {
	for _, d := range now {
		i := slices.IndexFunc(before, func(b api.Download) bool { return b.ID == d.ID })
		if i < 0 || before[i] != d {
			events = append(events, api.Event{Download: &d})
		}
	}
	for _, b := range before {
		if !slices.ContainsFunc(now, func(d api.Download) bool { return d.ID == b.ID }) {
			events = append(events, api.Event{Removed: b.ID})
		}
	}
	return events
}

func (f *Fake) snapshot() ([]api.Download, <-chan struct{}) {
	all := f.List()
	f.mu.Lock()
	defer f.mu.Unlock()
	return all, f.changed
}

func (f *Fake) command(verb, id string, apply func(i int)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return f.refuse
	}
	i := f.indexLocked(id)
	if i < 0 {
		return notFound(id)
	}
	apply(i)
	f.recordLocked(verb + " " + id)
	return nil
}

func notFound(id string) error {
	return &api.Error{Code: api.ErrNotFound, Message: fmt.Sprintf("no download %q", id)}
}

func (f *Fake) dropLocked(i int) { f.downloads = slices.Delete(f.downloads, i, i+1) }

func (f *Fake) indexLocked(id string) int {
	return slices.IndexFunc(f.downloads, func(d api.Detail) bool { return d.ID == id })
}

func (f *Fake) recordLocked(call string) {
	f.calls = append(f.calls, call)
	f.publishLocked()
}

func (f *Fake) publishLocked() {
	close(f.changed)
	f.changed = make(chan struct{})
}

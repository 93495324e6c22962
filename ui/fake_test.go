package ui

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/model"
	"github.com/tributary-dl/tributary/ui/say"
)

// fakeService answers with what a test has put in it, and writes down what it is asked to do.
type fakeService struct {
	mu       sync.Mutex
	details  map[string]api.Detail
	status   api.Status
	shared   api.SharingStatus
	policy   []api.Effective
	held     []api.Held
	probes   map[string]api.Probe // by URL; what is not there is a refusal
	linked   []api.LinkedFile
	refuse   error
	trayed   bool // the desktop has a tray
	asked    []string
	requests []api.AddRequest
}

func (f *fakeService) do(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
	return f.refuse
}

// log returns what was asked for, and forgets it.
func (f *fakeService) log() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	log := strings.Join(f.asked, ", ")
	f.asked = nil
	return log
}

func (f *fakeService) Watch(context.Context) iter.Seq2[api.Event, error] {
	return func(func(api.Event, error) bool) {}
}

func (f *fakeService) Download(_ context.Context, id string) (api.Detail, error) {
	d, ok := f.details[id]
	if !ok {
		return d, &api.Error{Code: api.ErrNotFound, Message: "there is no download " + id}
	}
	return d, nil
}

func (f *fakeService) Add(_ context.Context, r api.AddRequest) (api.Download, error) {
	err := f.do("add %s", r.URL)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(f.requests, r)
	return api.Download{ID: "new", URL: r.URL}, err
}

func (f *fakeService) Probe(_ context.Context, r api.AddRequest) (api.Probe, error) {
	p, ok := f.probes[r.URL]
	if !ok {
		return p, &api.Error{Code: api.ErrConflict, Message: "the server does not answer in time"}
	}
	return p, nil
}

func (f *fakeService) ReadLinkFile(_ context.Context, data []byte) ([]api.LinkedFile, error) {
	if len(f.linked) == 0 {
		return nil, &api.Error{Code: api.ErrInvalid, Message: "This torrent names no web server."}
	}
	return f.linked, f.do("read %s", data)
}

func (f *fakeService) Held(context.Context) ([]api.Held, error) { return f.held, nil }

func (f *fakeService) Pause(_ context.Context, id string) error  { return f.do("pause %s", id) }
func (f *fakeService) Resume(_ context.Context, id string) error { return f.do("resume %s", id) }
func (f *fakeService) Cancel(_ context.Context, id string) error { return f.do("cancel %s", id) }
func (f *fakeService) Remove(_ context.Context, id string, file bool) error {
	return f.do("remove %s %v", id, file)
}
func (f *fakeService) Move(_ context.Context, id string, p int) error {
	return f.do("move %s %d", id, p)
}
func (f *fakeService) SetSettings(_ context.Context, p api.SettingsPatch) (api.Settings, error) {
	s := f.status.Settings
	if p.Sharing != nil {
		s.Sharing = *p.Sharing
	}
	if p.DownloadLimit != nil {
		s.DownloadLimit = *p.DownloadLimit
	}
	return s, f.do("set")
}
func (f *fakeService) Policy(context.Context) ([]api.Effective, error) { return f.policy, nil }
func (f *fakeService) Status(context.Context) (api.Status, error) {
	s := f.status
	s.Sharing = f.shared
	s.Sharing.Ledger = nil // only the call for it brings it
	return s, nil
}
func (f *fakeService) Sharing(context.Context) (api.SharingStatus, error) { return f.shared, nil }
func (f *fakeService) StopSharing(_ context.Context, id string) error     { return f.do("stop %s", id) }
func (f *fakeService) Doctor(context.Context) ([]api.Check, error)        { return nil, f.do("doctor") }
func (f *fakeService) Diagnostics(context.Context) ([]string, error)      { return nil, f.do("diagnostics") }

// fakeDesktop writes down what is opened.
type fakeDesktop struct{ *fakeService }

func (f fakeDesktop) Open(path string) error   { return f.do("open %s", path) }
func (f fakeDesktop) Reveal(path string) error { return f.do("reveal %s", path) }
func (f fakeDesktop) ReadLinkFile(path string) ([]byte, error) {
	return []byte(path), nil
}
func (f fakeDesktop) StartService(context.Context) error { return f.do("start") }
func (f fakeDesktop) HasTray() bool                      { return f.trayed }
func (f fakeDesktop) StartsAtLogin() bool                { return false }
func (f fakeDesktop) SetStartAtLogin(on bool) error      { return f.do("login %v", on) }

// stage is a window without a screen. The test's goroutine is that of the user interface: what other goroutines
// hand over waits in a queue until settle.
type stage struct {
	*UI
	service *fakeService
	window  fyne.Window
	mu      sync.Mutex
	queue   []func()
	saved   []model.Preferences
}

// noon is when everything on a stage happens.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newStage(t *testing.T, size fyne.Size, prefs model.Preferences) *stage {
	t.Helper()
	language := prefs.Language
	if language == "" {
		language = "en"
	}
	if err := say.Use(language); err != nil {
		t.Fatal(err)
	}
	app := test.NewTempApp(t)
	s := &stage{service: &fakeService{details: map[string]api.Detail{}}}
	s.service.status = api.Status{API: apiVersion, Settings: api.DefaultSettings()}
	s.service.status.Settings.Dir = "/home/me/Downloads"
	s.service.shared = api.SharingStatus{Sharing: api.SharingOff}
	s.window = test.NewTempWindow(t, nil)
	s.window.SetPadded(false)
	s.UI = New(Config{Service: s.service, Desktop: fakeDesktop{s.service}, App: app, Window: s.window, Do: s.do, Now: func() time.Time { return noon },
		Preferences: prefs, SavePreferences: func(p model.Preferences) error { s.saved = append(s.saved, p); return nil }, About: "/run/user/1000/tributary/tributaryd.sock"})
	s.probeLag = 0
	s.window.SetContent(s.Object())
	s.window.Resize(size)
	s.bindKeys()
	t.Cleanup(s.Stop)
	return s
}

func (s *stage) do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, f)
}

// settle lets all work end, and what it brings be drawn.
func (s *stage) settle() {
	for {
		s.wg.Wait()
		s.mu.Lock()
		queue := s.queue
		s.queue = nil
		s.mu.Unlock()
		if len(queue) == 0 {
			return
		}
		for _, f := range queue {
			f()
		}
	}
}

// tell plays a watch that names downloads and has then told everything.
func (s *stage) tell(downloads ...api.Detail) {
	s.inbox.begin()
	for _, d := range downloads {
		s.service.details[d.ID] = d
		s.inbox.put(api.Event{Download: &d.Download})
	}
	s.inbox.put(api.Event{Synced: true})
	s.beat()
}

func (s *stage) beat() {
	s.tick()
	s.settle()
}

// frame lays everything out again, as a real window does before each frame in which a size has changed.
func (s *stage) frame() {
	for _, root := range append(s.window.Canvas().Overlays().List(), s.window.Canvas().Content()) {
		root.Refresh()
	}
}

// visit calls see with each object in sight.
func visit(o fyne.CanvasObject, see func(fyne.CanvasObject)) {
	if !o.Visible() {
		return
	}
	see(o)
	switch o := o.(type) {
	case *fyne.Container:
		for _, child := range o.Objects {
			visit(child, see)
		}
	case fyne.Widget:
		for _, child := range test.WidgetRenderer(o).Objects() {
			visit(child, see)
		}
	}
}

// inSight returns every object that can be seen, those of dialogs first.
func (s *stage) inSight() (objects []fyne.CanvasObject) {
	for _, root := range append(s.window.Canvas().Overlays().List(), s.window.Canvas().Content()) {
		visit(root, func(o fyne.CanvasObject) { objects = append(objects, o) })
	}
	return objects
}

// welcomed are the preferences of a user who has seen the first-run screens, in the dark.
var welcomed = model.Preferences{Welcomed: true, Theme: "dark"}

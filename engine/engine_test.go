package engine

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

func open(t *testing.T, dir string, p Policy) *Engine {
	t.Helper()
	e, err := Open(t.Context(), Config{DataDir: dir, NoPeers: true, Policy: p, Version: "test", Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	return e
}

// until follows the watch until ok is true of some snapshot.
func until(t *testing.T, e *Engine, what string, ok func(api.Download) bool) api.Download {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for events := range e.Watch(ctx, 0) {
		for _, event := range events {
			if event.Download != nil && ok(*event.Download) {
				return *event.Download
			}
		}
	}
	t.Fatalf("waited for %s in vain: %+v", what, e.List())
	return api.Download{}
}

func TestBadRequestsGetASentenceAndChangeNothing(t *testing.T) {
	e := open(t, t.TempDir(), Policy{})
	for _, r := range []api.AddRequest{
		{}, {URL: "file:///etc/passwd"}, {URL: "javascript:alert(1)"}, {URL: "ftp://example.com/x"}, {URL: "http://"},
		{URL: "https://example.com/x", Dir: "relative"}, {URL: "https://example.com/x", Out: "../x"},
		{URL: "https://example.com/x", Out: "con.txt"}, {URL: "https://example.com/x", Checksum: "nonsense"},
		{URL: "https://example.com/x", RateLimit: -1}, {URL: "https://example.com/x", Tries: -1}, {URL: "https://example.com/x", Proxy: "foo"}, {URL: "https://example.com/x", Mirrors: []string{"data:,x"}},
		{URL: strings.Repeat("x", 1<<20)},
	} {
		if d, err := e.Add(t.Context(), r); api.CodeOf(err) != api.ErrInvalid || err.Error() == "" {
			t.Errorf("Add(%.60v) = %v, %v; want an error of code invalid", r, d, err)
		}
	}
	if list := e.List(); len(list) != 0 {
		t.Errorf("%d downloads were made", len(list))
	}
	if err := e.Pause(t.Context(), "nobody"); api.CodeOf(err) != api.ErrNotFound {
		t.Errorf("Pause of an unknown download: %v", err)
	}
}

func TestQueueHoldsToTheNumberAndTheOrder(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader([]byte(r.URL.Path)))
	}))
	defer server.Close()
	e := open(t, t.TempDir(), Policy{})
	one, dir := 1, t.TempDir()
	if _, err := e.SetSettings(t.Context(), api.SettingsPatch{MaxActive: &one, Dir: &dir}); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i, priority := range []int{0, 2, 1} {
		d, err := e.Add(t.Context(), api.AddRequest{URL: server.URL + "/" + string(rune('a'+i)), Priority: priority})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, d.ID)
		if i == 0 {
			until(t, e, "the first to start", func(s api.Download) bool { return s.ID == d.ID && s.State == api.StateResolving })
		}
	}
	close(release)
	var finished [3]time.Time
	for i, id := range ids {
		s := until(t, e, "completion", func(s api.Download) bool { return s.ID == id && s.State == api.StateComplete })
		finished[i] = *s.Finished
	}
	if !finished[0].Before(finished[2]) || !finished[2].Before(finished[1]) {
		t.Errorf("finished at %v; want the first, the third, the second", finished)
	}
}

func TestWhatWasSaidSurvivesARestart(t *testing.T) {
	data := t.TempDir()
	e := open(t, data, Policy{})
	limit := int64(123456)
	if _, err := e.SetSettings(t.Context(), api.SettingsPatch{DownloadLimit: &limit}); err != nil {
		t.Fatal(err)
	}
	d, err := e.Add(t.Context(), api.AddRequest{URL: "https://example.invalid/x", Paused: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	e = open(t, data, Policy{})
	if s := e.Settings(); s.DownloadLimit != limit {
		t.Errorf("the limit is %d after a restart", s.DownloadLimit)
	}
	list := e.List()
	if len(list) != 1 || list[0].ID != d.ID || list[0].State != api.StatePaused {
		t.Errorf("after a restart: %+v", list)
	}
	if err := e.Remove(t.Context(), d.ID, false); err != nil {
		t.Fatal(err)
	}
	e.Close(t.Context())
	if e = open(t, data, Policy{}); len(e.List()) != 0 {
		t.Error("a removed download came back")
	}
}

// What the user takes back is decided by the administrator again, or by the default; all of a change holds, or nothing.
func TestSettingsAreTakenBack(t *testing.T) {
	e, err := Open(t.Context(), Config{DataDir: t.TempDir(), NoPeers: true, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Policy: Policy{Settings: api.SettingsPatch{MaxActive: new(7), Sharing: new(api.SharingOff)}, Locked: map[string]bool{"sharing": true},
			Origin: map[string]string{"max_active": "p.json:1", "sharing": "p.json:1"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(t.Context()) })
	home := e.Settings().Dir
	if _, err := e.SetSettings(t.Context(), api.SettingsPatch{MaxActive: new(3), Connections: new(4), Dir: new(t.TempDir())}); err != nil {
		t.Fatal(err)
	}
	for _, reset := range [][]string{{"max_active", "sharing"}, {"max_active", "colour"}} {
		if _, err := e.SetSettings(t.Context(), api.SettingsPatch{}, reset...); err == nil || e.Settings().MaxActive != 3 {
			t.Errorf("taking back %v: %v, max_active is %d", reset, err, e.Settings().MaxActive)
		}
	}
	s, err := e.SetSettings(t.Context(), api.SettingsPatch{Connections: new(5)}, "max_active", "dir")
	if err != nil || s.MaxActive != 7 || s.Dir != home || s.Connections != 5 {
		t.Errorf("SetSettings() = %+v, %v; want 7 active ones, 5 connections and %s", s, err, home)
	}
	if got := explained(t, e, "max_active"); got.Origin != "p.json:1" {
		t.Errorf("max_active is %+v; want it from the administrator", got)
	}
}

func TestALockedSettingIsNotTheUsersToChange(t *testing.T) {
	off, on, limit := api.SharingOff, api.SharingOn, int64(5)
	p := Policy{Settings: api.SettingsPatch{Sharing: &off, UploadLimit: &limit}, Locked: map[string]bool{"sharing": true},
		Origin: map[string]string{"sharing": "/etc/p.json", "upload_limit": "/etc/p.json"}}
	e := open(t, t.TempDir(), p)
	if _, err := e.SetSettings(t.Context(), api.SettingsPatch{Sharing: &on}); api.CodeOf(err) != api.ErrDenied || !strings.Contains(err.Error(), "/etc/p.json") {
		t.Errorf("changing a locked setting: %v", err)
	}
	more := int64(9)
	s, err := e.SetSettings(t.Context(), api.SettingsPatch{UploadLimit: &more})
	if err != nil || s.UploadLimit != 9 || s.Sharing != api.SharingOff {
		t.Errorf("settings %+v, %v", s, err)
	}
	for _, x := range e.Effective() {
		switch {
		case x.Name == "sharing" && (x.Origin != "/etc/p.json" || !x.Locked || x.Value != "off"):
			t.Errorf("sharing is %+v", x)
		case x.Name == "upload_limit" && (x.Origin != "user" || x.Value != "9"):
			t.Errorf("upload_limit is %+v", x)
		}
	}
}

func TestAnExistingFileIsNeverOverwritten(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader([]byte("new")))
	}))
	defer server.Close()
	dir := t.TempDir()
	mine := filepath.Join(dir, "x.txt")
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	e := open(t, t.TempDir(), Policy{})
	d, err := e.Add(t.Context(), api.AddRequest{URL: server.URL + "/x.txt", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s := until(t, e, "completion", func(s api.Download) bool { return s.ID == d.ID && s.State == api.StateComplete })
	if got, _ := os.ReadFile(mine); string(got) != "mine" {
		t.Errorf("the user's file now reads %q", got)
	}
	if got, _ := os.ReadFile(s.Path); string(got) != "new" || s.Path == mine {
		t.Errorf("%s reads %q", s.Path, got)
	}
	if err := e.Remove(t.Context(), d.ID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Path); err == nil {
		t.Error("the file is still there after it was to be deleted")
	}
}

package engine

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/engine/api"
)

func lockedSharing(s api.Sharing, origin string) Policy {
	return Policy{Settings: api.SettingsPatch{Sharing: &s}, Locked: map[string]bool{"sharing": true}, Origin: map[string]string{"sharing": origin}}
}

// explained returns the line of one setting.
func explained(t *testing.T, e *Engine, name string) api.Effective {
	t.Helper()
	for _, x := range e.Effective() {
		if x.Name == name {
			return x
		}
	}
	t.Fatalf("there is no setting %s", name)
	return api.Effective{}
}

// A new policy holds at once, a broken one changes nothing and is told until it is mended, and with the lock goes what
// it overruled.
func TestReloadedPolicy(t *testing.T) {
	now, broken := lockedSharing(api.SharingOff, "p.json:1"), error(nil)
	e, err := Open(t.Context(), Config{DataDir: t.TempDir(), NoPeers: true, Policy: Policy{}, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		LoadPolicy: func() (Policy, error) { return now, broken }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(t.Context()) })
	if _, err := e.SetSettings(t.Context(), api.SettingsPatch{Sharing: new(api.SharingOn)}); err != nil {
		t.Fatal(err)
	}
	want := func(step string, sharing api.Effective, problem string) {
		t.Helper()
		if diff := cmp.Diff(sharing, explained(t, e, "sharing")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step, diff)
		}
		if got := string(e.Settings().Sharing); got != sharing.Value {
			t.Errorf("%s: sharing is %s", step, got)
		}
		told := ""
		for _, p := range e.Status().Problems {
			told += p.Code + ": " + p.Text
		}
		if told != problem {
			t.Errorf("%s: the status tells %q; want %q", step, told, problem)
		}
	}
	want("at first", api.Effective{Name: "sharing", Value: "on", Origin: "user"}, "")
	if err := e.ReloadPolicy(t.Context()); err != nil {
		t.Fatal(err)
	}
	locked := api.Effective{Name: "sharing", Value: "off", Origin: "p.json:1", Locked: true, Note: "the user's own choice waits until the lock goes"}
	want("locked", locked, "")
	now, broken = lockedSharing(api.SharingOn, "p.json:1"), errors.New("p.json:1:1: broken")
	if err := e.ReloadPolicy(t.Context()); api.CodeOf(err) != api.ErrInvalid || !strings.Contains(err.Error(), "p.json:1:1: broken") {
		t.Errorf("reload of a broken policy: %v", err)
	}
	want("broken", locked, "policy: p.json:1:1: broken. The last good policy still holds.")
	since := e.Status().Problems[0].Since
	if _ = e.ReloadPolicy(t.Context()); !e.Status().Problems[0].Since.Equal(since) {
		t.Error("a policy that is still broken is told as a new trouble")
	}
	now, broken = Policy{}, nil
	if err := e.ReloadPolicy(t.Context()); err != nil {
		t.Fatal(err)
	}
	want("lifted", api.Effective{Name: "sharing", Value: "on", Origin: "user"}, "")
}

func TestControlPlaneOfThePolicy(t *testing.T) {
	tests := []struct {
		name, flag, admin string
		locked            bool
		want              api.Effective
	}{
		{"nobody", "", "", false, api.Effective{Origin: "default"}},
		{"flag", "https://f", "", false, api.Effective{Value: "https://f", Origin: "command line"}},
		{"admin", "", "https://a", false, api.Effective{Value: "https://a", Origin: "p:1"}},
		{"both", "https://f", "https://a", false, api.Effective{Value: "https://f", Origin: "command line", Note: "p:1 says https://a"}},
		{"both, locked", "https://f", "https://a", true, api.Effective{Value: "https://a", Origin: "p:1", Locked: true}},
	}
	for _, tt := range tests {
		p := Policy{ControlURL: tt.admin, Locked: map[string]bool{"control_url": tt.locked}, Origin: map[string]string{"control_url": "p:1"}}
		e, err := Open(t.Context(), Config{DataDir: t.TempDir(), NoPeers: true, Control: tt.flag, Policy: p, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
		if err != nil {
			t.Fatal(err)
		}
		tt.want.Name = "control_url"
		if diff := cmp.Diff(tt.want, explained(t, e, "control_url")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		e.Close(t.Context())
	}
}

// The password of a proxy goes in and never out, and is never told to another server.
func TestProxyPasswordIsWriteOnly(t *testing.T) {
	e := open(t, t.TempDir(), Policy{})
	set := func(proxy string) error {
		_, err := e.SetSettings(t.Context(), api.SettingsPatch{Proxy: &proxy})
		return err
	}
	if err := set("http://ann:secret@proxy:3128"); err != nil {
		t.Fatal(err)
	}
	shown := e.Settings().Redacted().Proxy
	if shown != "http://ann:xxxxx@proxy:3128" || explained(t, e, "proxy").Value != shown {
		t.Errorf("shown as %q, explained as %q", shown, explained(t, e, "proxy").Value)
	}
	if err := set(shown); err != nil || e.Settings().Proxy != "http://ann:secret@proxy:3128" {
		t.Errorf("what was shown came back: %v, proxy %q", err, e.Settings().Proxy)
	}
	for _, other := range []string{"http://ann:xxxxx@evil:3128", "http://bob:xxxxx@proxy:3128", "https://ann:xxxxx@proxy:3128"} {
		if err := set(other); api.CodeOf(err) != api.ErrInvalid || strings.Contains(err.Error(), "secret") || e.Settings().Proxy != "http://ann:secret@proxy:3128" {
			t.Errorf("%s: %v, proxy %q", other, err, e.Settings().Proxy)
		}
	}
	for _, fine := range []string{"http://ann:new@evil:1", "http://proxy:3128", "http://ann:xxxxx@proxy:3128", ""} {
		if err := set(fine); err != nil || e.Settings().Proxy != fine {
			t.Errorf("%s: %v, proxy %q", fine, err, e.Settings().Proxy)
		}
	}
}

// One download hangs, as with a disk that does not answer. The others, and who gives to peers, hear of new settings all the same.
func TestSettingsChangeThoughADownloadHangs(t *testing.T) {
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stop }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(stop) })
	e, err := Open(t.Context(), Config{DataDir: filepath.Join(t.TempDir(), "data"), NoPeers: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	d, err := e.Add(t.Context(), api.AddRequest{URL: server.URL + "/x", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	await := func(what string, is func() bool) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: not within 10 s", what)
			}
		}
	}
	await("a start", func() bool { return e.List()[0].State == api.StateResolving })
	e.feed.mu.Lock() // what a download publishes waits for that
	defer e.feed.mu.Unlock()
	go e.Pause(context.Background(), d.ID)
	for _, sharing := range []api.Sharing{api.SharingOn, api.SharingOff} {
		go e.SetSettings(context.Background(), api.SettingsPatch{Sharing: &sharing})
		await("sharing "+string(sharing), func() bool { return e.Settings().Sharing == sharing })
	}
}

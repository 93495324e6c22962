package localapi_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/client"
	"github.com/tributary-dl/tributary/engine/localapi"
	"github.com/tributary-dl/tributary/engine/localapi/localapitest"
)

// start serves fake inside the current bubble and returns a client of it.
func start(t *testing.T, fake *localapitest.Fake, log io.Writer) *client.Client {
	server := localapi.New(fake, slog.New(slog.NewTextHandler(log, nil)))
	server.Identify("the same user", true)
	l := serve(t, server)
	return &client.Client{Socket: "pipe", Dial: func(context.Context) (net.Conn, error) { return l.dial(), nil }}
}

func TestEveryCallReachesTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		fake := localapitest.NewFake(api.Detail{Download: api.Download{ID: "d1"}, Pieces: "EP.."})
		fake.Policy = []api.Effective{{Name: "sharing", Value: "off", Origin: "/etc/p.json", Locked: true}}
		fake.Checks = []api.Check{{Name: "disk", OK: true, Detail: "12 GB free"}}
		fake.LogLines = []string{"level=INFO msg=ready"}
		fake.StatusNow = api.Status{Version: "1.2.3", API: 1}
		fake.SharingNow = api.SharingStatus{Sharing: api.SharingLAN, Today: 7}
		fake.HeldNow = []api.Held{{Download: "d1", ContentID: "c0ffee", Bytes: 7}}
		fake.Probes = map[string]api.Probe{"https://a.example/f": {Name: "f", TotalBytes: 12}}
		fake.Linked = []api.LinkedFile{{Request: api.AddRequest{URL: "https://a.example/f"}, Folder: "g"}}
		c := start(t, fake, t.Output())

		got, want := map[string]any{}, map[string]any{}
		record := func(call string, answer any, err error, expected any) {
			if err != nil {
				t.Errorf("%s: %v", call, err)
			}
			got[call], want[call] = answer, expected
		}
		added, err := c.Add(ctx, api.AddRequest{URL: "https://a.example/f", Out: "f"})
		record("Add", added.ID, err, "d2")
		detail, err := c.Download(ctx, "d1")
		record("Download", detail.Pieces, err, "EP..")
		list, err := c.Downloads(ctx)
		record("Downloads", len(list), err, 2)
		settings, err := c.SetSettings(ctx, api.SettingsPatch{MaxActive: new(3)})
		record("SetSettings", settings.MaxActive, err, 3)
		settings, err = c.ChangeSettings(ctx, api.SettingsChange{SettingsPatch: api.SettingsPatch{Connections: new(2)}, Reset: []string{"max_active"}})
		record("ChangeSettings", settings.MaxActive, err, 5)
		settings, err = c.SetSettings(ctx, api.SettingsPatch{MaxActive: new(3)})
		record("SetSettings again", settings.MaxActive, err, 3)
		settings, err = c.Settings(ctx)
		record("Settings", settings.MaxActive, err, 3)
		policy, err := c.Policy(ctx)
		record("Policy", policy, err, fake.Policy)
		record("ReloadPolicy", nil, c.ReloadPolicy(ctx), nil)
		status, err := c.Status(ctx)
		record("Status", status, err, fake.StatusNow)
		sharing, err := c.Sharing(ctx)
		record("Sharing", sharing, err, fake.SharingNow)
		held, err := c.Held(ctx)
		record("Held", held, err, fake.HeldNow)
		probe, err := c.Probe(ctx, api.AddRequest{URL: "https://a.example/f"})
		record("Probe", probe, err, fake.Probes["https://a.example/f"])
		linked, err := c.ReadLinkFile(ctx, make([]byte, api.MaxLinkFile))
		record("ReadLinkFile", linked, err, fake.Linked)
		checks, err := c.Doctor(ctx)
		record("Doctor", checks, err, fake.Checks)
		lines, err := c.Diagnostics(ctx)
		record("Diagnostics", lines, err, fake.LogLines)
		record("Pause", nil, c.Pause(ctx, "d1"), nil)
		record("Resume", nil, c.Resume(ctx, "d1"), nil)
		record("Move", nil, c.Move(ctx, "d1", -2), nil)
		record("StopSharing", nil, c.StopSharing(ctx, "c0ffee"), nil)
		record("Cancel", nil, c.Cancel(ctx, "d1"), nil)
		record("Remove", nil, c.Remove(ctx, "d2", true), nil)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
		wantCalls := []string{"add https://a.example/f", "set", "set", "set", "reload policy", "pause d1", "resume d1", "move to -2 d1", "forget c0ffee", "cancel d1", "delete d2"}
		if diff := cmp.Diff(wantCalls, fake.Calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// An ID is data, never a path.
func TestIDsAreEscaped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := localapitest.NewFake(api.Detail{Download: api.Download{ID: "d1"}})
		c := start(t, fake, t.Output())
		for _, id := range []string{"../downloads", "d1/pause?", "d1 ", "%64%31", "..", ""} {
			err := c.Remove(t.Context(), id, true)
			if err == nil || len(fake.Calls()) > 0 {
				t.Errorf("Remove(%q) = %v and changed %q; want a refusal", id, err, fake.Calls())
			}
		}
	})
}

func TestErrorsCrossTheSocket(t *testing.T) {
	tests := []struct {
		name     string
		err      error
		code     string
		message  *regexp.Regexp
		isLogged bool
	}{
		{"invalid", &api.Error{Code: api.ErrInvalid, Message: "the URL has no host"}, api.ErrInvalid, regexp.MustCompile(`^the URL has no host$`), false},
		{"conflict", &api.Error{Code: api.ErrConflict, Message: "it is complete"}, api.ErrConflict, regexp.MustCompile(`^it is complete$`), false},
		{"denied", &api.Error{Code: api.ErrDenied, Message: "locked"}, api.ErrDenied, regexp.MustCompile(`^locked$`), false},
		{"wrapped", errorsJoin(&api.Error{Code: api.ErrInvalid, Message: "inner"}), api.ErrInvalid, regexp.MustCompile(`^inner$`), false},
		{"without a code", errors.New("open /secret/state.db: disk on fire"), api.ErrInternal, regexp.MustCompile(`^internal error \([A-Z2-7]{8}\)$`), true},
		{"unknown code", &api.Error{Code: "surprise", Message: "boo"}, api.ErrInternal, regexp.MustCompile(`^internal error \([A-Z2-7]{8}\)$`), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := localapitest.NewFake()
				fake.Refuse(tt.err)
				var log bytes.Buffer
				c := start(t, fake, &log)
				err := c.Pause(t.Context(), "d1")
				if api.CodeOf(err) != tt.code || !tt.message.MatchString(err.Error()) {
					t.Errorf("Pause() = %q (%s); want %s (%s)", err, api.CodeOf(err), tt.message, tt.code)
				}
				synctest.Wait()
				if logged := strings.Contains(log.String(), tt.err.Error()); logged != tt.isLogged {
					t.Errorf("logged %q; want the error in it: %v", log.String(), tt.isLogged)
				}
			})
		})
	}
}

func errorsJoin(err error) error { return errors.Join(errors.New("add"), err) }

// A watch begins with the whole and then brings what changed.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := localapitest.NewFake(api.Detail{Download: api.Download{ID: "d1", State: api.StateQueued}})
		c := start(t, fake, t.Output())
		seen := make(chan string, 10)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for e, err := range c.Watch(ctx) {
				switch {
				case err != nil:
					seen <- "error " + err.Error()
				case e.Download != nil:
					seen <- e.Download.ID + " " + string(e.Download.State)
				case e.Synced:
					seen <- "synced"
				default:
					seen <- "removed " + e.Removed
				}
			}
		}()
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			for _, w := range want {
				select {
				case got := <-seen:
					if got != w {
						t.Errorf("watch brings %q; want %q", got, w)
					}
				default:
					t.Errorf("watch brings nothing; want %q", w)
				}
			}
		}
		expect("d1 queued", "synced")
		fake.Update("d1", func(d *api.Download) { d.State = api.StateDownloading })
		expect("d1 downloading")
		if err := c.Remove(t.Context(), "d1", false); err != nil {
			t.Fatal(err)
		}
		expect("removed d1")
		cancel()
		<-ended
		expect()
		if len(seen) > 0 {
			t.Errorf("a watch that its caller ends brings %q", <-seen)
		}
	})
}

// A watch answers at once, even when there is nothing to tell for hours.
func TestWatchStandsBeforeItsFirstEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := localapi.New(silent{localapitest.NewFake()}, slog.New(slog.DiscardHandler))
		server.Identify("the same user", true)
		c := serve(t, server).dial()
		began := time.Now()
		if _, err := io.WriteString(c, "GET /v1/watch HTTP/1.1\r\nHost: "+api.LocalHost+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		head := make([]byte, len("HTTP/1.1 200 OK"))
		if _, err := io.ReadFull(c, head); err != nil || string(head) != "HTTP/1.1 200 OK" || time.Since(began) != 0 {
			t.Errorf("watch answers %q, %v after %v; want 200 at once", head, err, time.Since(began))
		}
		_ = c.Close()
	})
}

// Those who hold a connection without using it lose it; those who use it slowly do not hurt others.
func TestSlowCallersAreCutOff(t *testing.T) {
	tests := []struct {
		name, sent string
		within     time.Duration
	}{
		{"says nothing", "", 5 * time.Second},
		{"half a header", "GET /v1/status HTTP/1.1\r\nHost: ", 5 * time.Second},
		{"half a body", "POST /v1/downloads HTTP/1.1\r\nHost: " + api.LocalHost + "\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", 10 * time.Second},
		{"half a body that is not wanted", "GET /v1/status HTTP/1.1\r\nHost: " + api.LocalHost + "\r\nContent-Length: 100\r\n\r\n{", 10 * time.Second},
		{"half a body of a web page", "POST /v1/downloads HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 100\r\n\r\n{", 10 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := localapitest.NewFake()
				server := localapi.New(fake, slog.New(slog.DiscardHandler))
				server.Identify("the same user", true)
				c := serve(t, server).dial()
				began := time.Now()
				if _, err := io.WriteString(c, tt.sent); err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, c); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > tt.within+time.Second {
					t.Errorf("cut off after %v; want %v", took, tt.within)
				}
				if len(fake.Calls()) > 0 {
					t.Errorf("changed %q", fake.Calls())
				}
			})
		})
	}
}

// The service stops within its grace though a watcher has stopped reading.
func TestStoppingDoesNotWaitForAStalledWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := localapi.New(localapitest.NewFake(api.Detail{Download: api.Download{ID: "d1"}}), slog.New(slog.DiscardHandler))
		server.Identify("the same user", true)
		l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- server.Serve(ctx, l) }()
		stalled := l.dial() // a pipe has no buffer: the first byte that nobody reads blocks the writer
		if _, err := io.WriteString(stalled, "GET /v1/watch HTTP/1.1\r\nHost: "+api.LocalHost+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		began := time.Now()
		cancel()
		if err := <-done; err != nil || time.Since(began) > 3*time.Second {
			t.Errorf("Serve() = %v after %v; want nil within 3 s", err, time.Since(began))
		}
	})
}

// silent watches without ever having anything to tell.
type silent struct{ *localapitest.Fake }

func (s silent) Watch(ctx context.Context, _ time.Duration) iter.Seq[[]api.Event] {
	return func(func([]api.Event) bool) { <-ctx.Done() }
}

// How often changes come is for the caller to say, within reason; anything else is refused.
func TestWatchEvery(t *testing.T) {
	for query, want := range map[string]string{
		"": "0s", "every=0s": "0s", "every=2s": "2s", "every=1500ms": "1.5s", "every=1m": "1m0s",
		"every=": "", "every=2": "", "2s": "", "every=-1s": "", "every=61s": "", "every=2s&every=3s": "", "x=y": "", "every=%zz": "",
	} {
		var asked string
		server := localapi.New(paced{localapitest.NewFake(), &asked}, slog.New(slog.DiscardHandler))
		request := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/watch?"+query, nil)
		request.Host = api.LocalHost
		answer := httptest.NewRecorder()
		server.Answer(answer, request)
		if refused := answer.Code == 400 && strings.Contains(answer.Body.String(), "every"); asked != want || refused != (want == "") {
			t.Errorf("?%s asks for %q and is answered %d %s; want %q", query, asked, answer.Code, answer.Body, want)
		}
	}
}

// paced writes down how often it shall tell.
type paced struct {
	*localapitest.Fake
	asked *string
}

func (p paced) Watch(_ context.Context, every time.Duration) iter.Seq[[]api.Event] {
	*p.asked = every.String()
	return func(func([]api.Event) bool) {}
}

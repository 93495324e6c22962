package engine

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/download"
)

// Links that do not work, however many, keep nobody waiting but themselves.
func TestDeadLinksKeepNoPlace(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/busy" {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader([]byte("good")))
	}))
	defer server.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	e := open(t, t.TempDir(), Policy{})
	dir := t.TempDir()
	if _, err := e.SetSettings(t.Context(), api.SettingsPatch{Dir: &dir}); err != nil {
		t.Fatal(err)
	}
	add := func(url string) string {
		t.Helper()
		d, err := e.Add(t.Context(), api.AddRequest{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		return d.ID
	}
	for range e.Settings().MaxActive {
		add("http://" + closed.Addr().String() + "/dead")
	}
	var busy []string
	for range e.Settings().MaxActive {
		busy = append(busy, add(server.URL+"/busy"))
	}
	for _, id := range busy {
		s := until(t, e, "waiting", func(s api.Download) bool { return s.ID == id && s.State == api.StateWaiting })
		if at := s.Problem.RetryAt; at == nil || time.Until(*at) < 50*time.Minute {
			t.Errorf("the server asks to come again in an hour, the next try is at %v", at)
		}
	}
	good := add(server.URL + "/good")
	until(t, e, "completion", func(s api.Download) bool { return s.ID == good && s.State == api.StateComplete })
}

// A download that hangs with its disk keeps nobody waiting, and has its turn again when it has come back.
func TestHungDownloadHoldsNobodyUp(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader([]byte("good")))
	}))
	defer server.Close()
	e := open(t, t.TempDir(), Policy{})
	dir := t.TempDir()
	d, err := e.Add(t.Context(), api.AddRequest{URL: server.URL + "/file", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	q := queue{engine: e, hung: map[string]<-chan struct{}{}}
	back := make(chan struct{})
	if q.tell(d, func(*download.Download) error { <-back; return nil }) {
		t.Error("it obeyed while it hung")
	}
	if !q.hangs(d) {
		t.Error("it is not known to hang")
	}
	obeyed := q.hung[d.ID]
	close(back)
	<-obeyed
	if q.hangs(d) {
		t.Error("it is taken to hang after it has come back")
	}
	if q.settle(); len(q.hung) != 0 {
		t.Error("that it hung is not forgotten after it has come back")
	}
	if !q.tell(d, func(*download.Download) error { return nil }) {
		t.Error("it does not obey after it has come back")
	}
}

func TestTurns(t *testing.T) {
	// A letter is a download in the queue, in upper case one that has failed before; "!" is one that is active, "z" one that waits.
	list := func(text string) (list []api.Download) {
		for k, c := range text {
			d := api.Download{ID: string(c), State: api.StateQueued, Added: time.Unix(int64(k), 0)}
			switch {
			case c == '!':
				d.State = api.StateDownloading
			case c == 'z':
				d.State, d.Problem = api.StateWaiting, &api.Problem{}
			case c < 'a':
				d.Problem = &api.Problem{}
			}
			list = append(list, d)
		}
		return list
	}
	for _, c := range []struct {
		name, list string
		places     int
		retried    bool
		want       string
		waiting    int
	}{
		{"in order", "abc", 2, false, "ab", 1},
		{"active ones take places", "!a!b", 3, false, "a", 1},
		{"never more than there are", "!!!a", 2, false, "", 1},
		{"resting ones take none", "zzzza", 1, false, "a", 0},
		{"one that failed keeps its place in the order", "Ab", 1, false, "A", 1},
		{"but not twice in a row", "ABc", 1, true, "c", 2},
		{"while another waits", "ABC", 2, true, "AB", 1},
		{"and others not for ever", "ABcd", 4, true, "cAdB", 0},
	} {
		next, waiting := turns(list(c.list), c.places, c.retried)
		var got strings.Builder
		for _, d := range next {
			got.WriteString(d.ID)
		}
		if got.String() != c.want || waiting != c.waiting {
			t.Errorf("%s: turns(%q) = %q, %d; want %q, %d", c.name, c.list, got.String(), waiting, c.want, c.waiting)
		}
	}
	if next, _ := turns([]api.Download{{ID: "later", State: api.StateQueued, Priority: 1}, {ID: "sooner", State: api.StateQueued}}, 1, false); next[0].ID != "sooner" {
		t.Error("the priority does not count")
	}
}

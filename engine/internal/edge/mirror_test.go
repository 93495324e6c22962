package edge

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// switchable is a server whose behaviour a test changes.
type switchable struct {
	handler atomic.Pointer[http.HandlerFunc]
}

func (s *switchable) set(h http.HandlerFunc) { s.handler.Store(&h) }

func (s *switchable) ServeHTTP(w http.ResponseWriter, r *http.Request) { (*s.handler.Load())(w, r) }

// TestAFailedMirrorIsReplacedAtOnce breaks the first of two mirrors in the middle of a request.
func TestAFailedMirrorIsReplacedAtOnce(t *testing.T) {
	data := content(200_000)
	tests := []struct {
		name   string
		broken http.HandlerFunc
	}{
		{"reset", reset(data, "bytes 0-99999/200000", 10)},
		{"truncated", raw("HTTP/1.1 206 OK\r\nContent-Range: bytes 0-99999/200000\r\nContent-Length: 100000\r\n\r\n" + string(data[:777]))},
		{"busy", status(503, "Retry-After", "60")},
		{"gone", status(410)},
		{"changed", file(content(100), `"v2"`)},
		{"no ranges", raw("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\nETag: \"v1\"\r\n\r\n")},
		{"nonsense", raw("hello\r\n")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var first switchable
			first.set(file(data, `"v1"`))
			a, b := serve(t, first.ServeHTTP), serve(t, file(data, `"other"`))
			s := sourceOf(t, newClient(t, Config{}), Request{URL: a.URL, Mirrors: []string{b.URL}}, SourceOptions{})
			first.set(tt.broken)
			bufs := [][]byte{make([]byte, 100_000)}
			var from []string
			n, err := s.FetchInto(t.Context(), 0, bufs, func(_ int, f []string) error { from = append(from, f...); return nil })
			if n != 100_000 || err != nil || string(bufs[0]) != string(data[:100_000]) {
				t.Fatalf("FetchInto = %d, %v", n, err)
			}
			if from[len(from)-1] != b.URL {
				t.Errorf("the buffer came from %v; want the second mirror last", from)
			}
			stats := s.Stats()
			if stats[0].Errors != 1 || stats[0].Err == nil || !strings.HasPrefix(stats[0].State, "backing off until ") || stats[1].Bytes < 99_000 || stats[1].State != "idle" {
				t.Errorf("stats: %+v", stats)
			}
			// The next request does not even try the first.
			if _, err := fetched(t, s, data, 100_000, 1000); err != nil || s.Stats()[0].Errors != 1 {
				t.Errorf("next Fetch: %v, stats %+v", err, s.Stats()[0])
			}
		})
	}
}

func TestWhenAllMirrorsRestTheCallerHearsForHowLong(t *testing.T) {
	var a, b switchable
	data := content(1000)
	a.set(file(data, `"v1"`))
	b.set(status(503, "Retry-After", "20"))
	serverA, serverB := serve(t, a.ServeHTTP), serve(t, b.ServeHTTP)
	s := sourceOf(t, newClient(t, Config{}), Request{URL: serverA.URL, Mirrors: []string{serverB.URL}}, SourceOptions{})
	a.set(status(404))
	for range 2 { // the second time no server is asked
		_, err := fetchedLoosely(t, s, 0, 1000)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Kind != Temporary || e.RetryAfter < 15*time.Second || e.RetryAfter > 20*time.Second {
			t.Errorf("error %v with RetryAfter %v; want the busy mirror's, in about 20s", err, e.RetryAfter)
		}
	}
	if st := s.Stats(); st[0].Errors != 1 || st[1].Errors != 1 {
		t.Errorf("resting mirrors were asked: %+v", st)
	}
}

func TestAMirrorWithAnotherFileIsNotUsed(t *testing.T) {
	data := content(10_000)
	a, b := serve(t, file(data, `"v1"`)), serve(t, file(content(9_999), `"v1"`))
	s := sourceOf(t, newClient(t, Config{}), Request{URL: a.URL, Mirrors: []string{b.URL}}, SourceOptions{Connections: 1})
	var wg sync.WaitGroup
	for i := range int64(10) {
		wg.Go(func() {
			if _, err := fetched(t, s, data, i*1000, 1000); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if st := s.Stats()[1]; st.Bytes != 0 {
		t.Errorf("%d bytes of another file were taken", st.Bytes)
	}
}

// TestAnExpiredRedirectIsFollowedAnew: downloads behind a redirect to a signed URL outlive its signature.
func TestAnExpiredRedirectIsFollowedAnew(t *testing.T) {
	data := content(10_000)
	var valid atomic.Value
	valid.Store("/signed1")
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/f":
			http.Redirect(w, r, valid.Load().(string), http.StatusFound)
		case valid.Load():
			file(data, `"v1"`)(w, r)
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	})
	s := sourceOf(t, newClient(t, Config{}), Request{URL: server.URL + "/f"}, SourceOptions{})
	valid.Store("/signed2")
	if _, err := fetched(t, s, data, 0, 1000); err != nil {
		t.Error(err)
	}
	if st := s.Stats()[0]; st.Errors != 0 {
		t.Errorf("stats: %+v", st)
	}
}

func TestDistrustedMirrorsRestLongerEachTime(t *testing.T) {
	data := content(1000)
	server := serve(t, file(data, `"v1"`))
	s := sourceOf(t, newClient(t, Config{}), Request{URL: server.URL}, SourceOptions{})
	if _, err := fetched(t, s, data, 0, 1000); err != nil {
		t.Fatal(err)
	}
	s.Distrust([]string{"https://unknown.example/", server.URL})
	_, err := fetchedLoosely(t, s, 0, 1000)
	wantKind(t, err, Temporary)
	m := mirror{from: s.mirrors[0].from}
	now := time.Now()
	var rests []time.Duration
	for range 4 {
		m.restUntil = time.Time{}
		m.distrusted(now, 1)
		m.succeeded(1<<20, time.Second, now)
		rests = append(rests, m.restUntil.Sub(now).Round(time.Second))
	}
	if rests[0] != 2*time.Second || rests[1] != 8*time.Second || rests[3] != time.Minute {
		t.Errorf("rests: %v", rests)
	}
}

func TestABusyServerGetsFewerConnections(t *testing.T) {
	now := time.Now()
	m := mirror{limit: 8, inFlight: 3}
	m.failed(&Error{Kind: Temporary, Code: "edge_busy"}, 0, time.Second, now, 0)
	if m.limit != 3 {
		t.Errorf("limit = %d; want the 3 that it serves", m.limit)
	}
	m.inFlight = 0
	m.failed(&Error{Kind: Temporary, Code: "edge_busy"}, 0, time.Second, now, 0)
	if m.limit != 3 {
		t.Errorf("limit = %d after a refusal of the only request; want no change", m.limit)
	}
}

func TestABrokenConnectionDoesNotRestAWorkingMirror(t *testing.T) {
	now := time.Now()
	m := mirror{failures: 4}
	m.failed(&Error{Kind: Temporary}, 1<<20, time.Second, now, 1)
	if m.resting(now) {
		t.Error("it rests, though it had just sent a megabyte")
	}
}

func TestChoose(t *testing.T) {
	now := time.Now()
	tests := []struct {
		name     string
		mirrors  []*mirror
		want     int // -1: none
		occupied bool
	}{
		{"the caller's order", []*mirror{{limit: 8}, {limit: 8}}, 0, false},
		{"the one with less to do", []*mirror{{limit: 8, inFlight: 1}, {limit: 8}}, 1, false},
		{"the faster", []*mirror{{limit: 8, speed: 1e6, inFlight: 1}, {limit: 8, speed: 9e6, inFlight: 4}}, 1, false},
		{"unless it has too much to do", []*mirror{{limit: 8, speed: 1e6}, {limit: 8, speed: 3e6, inFlight: 4}}, 0, false},
		{"an unknown one is tried", []*mirror{{limit: 8, speed: 9e6, inFlight: 1}, {limit: 8}}, 1, false},
		{"not one that rests", []*mirror{{limit: 8, restUntil: now.Add(time.Second)}, {limit: 8, inFlight: 7}}, 1, false},
		{"full", []*mirror{{limit: 1, inFlight: 1}, {limit: 8, restUntil: now.Add(time.Second)}}, -1, true},
		{"all rest", []*mirror{{limit: 1, restUntil: now.Add(time.Second)}}, -1, false},
	}
	for _, tt := range tests {
		got, occupied := choose(tt.mirrors, nil, now)
		want := (*mirror)(nil)
		if tt.want >= 0 {
			want = tt.mirrors[tt.want]
		}
		if got != want || got == nil && occupied != tt.occupied {
			t.Errorf("%s: choose = %+v, %v", tt.name, got, occupied)
		}
	}
}

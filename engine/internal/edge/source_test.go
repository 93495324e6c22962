package edge

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tributary-dl/tributary/engine/internal/budget"
)

func TestFetchIntoFillsBuffersInOrder(t *testing.T) {
	data := content(3 << 20)
	server := serve(t, file(data, `"v1"`))
	s := sourceOf(t, newClient(t, Config{}), Request{URL: server.URL + "/f.bin"}, SourceOptions{})
	if _, err := fetched(t, s, data, 1000, 2<<20); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<20)
	var order []int
	n, err := s.FetchInto(t.Context(), 0, [][]byte{buf, nil, buf, buf[:10]}, func(i int, from []string) error {
		want := map[int][]byte{0: data[:1<<20], 2: data[1<<20 : 2<<20], 3: data[2<<20 : 2<<20+10]}[i]
		if len(from) != 1 || from[0] != server.URL+"/f.bin" || !bytes.HasPrefix(buf, want) {
			t.Errorf("buffer %d from %v is not the file's", i, from)
		}
		order = append(order, i)
		return nil
	})
	if n != 2<<20+10 || err != nil || !slices.Equal(order, []int{0, 2, 3}) {
		t.Errorf("FetchInto = %d, %v, filled %v", n, err, order)
	}
}

func TestRangesOutsideTheFileAreNotAsked(t *testing.T) {
	server := serve(t, file(content(100), `"v1"`))
	s := sourceOf(t, newClient(t, Config{}), Request{URL: server.URL}, SourceOptions{})
	for _, r := range [][2]int64{{0, 101}, {100, 1}, {-1, 1}, {0, 0}, {1, 1<<63 - 1}} {
		if n, err := fetchedLoosely(t, s, r[0], r[1]); n != 0 || err == nil || KindOf(err) != 0 {
			t.Errorf("Fetch(%d, %d) = %d, %v; want the caller's error", r[0], r[1], n, err)
		}
	}
}

func TestTheCallersOwnErrorsComeBackAsTheyAre(t *testing.T) {
	data := content(2 << 20)
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") == "bytes=0-0" {
			file(data, "")(w, r)
			return
		}
		w.Header().Set("Content-Range", "bytes 0-2097151/2097152")
		w.Header().Set("Content-Length", "2097152")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(data[:1<<20])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // the second half never comes
	})
	s := sourceOf(t, newClient(t, Config{}), Request{URL: server.URL}, SourceOptions{})
	full := errors.New("disk full")
	n, err := s.Fetch(t.Context(), 0, 2<<20, func([]byte) error { return full })
	if n != 0 || !errors.Is(err, full) {
		t.Errorf("Fetch = %d, %v; want the sink's error", n, err)
	}
	gaveUp := errors.New("gave the claim back")
	ctx, cancel := context.WithCancelCause(t.Context())
	bufs := [][]byte{make([]byte, 1<<20), make([]byte, 1<<20)}
	n, err = s.FetchInto(ctx, 0, bufs, func(int, []string) error { cancel(gaveUp); return nil })
	if n != 1<<20 || !errors.Is(err, gaveUp) {
		t.Errorf("FetchInto = %d, %v; want the context's cause", n, err)
	}
	if h := s.Stats()[0]; h.Errors != 0 || h.InFlight != 0 || h.State != "idle" {
		t.Errorf("the mirror is blamed: %+v", h)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	data := content(100_000)
	var now, most atomic.Int64
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		file(data, `"v1"`)(w, r)
	})
	s := sourceOf(t, newClient(t, Config{}), Request{URL: server.URL}, SourceOptions{Connections: 2})
	var wg sync.WaitGroup
	for i := range int64(20) {
		wg.Go(func() {
			if _, err := fetched(t, s, data, i*5000, 5000); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() > 2 {
		t.Errorf("%d requests at a time; want 2", most.Load())
	}
}

func TestStalledServers(t *testing.T) {
	tests := []struct {
		name string
		way  func(w http.ResponseWriter, quit <-chan struct{})
		says string
	}{
		{"no header", func(_ http.ResponseWriter, quit <-chan struct{}) { <-quit }, "does not answer in time"},
		{"no body", func(w http.ResponseWriter, quit <-chan struct{}) {
			_, _ = w.Write(make([]byte, 100))
			_ = http.NewResponseController(w).Flush()
			<-quit
		}, "stopped sending"},
		{"a byte now and then", func(w http.ResponseWriter, quit <-chan struct{}) {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for range 10_000 {
				select {
				case <-quit:
					return
				case <-tick.C:
					_, _ = w.Write([]byte{0})
					_ = http.NewResponseController(w).Flush()
				}
			}
		}, "stopped sending"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			quit := make(chan struct{})
			server := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Range", "bytes 0-99999/100000")
				w.Header().Set("Content-Length", "100000")
				if tt.name != "no header" {
					w.WriteHeader(http.StatusPartialContent)
				}
				tt.way(w, quit)
			})
			defer close(quit) // before the server closes, which waits for its handlers
			c := newClient(t, Config{Timeouts: Timeouts{Header: 300 * time.Millisecond, Stall: 300 * time.Millisecond}})
			s, err := c.Source(&Resource{Request: Request{URL: server.URL}, Size: 100_000}, nil, SourceOptions{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = fetchedLoosely(t, s, 0, 100_000)
			wantKind(t, err, Temporary)
			if err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("the error is %q; want it to say %q", err, tt.says)
			}
		})
	}
}

func TestAPausedReaderIsNoStall(t *testing.T) {
	data := content(100_000)
	server := serve(t, file(data, `"v1"`))
	limit := budget.NewLimiter(0)
	c := newClient(t, Config{Timeouts: Timeouts{Stall: 250 * time.Millisecond}})
	s := sourceOf(t, c, Request{URL: server.URL}, SourceOptions{Limiter: limit})
	resume := time.AfterFunc(600*time.Millisecond, func() { limit.SetRate(-1) })
	defer resume.Stop()
	if _, err := fetched(t, s, data, 0, 100_000); err != nil {
		t.Errorf("after a pause longer than the stall time: %v", err)
	}
}

func TestASlowDiskIsNoStall(t *testing.T) {
	data := content(100_000)
	server := serve(t, file(data, `"v1"`))
	c := newClient(t, Config{Timeouts: Timeouts{Stall: 250 * time.Millisecond}})
	s := sourceOf(t, c, Request{URL: server.URL}, SourceOptions{})
	buffers := [][]byte{make([]byte, 50_000), make([]byte, 50_000)}
	n, err := s.FetchInto(t.Context(), 0, buffers, func(int, []string) error {
		time.Sleep(400 * time.Millisecond)
		return nil
	})
	if n != 100_000 || err != nil {
		t.Errorf("FetchInto = %d, %v although the server sent all", n, err)
	}
}

func TestALimiterLetsNothingThroughAtRateZero(t *testing.T) {
	data := content(100_000)
	server := serve(t, file(data, `"v1"`))
	s := sourceOf(t, newClient(t, Config{}), Request{URL: server.URL}, SourceOptions{Limiter: budget.NewLimiter(0)})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	n, err := s.Fetch(ctx, 0, 100_000, func([]byte) error { return nil })
	if n != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Fetch = %d, %v", n, err)
	}
}

func TestMeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m meter
		for range 200 {
			time.Sleep(100 * time.Millisecond) // fake time
			m.add(100_000, time.Now())
		}
		if got := m.rate(time.Now()); got < 950_000 || got > 1_050_000 {
			t.Errorf("rate after 20 s of 1 MB/s = %d", got)
		}
		time.Sleep(30 * time.Second)
		if got := m.rate(time.Now()); got > 100 {
			t.Errorf("rate after 30 s of silence = %d", got)
		}
	})
}

func TestBackoff(t *testing.T) {
	for failures, ceiling := range map[int]time.Duration{0: time.Second, 1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 6: 32 * time.Second, 7: time.Minute, 1 << 40: time.Minute} {
		if low, high := Backoff(failures, 0), Backoff(failures, 0.999999); low != 500*time.Millisecond || high > ceiling || high < ceiling-time.Millisecond {
			t.Errorf("Backoff(%d) is between %v and %v; want 500ms and %v", failures, low, high, ceiling)
		}
	}
}

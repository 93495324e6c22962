package edge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// send passes bytes through the shaper as one request of a connection does, until ctx ends.
func send(ctx context.Context, s *shaper, connection string) (sent int) {
	t := s.enter(connection)
	defer s.leave(connection)
	for {
		n, err := t.wait(ctx, step)
		if err != nil {
			return sent
		}
		sent += n
	}
}

// Three connections, one with eight requests going, share 1 MB/s: each gets a third.
func TestConnectionsShareTheRateEqually(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, seconds = 1_000_000, 10
		s := newShaper(rate)
		ctx, cancel := context.WithTimeout(t.Context(), seconds*time.Second)
		defer cancel()
		var mu sync.Mutex
		got := map[string]int{}
		var wg sync.WaitGroup
		for _, connection := range []string{"a", "b", "c", "c", "c", "c", "c", "c", "c", "c"} {
			wg.Go(func() {
				n := send(ctx, s, connection)
				mu.Lock()
				got[connection] += n
				mu.Unlock()
			})
		}
		wg.Wait()
		total := 0
		for connection, n := range got {
			total += n
			if share := float64(n) / (rate * seconds); share < 0.32 || share > 0.34 {
				t.Errorf("connection %s has %.3f of the rate; want a third", connection, share)
			}
		}
		if share := float64(total) / (rate * seconds); share < 0.98 || share > 1.01 {
			t.Errorf("all together have %.3f of the rate", share)
		}
		if len(s.turns) != 0 {
			t.Errorf("%d connections are still remembered", len(s.turns))
		}
	})
}

// Smooth: in no 100 ms does more go out than its share and one burst.
func TestRateIsKeptInEverySlice(t *testing.T) {
	for _, rate := range []int64{50_000, 1_000_000, 50_000_000} {
		synctest.Test(t, func(t *testing.T) {
			s := newShaper(rate)
			turn := s.enter("a")
			began := time.Now()
			slices := map[int]int{}
			for time.Since(began) < 2*time.Second {
				n, err := turn.wait(t.Context(), step)
				if err != nil {
					t.Fatal(err)
				}
				slices[int(time.Since(began)/(100*time.Millisecond))] += n
			}
			limit := int(rate)/10 + s.limiter.Burst() + s.portion
			for i := range 20 {
				if slices[i] > limit || slices[i] < int(rate)/10-s.portion {
					t.Errorf("%d B/s: slice %d has %d bytes; want about %d", rate, i, slices[i], rate/10)
				}
			}
		})
	}
}

func TestWaitEndsWithItsRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShaper(1000)
		turn := s.enter("a")
		turn.wait(t.Context(), step) // the burst
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 2 { // one in the queue, one behind it
			wg.Go(func() {
				if _, err := turn.wait(ctx, step); !errors.Is(err, context.Canceled) {
					t.Errorf("wait: %v", err)
				}
			})
		}
		synctest.Wait()
		cancel()
		wg.Wait()
	})
}

func TestLimitHoldsOverRealConnections(t *testing.T) {
	const rate = 4 << 20
	l := start(t, func(c *Config) { c.RateLimit = rate })
	data := content(1 << 20)
	l.publish("a.bin", data, nil)
	began := time.Now()
	var wg sync.WaitGroup
	for _, client := range []*http.Client{l.h1, l.h2} {
		wg.Go(func() {
			if _, body := l.do(client, "GET", "/a.bin", nil); !bytes.Equal(body, data) {
				t.Error("wrong bytes")
			}
		})
	}
	wg.Wait()
	if took := time.Since(began); took < 450*time.Millisecond { // a loaded machine may be slower, never faster
		t.Errorf("2 MiB at 4 MiB/s took %s", took)
	}
}

// recorder is a connection that notes whether it was given the file itself.
type recorder struct {
	*httptest.ResponseRecorder
	files int
}

func (r *recorder) ReadFrom(src io.Reader) (int64, error) {
	if limited, ok := src.(*io.LimitedReader); ok {
		if _, ok := limited.R.(*os.File); ok && limited.N <= step {
			r.files++
		}
	}
	return io.Copy(struct{ io.Writer }{r.ResponseRecorder}, src)
}

func TestFileIsHandedToTheKernelWhereThatIsPossible(t *testing.T) {
	for _, c := range []struct {
		what  string
		limit int64
		url   string
		want  int
	}{
		{"plain HTTP", 0, "http://edge.example/a.bin", 3},
		{"TLS", 0, "https://edge.example/a.bin", 0},
		{"limited", 1 << 30, "http://edge.example/a.bin", 0},
	} {
		l := start(t, func(conf *Config) { conf.RateLimit = c.limit })
		data := content(2*step + 17)
		o := l.publish("a.bin", data, nil)
		w := &recorder{ResponseRecorder: httptest.NewRecorder()}
		l.edge.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, c.url, nil))
		if w.files != c.want || !bytes.Equal(w.Body.Bytes(), data) || w.Header().Get("ETag") != fmt.Sprintf("%q", o.ID) {
			t.Errorf("%s: %d times; want %d", c.what, w.files, c.want)
		}
		if got := l.edge.Stats().BytesSent; got != int64(len(data)) {
			t.Errorf("%s: %d bytes counted", c.what, got)
		}
	}
}

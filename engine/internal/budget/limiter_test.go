package budget

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// passed lets n bytes through in chunks and returns how long that took.
func passed(t *testing.T, l *Limiter, n, chunk int) time.Duration {
	t.Helper()
	start := time.Now()
	for ; n > 0; n -= chunk {
		if err := l.WaitN(t.Context(), min(n, chunk)); err != nil {
			t.Fatal(err)
		}
	}
	return time.Since(start)
}

func TestLimiterKeepsItsRate(t *testing.T) {
	tests := []struct {
		name  string
		rate  float64
		n     int
		chunk int
		want  time.Duration
	}{
		{"small chunks", 1 << 20, 10 << 20, 16 << 10, 10 * time.Second},
		{"a chunk larger than the burst", 1000, 100_000, 100_000, 100 * time.Second},
		{"slow", 100, 1000, 10, 10 * time.Second},
		{"negative is unlimited", -1, 1 << 30, 1 << 20, 0},
		{"infinite is unlimited", math.Inf(1), 1 << 30, 1 << 20, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if got := passed(t, NewLimiter(tt.rate), tt.n, tt.chunk); (got - tt.want).Abs() > time.Millisecond {
					t.Errorf("%d bytes at %v took %v; want %v", tt.n, tt.rate, got, tt.want)
				}
			})
		})
	}
}

func TestLimiterChangeReachesThoseWhoWait(t *testing.T) {
	tests := []struct {
		name   string
		before float64
		after  float64
		want   time.Duration // until 9000 bytes have passed; the change comes after 1 s
	}{
		{"faster", 1000, 4000, 3 * time.Second},
		{"slower", 1000, 500, 17 * time.Second},
		{"lifted", 1000, -1, 1 * time.Second},
		{"from a stop", 0, 9000, 2 * time.Second},
		{"stopped and lifted", 1000, 0, 100 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := NewLimiter(tt.before)
				time.AfterFunc(time.Second, func() { l.SetRate(tt.after) })
				time.AfterFunc(100*time.Second, func() { l.SetRate(-1) })
				if got := passed(t, l, 9000, 9000); (got - tt.want).Abs() > time.Millisecond {
					t.Errorf("took %v; want %v", got, tt.want)
				}
				time.Sleep(100 * time.Second) // fake time: the timers above end inside the bubble
			})
		})
	}
}

func TestLimiterServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1000)
		start := time.Now()
		var wg sync.WaitGroup
		done := make([]time.Duration, 4)
		for i := range done {
			wg.Go(func() {
				_ = l.WaitN(t.Context(), 1000)
				done[i] = time.Since(start)
			})
			synctest.Wait() // so that the order of asking is known
		}
		wg.Wait()
		for i, got := range done {
			if want := time.Duration(i+1) * time.Second; (got - want).Abs() > time.Millisecond {
				t.Errorf("waiter %d served after %v; want %v", i, got, want)
			}
		}
	})
}

func TestLimiterGivesBackWhatWasCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1000)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := l.WaitN(ctx, 60_000); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("WaitN = %v; want the context's error", err)
			}
		})
		synctest.Wait()
		if got := passed(t, l, 3000, 3000); got > 3*time.Second+time.Millisecond {
			t.Errorf("3000 bytes behind a cancelled request took %v; want 3s", got)
		}
		wg.Wait()
	})
}

func TestLimiterSavesNoMoreThanABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1 << 20)
		time.Sleep(time.Hour) // fake time
		if got, want := passed(t, l, 1<<20, 1<<14), time.Second-burstTime; (got - want).Abs() > time.Millisecond {
			t.Errorf("1 MiB after an idle hour took %v; want %v", got, want)
		}
	})
}

func TestChainIsAsSlowAsItsSlowest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chain := Chain{NewLimiter(-1), NewLimiter(1000), NewLimiter(4000)}
		start := time.Now()
		for range 10 {
			if err := chain.WaitN(t.Context(), 1000); err != nil {
				t.Fatal(err)
			}
		}
		if got := time.Since(start); got < 10*time.Second || got > 11*time.Second {
			t.Errorf("took %v; want about 10s", got)
		}
	})
}

func BenchmarkLimiterUnlimited(b *testing.B) {
	l := NewLimiter(-1)
	for b.Loop() {
		_ = l.WaitN(b.Context(), 16<<10)
	}
}

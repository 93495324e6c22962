package engine

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

func TestWatchBeginsWithEverythingThenSyncs(t *testing.T) {
	f := newFeed()
	f.set(api.Download{ID: "a"})
	f.set(api.Download{ID: "b"})
	seen := map[string]bool{}
	for events := range f.watch(t.Context(), 0) {
		for _, event := range events[:len(events)-1] {
			seen[event.Download.ID] = true
		}
		if !events[len(events)-1].Synced {
			t.Error("everything does not end with Synced")
		}
		break
	}
	if len(seen) != 2 {
		t.Errorf("before Synced came %v; want a and b", seen)
	}
}

// A watcher that does not read costs nobody anything, and finds the newest state when it reads again.
func TestAStalledWatcherSeesTheNewestStateOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed()
		ctx, cancel := context.WithCancel(t.Context())
		resume := make(chan struct{})
		var got []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			for events := range f.watch(ctx, 0) {
				for _, event := range events {
					switch {
					case event.Synced:
						<-resume
					case event.Removed != "":
						got = append(got, "removed "+event.Removed)
					default:
						got = append(got, fmt.Sprint(event.Download.ID, event.Download.VerifiedBytes))
					}
				}
			}
		}()
		synctest.Wait()
		for i := range int64(10_000) {
			f.set(api.Download{ID: "a", VerifiedBytes: i})
		}
		f.set(api.Download{ID: "b"})
		f.remove("b")
		close(resume)
		synctest.Wait()
		cancel()
		<-done
		if want := "[a9999 removed b]"; fmt.Sprint(got) != want {
			t.Errorf("the watcher saw %v; want %s", got, want)
		}
	})
}

// Whoever looks seldom is told seldom, of everything at once, and of a change after a long silence without delay.
func TestASlowWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed()
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		var got []string
		done := make(chan struct{})
		go func() {
			defer close(done)
			for events := range f.watch(ctx, 2*time.Second) {
				got = append(got, fmt.Sprint(time.Since(began), " ", len(events)))
			}
		}()
		for range 50 {
			time.Sleep(100 * time.Millisecond)
			f.set(api.Download{ID: "a"})
			f.set(api.Download{ID: "b"})
		}
		time.Sleep(10 * time.Second)
		f.set(api.Download{ID: "a"})
		synctest.Wait()
		cancel()
		<-done
		if want := "[0s 1 2s 2 4s 2 6s 2 15s 1]"; fmt.Sprint(got) != want {
			t.Errorf("told %v; want %s", got, want)
		}
	})
}

func TestAWatchEndsWithTheFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range f.watch(t.Context(), time.Hour) {
			}
		}()
		synctest.Wait()
		f.close()
		<-done
	})
}

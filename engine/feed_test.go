package engine

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/tributary-dl/tributary/engine/api"
)

func TestWatchBeginsWithEverythingThenSyncs(t *testing.T) {
	f := newFeed()
	f.set(api.Download{ID: "a"})
	f.set(api.Download{ID: "b"})
	seen := map[string]bool{}
	for event := range f.watch(t.Context()) {
		if event.Synced {
			break
		}
		seen[event.Download.ID] = true
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
			for event := range f.watch(ctx) {
				if event.Synced {
					<-resume
					continue
				}
				if event.Removed != "" {
					got = append(got, "removed "+event.Removed)
				} else {
					got = append(got, fmt.Sprint(event.Download.ID, event.Download.VerifiedBytes))
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

func TestAWatchEndsWithTheFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeed()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range f.watch(t.Context()) {
			}
		}()
		synctest.Wait()
		f.close()
		<-done
	})
}

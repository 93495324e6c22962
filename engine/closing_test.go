package engine

import (
	"errors"
	"sync"
	"testing"

	"github.com/tributary-dl/tributary/engine/api"
)

// Whoever was told that a download was taken finds it after the next start; whoever was refused does not.
func TestAddWhileClosing(t *testing.T) {
	data := t.TempDir()
	e := open(t, data, Policy{})
	taken := make(chan string, 10_000)
	var started, adders sync.WaitGroup
	for range 4 {
		started.Add(1)
		adders.Go(func() {
			for first := true; ; first = false {
				d, err := e.Add(t.Context(), api.AddRequest{URL: "https://example.invalid/x", Paused: true})
				if first {
					started.Done()
				}
				if err != nil {
					return
				}
				taken <- d.ID
			}
		})
	}
	started.Wait()
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	adders.Wait()
	close(taken)
	there := map[string]bool{}
	for _, d := range open(t, data, Policy{}).List() {
		there[d.ID] = true
	}
	promised := 0
	for id := range taken {
		promised++
		if !there[id] {
			t.Errorf("%s is not there after the restart", id)
		}
	}
	if len(there) != promised {
		t.Errorf("%d downloads are there, %d were taken", len(there), promised)
	}
}

func TestSettingsChangedAtOnceAllHold(t *testing.T) {
	e := open(t, t.TempDir(), Policy{})
	limit, active, hours := int64(12345), 3, "22:00-07:00"
	var changes sync.WaitGroup
	for _, p := range []api.SettingsPatch{{DownloadLimit: &limit}, {MaxActive: &active}, {ShareHours: &hours}} {
		changes.Go(func() {
			if _, err := e.SetSettings(t.Context(), p); err != nil {
				t.Error(err)
			}
		})
	}
	changes.Wait()
	if s := e.Settings(); s.DownloadLimit != limit || s.MaxActive != active || s.ShareHours != hours {
		t.Errorf("settings %+v", s)
	}
}

func TestRemovedByTwoAtOnce(t *testing.T) {
	e := open(t, t.TempDir(), Policy{})
	d, err := e.Add(t.Context(), api.AddRequest{URL: "https://example.invalid/x", Paused: true})
	if err != nil {
		t.Fatal(err)
	}
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			if err := e.Remove(t.Context(), d.ID, false); err != nil && api.CodeOf(err) != api.ErrNotFound {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	if list := e.List(); len(list) != 0 {
		t.Errorf("still there: %+v", list)
	}
	if err := e.Pause(t.Context(), d.ID); api.CodeOf(err) != api.ErrNotFound {
		t.Errorf("Pause() = %v", errors.Join(err))
	}
}

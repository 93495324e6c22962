package engine

import (
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/budget"
	"github.com/tributary-dl/tributary/engine/internal/peering"
	"github.com/tributary-dl/tributary/engine/internal/store"
	"github.com/tributary-dl/tributary/engine/internal/swarm"
)

func openLedger(t *testing.T, path string) (*uploads, *store.Store) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := store.Open(path, log)
	if err != nil {
		t.Fatal(err)
	}
	return newUploads(s, nowhere, log), s
}

// nowhere is mains power and an ordinary network.
func nowhere() budget.Surroundings { return budget.Surroundings{} }

var film = peering.Upload{ContentID: "f1", Name: "film.mkv", Publisher: "Studio", Size: 1000}

// What left is on disk a few seconds later, without anybody asking and without Close, and then nothing is written.
func TestLedgerIsOnDiskSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, s := openLedger(t, filepath.Join(t.TempDir(), "state.db"))
		defer s.Close()
		stored := func() map[string]string {
			all := map[string]string{}
			if err := s.Each(store.BucketLedger, "", func(key string, value []byte) error { all[key] = string(value); return nil }); err != nil {
				t.Fatal(err)
			}
			return all
		}
		u.sent(film, swarm.PeerID{1}, 400)
		u.sent(film, swarm.PeerID{1}, 100)
		u.sent(film, swarm.PeerID{2}, 1)
		if len(stored()) != 0 {
			t.Error("the ledger is written at each block")
		}
		time.Sleep(flushAfter)
		synctest.Wait()
		again := newUploads(s, nowhere, slog.New(slog.DiscardHandler)) // what a service finds that starts after a kill
		today := time.Now().Format(day)
		want := []api.LedgerEntry{{Day: today, ContentID: "f1", Name: "film.mkv", Publisher: "Studio", Bytes: 501, Peers: 2}}
		status := again.status()
		if diff := cmp.Diff(want, status.Ledger); diff != "" {
			t.Errorf("ledger after a kill (-want +got):\n%s", diff)
		}
		if status.Today != 501 || status.Week != 501 || status.Month != 501 {
			t.Errorf("sums: %+v; want 501 each", status)
		}
		u.mu.Lock()
		if u.timer != nil || len(u.dirty) != 0 {
			t.Error("a timer runs though nothing is to be written")
		}
		u.mu.Unlock()
	})
}

func TestLedgerKeepsWhatCouldNotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state.db")
		u, s := openLedger(t, path)
		u.sent(film, swarm.PeerID{1}, 400)
		if err := s.Close(); err != nil { // stands for a disk that refuses
			t.Fatal(err)
		}
		if err := u.flush(); err == nil {
			t.Fatal("no error")
		}
		var err error
		u.flushing.Lock()
		u.store, err = store.Open(path, slog.New(slog.DiscardHandler))
		u.flushing.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		defer u.store.Close()
		time.Sleep(flushAgain)
		synctest.Wait()
		if raw, err := u.store.Get(store.BucketLedger, time.Now().Format(day)+"/f1"); err != nil || raw == nil {
			t.Errorf("ledger entry: %q, %v", raw, err)
		}
	})
}

func TestWhatMayBeSent(t *testing.T) {
	on := api.Settings{Sharing: api.SharingOn}
	with := func(change func(*api.Settings)) api.Settings {
		s := on
		change(&s)
		return s
	}
	object := func(publisher int) peering.Upload {
		o := film
		o.Copies = publisher
		return o
	}
	tests := []struct {
		name     string
		settings api.Settings
		object   peering.Upload
		path     api.PathKind
		want     bool // 2000 bytes, two copies, have been sent
	}{
		{"on", on, object(0), api.PathDirect, true},
		{"off", with(func(s *api.Settings) { s.Sharing = api.SharingOff }), object(0), api.PathLAN, false},
		{"LAN, from afar", with(func(s *api.Settings) { s.Sharing = api.SharingLAN }), object(0), api.PathDirect, false},
		{"LAN", with(func(s *api.Settings) { s.Sharing = api.SharingLAN }), object(0), api.PathLAN, true},
		{"the publisher's copies are used up", on, object(2), api.PathDirect, false},
		{"the user's copies are used up", with(func(s *api.Settings) { s.UploadsPerObject = 2 }), object(0), api.PathDirect, false},
		{"the user allows more than the publisher", with(func(s *api.Settings) { s.UploadsPerObject = 9 }), object(2), api.PathDirect, false},
		{"the publisher allows more than the user", with(func(s *api.Settings) { s.UploadsPerObject = 2 }), object(9), api.PathDirect, false},
		{"both allow more", with(func(s *api.Settings) { s.UploadsPerObject = 3 }), object(3), api.PathDirect, true},
		{"another object", on, peering.Upload{ContentID: "f2", Size: 1000, Copies: 1}, api.PathDirect, true},
		{"the month's volume is used up", with(func(s *api.Settings) { s.MonthlyUpload = 2000 }), object(0), api.PathDirect, false},
		{"a byte of it is left", with(func(s *api.Settings) { s.MonthlyUpload = 2001 }), object(0), api.PathDirect, true},
	}
	u, s := openLedger(t, filepath.Join(t.TempDir(), "state.db"))
	defer s.Close()
	defer func() { _ = u.close() }() // its timer must not outlive the test
	u.sent(film, swarm.PeerID{1}, 2000)
	for _, tt := range tests {
		if got := u.maySend(tt.settings, tt.object, tt.path); got != tt.want {
			t.Errorf("%s: %v; want %v", tt.name, got, tt.want)
		}
	}
}

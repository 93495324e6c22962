package engine

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/budget"
	"github.com/tributary-dl/tributary/engine/internal/store"
)

// flushEvery bounds how often the ledger writes, so that sharing does not keep a disk awake.
const flushEvery = time.Minute

// uploads is the ledger of what left this computer, by day and object. The user can read all of it.
type uploads struct {
	store *store.Store
	log   *slog.Logger

	mu      sync.Mutex
	entries map[string]*api.LedgerEntry // by day + "/" + content ID
	last    map[string]int64            // uploaded bytes of each download when last counted
	dirty   map[string]bool
	flushed time.Time
}

func newUploads(s *store.Store, log *slog.Logger) *uploads {
	u := &uploads{store: s, log: log, entries: map[string]*api.LedgerEntry{}, last: map[string]int64{}, dirty: map[string]bool{}, flushed: time.Now()}
	err := s.Each(store.BucketLedger, "", func(key string, value []byte) error {
		var entry api.LedgerEntry
		if err := json.Unmarshal(value, &entry); err != nil {
			log.Error("an entry of the upload ledger could not be read", "key", key, "err", err)
			return nil
		}
		u.entries[key] = &entry
		return nil
	})
	if err != nil {
		log.Error("reading the upload ledger", "err", err)
	}
	return u
}

const day = "2006-01-02"

// count takes what a snapshot says was sent since the last one. The first snapshot of a run is what was
// counted before.
func (u *uploads) count(s api.Download) {
	if s.ContentID == "" {
		return
	}
	u.mu.Lock()
	before, known := u.last[s.ID]
	u.last[s.ID] = s.BytesUploaded
	if !known || s.BytesUploaded <= before {
		u.mu.Unlock()
		return
	}
	now := time.Now()
	date := now.Format(day)
	key := date + "/" + s.ContentID
	entry := u.entries[key]
	if entry == nil {
		entry = &api.LedgerEntry{Day: date, ContentID: s.ContentID, Name: s.Name, Publisher: s.Publisher}
		u.entries[key] = entry
	}
	entry.Bytes += s.BytesUploaded - before
	u.dirty[key] = true
	due := now.Sub(u.flushed) >= flushEvery
	u.mu.Unlock()
	if due {
		if err := u.flush(); err != nil {
			u.log.Error("writing the upload ledger", "err", err)
		}
	}
}

func (u *uploads) flush() error {
	u.mu.Lock()
	changed := map[string][]byte{}
	for key := range u.dirty {
		if raw, err := json.Marshal(u.entries[key]); err == nil {
			changed[key] = raw
		}
	}
	clear(u.dirty)
	u.flushed = time.Now()
	u.mu.Unlock()
	for key, raw := range changed {
		if err := u.store.Put(store.BucketLedger, key, raw); err != nil {
			return err
		}
	}
	return nil
}

func (u *uploads) close() error { return u.flush() }

// status sums up today, the last seven days and this month.
func (u *uploads) status() (s api.SharingStatus) {
	now := time.Now()
	today, week, month := now.Format(day), now.AddDate(0, 0, -6).Format(day), now.Format("2006-01")
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, entry := range u.entries {
		if entry.Day == today {
			s.Today += entry.Bytes
		}
		if entry.Day >= week {
			s.Week += entry.Bytes
		}
		if strings.HasPrefix(entry.Day, month) {
			s.Month += entry.Bytes
		}
		s.Ledger = append(s.Ledger, *entry)
	}
	slices.SortFunc(s.Ledger, func(a, b api.LedgerEntry) int {
		if c := strings.Compare(b.Day, a.Day); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return s
}

// sentIn returns what was sent in a month, "2026-11".
func (u *uploads) sentIn(month string) (bytes int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, entry := range u.entries {
		if strings.HasPrefix(entry.Day, month) {
			bytes += entry.Bytes
		}
	}
	return bytes
}

// sentOf returns what has been sent of an object so far.
func (u *uploads) sentOf(contentID string) (bytes int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, entry := range u.entries {
		if entry.ContentID == contentID {
			bytes += entry.Bytes
		}
	}
	return bytes
}

// paused says why sharing rests although it is on; empty if it does not.
func (u *uploads) paused(s api.Settings) string {
	now := time.Now()
	return budget.Paused(s, u.sentIn(now.Format("2006-01")), now)
}

// maySend returns the rule that is asked before payload goes to a peer.
func (u *uploads) maySend(settings func() api.Settings) func(contentID string, size int64, path api.PathKind) bool {
	return func(contentID string, size int64, path api.PathKind) bool {
		s := settings()
		return budget.MaySend(s, path) && u.paused(s) == "" && !budget.Spent(s.UploadsPerObject, size, u.sentOf(contentID))
	}
}

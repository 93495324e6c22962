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
	"github.com/tributary-dl/tributary/engine/internal/peering"
	"github.com/tributary-dl/tributary/engine/internal/store"
	"github.com/tributary-dl/tributary/engine/internal/swarm"
)

// flushAfter is how much of the ledger, in time, a killed service can lose. Nothing is written while nothing is sent.
const (
	flushAfter = 3 * time.Second
	flushAgain = time.Minute // after a disk refused it
)

// uploads is the ledger of what left this computer, by day and object. The user can read all of it. It is told
// of each block at the socket, so limits that count bytes hold to the block.
type uploads struct {
	store  *store.Store
	log    *slog.Logger
	around func() budget.Surroundings

	flushing sync.Mutex // one flush at a time, so that an older state never overwrites a newer one

	mu      sync.Mutex
	entries map[string]*api.LedgerEntry          // by day + "/" + content ID
	months  map[string]int64                     // bytes by month, "2026-11"
	objects map[string]int64                     // bytes by content ID
	peers   map[string]map[swarm.PeerID]struct{} // of the entries of this day and run
	dirty   map[string]bool
	timer   *time.Timer // runs while something is dirty
	closed  bool
}

func newUploads(s *store.Store, around func() budget.Surroundings, log *slog.Logger) *uploads {
	u := &uploads{store: s, log: log, around: around, entries: map[string]*api.LedgerEntry{}, months: map[string]int64{}, objects: map[string]int64{},
		peers: map[string]map[swarm.PeerID]struct{}{}, dirty: map[string]bool{}}
	err := s.Each(store.BucketLedger, "", func(key string, value []byte) error {
		var entry api.LedgerEntry
		if err := json.Unmarshal(value, &entry); err != nil || len(entry.Day) != len(day) {
			log.Error("an entry of the upload ledger could not be read", "key", key, "err", err)
			return nil
		}
		u.entries[key] = &entry
		u.sum(&entry, entry.Bytes)
		return nil
	})
	if err != nil {
		log.Error("reading the upload ledger", "err", err)
	}
	return u
}

const (
	day   = "2006-01-02"
	month = "2006-01"
)

// sum adds bytes of an entry to the totals; u.mu is held, or nobody else knows u yet.
func (u *uploads) sum(entry *api.LedgerEntry, bytes int64) {
	u.months[entry.Day[:len(month)]] += bytes
	u.objects[entry.ContentID] += bytes
}

// sent books payload that has just left.
func (u *uploads) sent(o peering.Upload, peer swarm.PeerID, bytes int) {
	date := time.Now().Format(day)
	key := date + "/" + o.ContentID
	u.mu.Lock()
	defer u.mu.Unlock()
	entry := u.entries[key]
	if entry == nil {
		entry = &api.LedgerEntry{Day: date, ContentID: o.ContentID, Name: o.Name, Publisher: o.Publisher}
		u.entries[key] = entry
		u.forgetPeers(date)
	}
	entry.Bytes += int64(bytes)
	u.sum(entry, int64(bytes))
	if u.peers[key] == nil {
		u.peers[key] = map[swarm.PeerID]struct{}{}
	}
	u.peers[key][peer] = struct{}{}
	entry.Peers = max(entry.Peers, len(u.peers[key])) // who came before a restart is not known any more
	u.dirty[key] = true
	u.schedule(flushAfter)
}

// forgetPeers drops the peers of earlier days; u.mu is held.
func (u *uploads) forgetPeers(date string) {
	for key := range u.peers {
		if !strings.HasPrefix(key, date) {
			delete(u.peers, key)
		}
	}
}

// schedule has the ledger written after a while; u.mu is held.
func (u *uploads) schedule(after time.Duration) {
	if u.timer == nil && !u.closed {
		u.timer = time.AfterFunc(after, func() {
			if err := u.flush(); err != nil {
				u.log.Error("writing the upload ledger", "err", err)
			}
		})
	}
}

// flush writes what has changed. What cannot be written stays to be written.
func (u *uploads) flush() error {
	u.flushing.Lock()
	defer u.flushing.Unlock()
	u.mu.Lock()
	if u.timer != nil {
		u.timer.Stop()
		u.timer = nil
	}
	changed := map[string][]byte{}
	for key := range u.dirty {
		if raw, err := json.Marshal(u.entries[key]); err == nil {
			changed[key] = raw
		}
	}
	clear(u.dirty)
	u.mu.Unlock()
	for key, raw := range changed {
		if err := u.store.Put(store.BucketLedger, key, raw); err != nil {
			u.mu.Lock()
			defer u.mu.Unlock()
			for key := range changed {
				u.dirty[key] = true
			}
			u.schedule(flushAgain)
			return err
		}
	}
	return nil
}

// close writes what is left. Nothing is sent any more.
func (u *uploads) close() error {
	u.mu.Lock()
	u.closed = true
	u.mu.Unlock()
	return u.flush()
}

// status sums up today, the last seven days and this month.
func (u *uploads) status() (s api.SharingStatus) {
	now := time.Now()
	today, week := now.Format(day), now.AddDate(0, 0, -6).Format(day)
	u.mu.Lock()
	defer u.mu.Unlock()
	s.Month = u.months[now.Format(month)]
	for _, entry := range u.entries {
		if entry.Day == today {
			s.Today += entry.Bytes
		}
		if entry.Day >= week {
			s.Week += entry.Bytes
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

// paused says why sharing rests although it is on; nil if it does not.
func (u *uploads) paused(s api.Settings) *api.Phrase {
	now := time.Now()
	u.mu.Lock()
	sent := u.months[now.Format(month)]
	u.mu.Unlock()
	return budget.Paused(s, sent, u.around(), now)
}

// maySend is the rule that is asked before each block goes to a peer.
func (u *uploads) maySend(s api.Settings, o peering.Upload, path api.PathKind) bool {
	u.mu.Lock()
	given := u.objects[o.ContentID]
	u.mu.Unlock()
	return budget.MaySend(s, path) && u.paused(s) == nil && !budget.Spent(budget.Copies(s.UploadsPerObject, o.Copies), o.Size, given)
}

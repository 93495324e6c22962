package ledger

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/tributary-dl/tributary/control/protocol"
)

// MaxChain is how many secondary GUIDs a device reports: one is drawn at every start.
const MaxChain = 5

// Quarantine is how long a device is served by the edge alone after a fork of its chain was seen.
// A machine that was rolled back once is back after a day; two clones that both stay in use never are.
const Quarantine = 24 * time.Hour

// SecondaryGUID names one start of an installation.
type SecondaryGUID [16]byte

// MarshalText writes the GUID in hex.
func (g SecondaryGUID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, g[:]), nil }

// UnmarshalText reads what MarshalText writes.
func (g *SecondaryGUID) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(g) {
		return fmt.Errorf("%q is not a secondary GUID", text)
	}
	_, err := hex.Decode(g[:], text)
	return err
}

// chain is what is stored for each device.
type chain struct {
	GUIDs  []SecondaryGUID `json:"guids"` // newest first
	Forked time.Time       `json:"forked,omitzero"`
	Seen   time.Time       `json:"seen,omitzero"` // the last login, as exactly as seenEvery
}

// Login compares the secondary GUIDs that a device reports (newest first) with the last ones it
// reported, stores them, and tells whether the device is in quarantine. Before a device becomes known admit
// is asked; if it says no, the device is not remembered, which does it no harm.
func (l *Ledger) Login(device protocol.DeviceKey, guids []SecondaryGUID, now time.Time, admit func() bool) (quarantined bool, err error) {
	var c chain
	err = l.db.View(func(tx *bolt.Tx) error { return c.load(tx, device) })
	if err != nil {
		return false, fmt.Errorf("read chain: %w", err)
	}
	if slices.Equal(c.GUIDs, guids) && now.Sub(c.Seen) < seenEvery { // a reconnect; most logins end here, without a write
		return c.quarantined(now), nil
	}
	if len(c.GUIDs) == 0 && !admit() {
		return false, nil
	}
	err = l.db.Batch(func(tx *bolt.Tx) error {
		if err := c.load(tx, device); err != nil {
			return err
		}
		c = c.extend(guids, now)
		return c.save(tx, device)
	})
	if err != nil {
		return false, fmt.Errorf("store chain: %w", err)
	}
	return c.quarantined(now), nil
}

// load reads the device's chain; a device that is not known has an empty one.
func (c *chain) load(tx *bolt.Tx, device protocol.DeviceKey) error {
	*c = chain{}
	value := tx.Bucket(chainsBucket).Get(device[:])
	if value == nil {
		return nil
	}
	return json.Unmarshal(value, c)
}

func (c *chain) save(tx *bolt.Tx, device protocol.DeviceKey) error {
	value, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return tx.Bucket(chainsBucket).Put(device[:], value)
}

func (c chain) quarantined(now time.Time) bool {
	return !c.Forked.IsZero() && now.Sub(c.Forked) < Quarantine
}

func (c chain) extend(guids []SecondaryGUID, now time.Time) chain {
	next := chain{GUIDs: guids, Forked: c.Forked, Seen: now.UTC().Truncate(time.Second)}
	if forks(c.GUIDs, guids) {
		next.Forked = now
	}
	return next
}

// forks reports whether the reported chain cannot be a continuation of the stored one. A healthy
// installation still lists its newest known start, followed by the older ones in their order. One that
// lists older starts but not the newest was rolled back or cloned. One that lists none of them was
// started five times without a session, or lost its state; neither is an offence.
func forks(stored, reported []SecondaryGUID) bool {
	if len(stored) == 0 {
		return false
	}
	at := slices.Index(reported, stored[0])
	if at < 0 {
		return slices.ContainsFunc(reported, func(g SecondaryGUID) bool { return slices.Contains(stored, g) })
	}
	known := reported[at:]
	n := min(len(known), len(stored))
	return !slices.Equal(known[:n], stored[:n])
}

package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/tributary-dl/tributary/control/protocol"
)

// How long and how many: anybody can make device keys and report downloads, so that without bounds the
// ledger would grow as fast as somebody writes. What goes is not lost to the totals, see Past.
const (
	// AccountLife is how long an account is kept after its last report: a year, and the month in which that
	// year is settled.
	AccountLife = 400 * 24 * time.Hour

	// ChainLife is how long a device's chain is kept after its last login. A device that comes back later
	// enrols anew, which is no offence; see forks.
	ChainLife = 180 * 24 * time.Hour

	// MaxAccounts is how many accounts one device has. As many objects are listed for it in the directory,
	// so whatever a device shares, and reports uploads of, can keep its account.
	MaxAccounts = 20_000

	// makeRoom is how many of its oldest accounts a device loses at once when it has too many: finding them
	// takes a look at all of them.
	makeRoom = MaxAccounts / 20

	// seenEvery is how exactly it is known when a device logged in last. A write at each login would cost
	// more than all the rest of one.
	seenEvery = 7 * 24 * time.Hour

	expireStep = 1000 // rows looked at in one transaction
)

// Past is the sum over accounts of one object that are not kept one by one any more. Amounts are in bytes.
type Past struct {
	// Device is whose accounts they were, if they went because it had more than MaxAccounts: what one device says
	// can still be told from what others say. It is zero for the sum over all devices of what was older than AccountLife.
	Device  protocol.DeviceKey `json:"-"` // stands in the key, as does Content
	Content protocol.ContentID `json:"-"`

	Last     time.Time                `json:"last"`     // the latest report of any of them
	Outcomes map[protocol.Outcome]int `json:"outcomes"` // how many accounts ended so
	Edge     uint64                   `json:"edge"`
	Peers    uint64                   `json:"peers"`
	Wasted   uint64                   `json:"wasted"`
	Uploaded uint64                   `json:"uploaded"`
}

// add adds what other sums up; the names stay.
func (p *Past) add(other Past) {
	if p.Outcomes == nil {
		p.Outcomes = make(map[protocol.Outcome]int)
	}
	for outcome, n := range other.Outcomes {
		p.Outcomes[outcome] += n
	}
	if other.Last.After(p.Last) {
		p.Last = other.Last
	}
	for _, sum := range []struct {
		of     *uint64
		amount uint64
	}{{&p.Edge, other.Edge}, {&p.Peers, other.Peers}, {&p.Wasted, other.Wasted}, {&p.Uploaded, other.Uploaded}} {
		*sum.of += min(sum.amount, math.MaxUint64-*sum.of) // whoever lies about amounts must not make a sum small
	}
}

// past is the sum over one account.
func (a Account) past() Past {
	return Past{
		Device: a.Device, Content: a.Content, Last: a.Received, Outcomes: map[protocol.Outcome]int{a.Outcome: 1},
		Edge: a.Edge, Peers: a.Peers, Wasted: a.Wasted, Uploaded: a.Uploaded,
	}
}

// pastKey is the content ID, after the device if the sum is of one.
func pastKey(p Past) []byte {
	if p.Device == (protocol.DeviceKey{}) {
		return p.Content[:]
	}
	return slices.Concat(p.Device[:], p.Content[:])
}

func decodePast(key, value []byte) (p Past, err error) {
	if err := json.Unmarshal(value, &p); err != nil {
		return Past{}, err
	}
	switch len(key) {
	case len(p.Device) + len(p.Content):
		copy(p.Device[:], key)
		copy(p.Content[:], key[len(p.Device):])
	case len(p.Content):
		copy(p.Content[:], key)
	default:
		return Past{}, errors.New("the key has a wrong length")
	}
	return p, nil
}

// Past calls each with every sum, until it returns an error.
func (l *Ledger) Past(each func(Past) error) error {
	return l.db.View(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(pastBucket)
		if bucket == nil { // written by a version that knew no sums
			return nil
		}
		return bucket.ForEach(func(key, value []byte) error {
			p, err := decodePast(key, value)
			if err != nil {
				return fmt.Errorf("sum %x: %w", key, err)
			}
			return each(p)
		})
	})
}

// sum adds to the stored sums.
func sum(tx *bolt.Tx, more []Past) error {
	bucket := tx.Bucket(pastBucket)
	sums := make(map[string]Past)
	for _, m := range more {
		key := pastKey(m)
		p, known := sums[string(key)]
		if value := bucket.Get(key); value != nil && !known {
			var err error
			if p, err = decodePast(key, value); err != nil {
				return fmt.Errorf("sum %x: %w", key, err)
			}
		}
		p.add(m)
		sums[string(key)] = p
	}
	for key, p := range sums {
		value, err := json.Marshal(p)
		if err != nil {
			return err
		}
		if err := bucket.Put([]byte(key), value); err != nil {
			return err
		}
	}
	return nil
}

// crowded sums up the oldest accounts of a device that has no room for another. Nobody else's are touched: that
// would let one device erase what others did.
func crowded(tx *bolt.Tx, device protocol.DeviceKey) (folded int, err error) {
	bucket := tx.Bucket(downloadsBucket)
	cursor := bucket.Cursor()
	count := 0
	for key, _ := cursor.Seek(device[:]); bytes.HasPrefix(key, device[:]); key, _ = cursor.Next() {
		count++
	}
	if count < MaxAccounts {
		return 0, nil
	}
	all := make([]Account, 0, count)
	for key, value := cursor.Seek(device[:]); bytes.HasPrefix(key, device[:]); key, value = cursor.Next() {
		a, err := decode(key, value)
		if err != nil {
			return 0, fmt.Errorf("account %x: %w", key, err)
		}
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b Account) int { return a.Received.Compare(b.Received) })
	oldest := all[:count-MaxAccounts+makeRoom]
	sums := make([]Past, len(oldest))
	for i, a := range oldest {
		sums[i] = a.past()
		if err := bucket.Delete(accountKey(a)); err != nil {
			return 0, err
		}
	}
	return len(oldest), sum(tx, sums)
}

// Expire sums up the accounts and forgets the chains whose time is over. It works in small steps, between which
// others write, and goes on until it is through or ctx ends.
func (l *Ledger) Expire(ctx context.Context, now time.Time) (accounts, chains int, err error) {
	if accounts, err = l.expirePast(ctx, downloadsBucket, now, func(key, value []byte) (Past, error) {
		a, err := decode(key, value)
		return a.past(), err
	}); err != nil {
		return accounts, 0, fmt.Errorf("expire accounts: %w", err)
	}
	if _, err = l.expirePast(ctx, pastBucket, now, decodePast); err != nil {
		return accounts, 0, fmt.Errorf("expire sums of devices: %w", err)
	}
	chains, err = l.expire(ctx, chainsBucket, func(key, value []byte) bool {
		var c chain
		return len(key) == len(protocol.DeviceKey{}) && json.Unmarshal(value, &c) == nil && (c.Seen.IsZero() || now.Sub(c.Seen) > ChainLife)
	}, func(tx *bolt.Tx, keys [][]byte) (gone int, err error) {
		for _, key := range keys {
			var c chain
			device := protocol.DeviceKey(key)
			if err := c.load(tx, device); err != nil {
				return 0, err
			}
			switch {
			case c.Seen.IsZero(): // written by a version that did not note it: its time begins now
				c.Seen = now.UTC().Truncate(time.Second)
				err = c.save(tx, device)
			case now.Sub(c.Seen) > ChainLife:
				gone++
				err = tx.Bucket(chainsBucket).Delete(key)
			}
			if err != nil {
				return 0, err
			}
		}
		return gone, nil
	})
	if err != nil {
		return accounts, chains, fmt.Errorf("expire chains: %w", err)
	}
	return accounts, chains, nil
}

// expirePast moves what a bucket has of devices, and was reported too long ago, into the sums over all devices.
func (l *Ledger) expirePast(ctx context.Context, bucket []byte, now time.Time, read func(key, value []byte) (Past, error)) (gone int, err error) {
	isDue := func(p Past) bool { return p.Device != (protocol.DeviceKey{}) && now.Sub(p.Last) > AccountLife }
	return l.expire(ctx, bucket, func(key, value []byte) bool {
		p, err := read(key, value)
		return err == nil && isDue(p) // what cannot be read is for Accounts and Past to complain about
	}, func(tx *bolt.Tx, keys [][]byte) (int, error) {
		due := make([]Past, 0, len(keys))
		for _, key := range keys {
			value := tx.Bucket(bucket).Get(key)
			if value == nil { // its device has become crowded meanwhile
				continue
			}
			p, err := read(key, value)
			if err != nil {
				return 0, err
			}
			if !isDue(p) { // a report has come meanwhile
				continue
			}
			p.Device = protocol.DeviceKey{}
			due = append(due, p)
			if err := tx.Bucket(bucket).Delete(key); err != nil {
				return 0, err
			}
		}
		return len(due), sum(tx, due)
	})
}

// expire goes through a bucket and has drop look after the keys that are due; drop returns how many went.
func (l *Ledger) expire(ctx context.Context, bucket []byte, isDue func(key, value []byte) bool, drop func(*bolt.Tx, [][]byte) (int, error)) (gone int, err error) {
	for from := []byte{}; from != nil; {
		if err := ctx.Err(); err != nil {
			return gone, err
		}
		var due [][]byte
		err := l.db.View(func(tx *bolt.Tx) error {
			cursor := tx.Bucket(bucket).Cursor()
			key, value := cursor.Seek(from)
			for range expireStep {
				if key != nil && isDue(key, value) {
					due = append(due, slices.Clone(key))
				}
				if key, value = cursor.Next(); key == nil {
					break
				}
			}
			from = slices.Clone(key)
			return nil
		})
		if err == nil && len(due) > 0 {
			var n int
			err = l.db.Update(func(tx *bolt.Tx) (err error) {
				n, err = drop(tx, due)
				return err
			})
			if err == nil {
				gone += n
			}
		}
		if err != nil {
			return gone, err
		}
	}
	return gone, nil
}

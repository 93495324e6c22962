package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/tributary-dl/tributary/control/protocol"
)

// How long and how many: anybody can make device keys and report downloads, so that without bounds the
// ledger would grow as fast as somebody writes. What goes is not lost to the sums, see Past.
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

// Past is the sum over accounts of one object that are not kept one by one any more, because they were older
// than AccountLife or their device had more than MaxAccounts. Amounts are in bytes.
type Past struct {
	Outcomes map[protocol.Outcome]int `json:"outcomes"` // how many accounts ended so
	Edge     uint64                   `json:"edge"`
	Peers    uint64                   `json:"peers"`
	Wasted   uint64                   `json:"wasted"`
	Uploaded uint64                   `json:"uploaded"`
}

func (p *Past) add(a Account) {
	if p.Outcomes == nil {
		p.Outcomes = make(map[protocol.Outcome]int)
	}
	p.Outcomes[a.Outcome]++
	for _, sum := range []struct {
		of     *uint64
		amount uint64
	}{{&p.Edge, a.Edge}, {&p.Peers, a.Peers}, {&p.Wasted, a.Wasted}, {&p.Uploaded, a.Uploaded}} {
		*sum.of += min(sum.amount, math.MaxUint64-*sum.of) // whoever lies about amounts must not make a sum small
	}
}

// Past calls each with the sum of every object that has one, until it returns an error.
func (l *Ledger) Past(each func(protocol.ContentID, Past) error) error {
	return l.db.View(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(pastBucket)
		if bucket == nil { // written by a version that knew no sums
			return nil
		}
		return bucket.ForEach(func(key, value []byte) error {
			var content protocol.ContentID
			var p Past
			if copy(content[:], key) != len(content) {
				return fmt.Errorf("sum %x: the key has a wrong length", key)
			}
			if err := json.Unmarshal(value, &p); err != nil {
				return fmt.Errorf("sum %x: %w", key, err)
			}
			return each(content, p)
		})
	})
}

// fold replaces accounts by their sums.
func fold(tx *bolt.Tx, accounts []Account) error {
	past := tx.Bucket(pastBucket)
	sums := make(map[protocol.ContentID]*Past)
	for _, a := range accounts {
		sum := sums[a.Content]
		if sum == nil {
			sum = &Past{}
			if value := past.Get(a.Content[:]); value != nil {
				if err := json.Unmarshal(value, sum); err != nil {
					return fmt.Errorf("sum of object %s: %w", a.Content, err)
				}
			}
			sums[a.Content] = sum
		}
		sum.add(a)
		if err := tx.Bucket(downloadsBucket).Delete(accountKey(a)); err != nil {
			return err
		}
	}
	for content, sum := range sums {
		value, err := json.Marshal(sum)
		if err != nil {
			return err
		}
		if err := past.Put(content[:], value); err != nil {
			return err
		}
	}
	return nil
}

// crowded folds the oldest accounts of a device that has no room for another. Nobody else's are touched: that
// would let one device erase what others did.
func crowded(tx *bolt.Tx, device protocol.DeviceKey) (folded int, err error) {
	cursor := tx.Bucket(downloadsBucket).Cursor()
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
	return len(oldest), fold(tx, oldest)
}

// Expire folds the accounts and forgets the chains whose time is over. It works in small steps, between which
// others write, and goes on until it is through or ctx ends.
func (l *Ledger) Expire(ctx context.Context, now time.Time) (accounts, chains int, err error) {
	accounts, err = l.expire(ctx, downloadsBucket, func(key, value []byte) bool {
		a, err := decode(key, value)
		return err == nil && now.Sub(a.Received) > AccountLife // what cannot be read is for Accounts to complain about
	}, func(tx *bolt.Tx, keys [][]byte) (int, error) {
		due := make([]Account, 0, len(keys))
		for _, key := range keys {
			a, err := decode(key, tx.Bucket(downloadsBucket).Get(key))
			if err != nil {
				return 0, err
			}
			if now.Sub(a.Received) > AccountLife { // no report has come meanwhile
				due = append(due, a)
			}
		}
		return len(due), fold(tx, due)
	})
	if err != nil {
		return accounts, 0, fmt.Errorf("expire accounts: %w", err)
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

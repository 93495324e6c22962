// Package ledger is what the control plane remembers: what clients reported about each download, and the
// chain of secondary GUIDs of each device. It is the only importer of bbolt on the control side. Reports are
// clients' words: the ledger stores them, and must never treat them as true, nor let what one device says
// take the place of what another has said.
package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/tributary-dl/tributary/control/protocol"
)

// FileName is the ledger's file in a data directory.
const FileName = "ledger.db"

// ErrInUse says that another process has the ledger open for writing.
var ErrInUse = errors.New("the ledger is in use by another process")

var (
	chainsBucket    = []byte("chains")    // device key → chain
	downloadsBucket = []byte("downloads") // device key + download → Account
	pastBucket      = []byte("past")      // [device key +] content ID → Past
)

// Ledger is safe for concurrent use. Whatever a method has stored when it returns survives a power cut.
type Ledger struct {
	db     *bolt.DB
	folded atomic.Int64
}

// Open opens or makes the ledger at path for writing; nobody else can open it meanwhile.
func Open(path string) (*Ledger, error) {
	db, err := open(path, &bolt.Options{Timeout: 5 * time.Second}) // a report may be reading
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{chainsBucket, downloadsBucket, pastBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare ledger %s: %w", path, err), db.Close())
	}
	return &Ledger{db: db}, nil
}

// OpenReadOnly opens an existing ledger for reading.
func OpenReadOnly(path string) (*Ledger, error) {
	db, err := open(path, &bolt.Options{Timeout: 500 * time.Millisecond, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	return &Ledger{db: db}, nil
}

// open waits for another process to let go of the file for as long as the options say.
func open(path string, options *bolt.Options) (*bolt.DB, error) {
	db, err := bolt.Open(path, 0o600, options)
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, fmt.Errorf("open %s: %w", path, ErrInUse)
	case err != nil:
		return nil, fmt.Errorf("open ledger %s: %w", path, err)
	}
	return db, nil
}

// Close waits for transactions under way and closes the file.
func (l *Ledger) Close() error { return l.db.Close() }

// WriteTo writes a consistent copy of the whole ledger, which OpenReadOnly can open, while others write on.
func (l *Ledger) WriteTo(w io.Writer) (n int64, err error) {
	err = l.db.View(func(tx *bolt.Tx) error {
		n, err = tx.WriteTo(w)
		return err
	})
	return n, err
}

// Account is what a client says that one download has done so far. Amounts are in bytes and cumulative.
type Account struct {
	Device   protocol.DeviceKey `json:"-"` // stands in the key, as does Download
	Download [16]byte           `json:"-"`
	Content  protocol.ContentID `json:"content"`

	Sequence uint32           `json:"sequence"`
	Total    uint64           `json:"total"`
	Edge     uint64           `json:"edge"`  // verified
	Peers    uint64           `json:"peers"` // verified
	Wasted   uint64           `json:"wasted"`
	Uploaded uint64           `json:"uploaded"`
	Active   time.Duration    `json:"active"` // nanoseconds
	Outcome  protocol.Outcome `json:"outcome"`
	Reason   string           `json:"reason,omitempty"`

	Network  string    `json:"network"` // of the session that reported, see selection.Network
	Country  string    `json:"country,omitempty"`
	Received time.Time `json:"received"` // by the node
}

// maxReason is the longest reason stored, in bytes.
const maxReason = 256

// Check refuses what no honest client reports.
func (a Account) Check() error {
	if !a.Outcome.Known() {
		return fmt.Errorf("unknown outcome %.20q", a.Outcome)
	}
	const tooMany = 1 << 53 // bytes; also what JSON numbers hold exactly in every reader
	for _, n := range []uint64{a.Total, a.Edge, a.Peers, a.Wasted, a.Uploaded} {
		if n >= tooMany {
			return fmt.Errorf("%d bytes are more than any download has", n)
		}
	}
	if len(a.Reason) > maxReason {
		return fmt.Errorf("the reason is longer than %d bytes", maxReason)
	}
	return nil
}

// Record stores the account unless one with the same or a later sequence number is there already: a
// repeated or late report changes nothing. Before a download becomes known, or is said to be of another
// object, admit is asked once; its error comes back as it is, and nothing is stored. A device that has
// MaxAccounts already loses its oldest ones to the sums, see Past.
func (l *Ledger) Record(a Account, admit func() error) error {
	key := accountKey(a)
	value, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode account: %w", err)
	}
	known, err := l.knows(a)
	if err != nil {
		return fmt.Errorf("record account: %w", err)
	}
	if !known {
		if err := admit(); err != nil {
			return err
		}
	}
	folded := 0
	err = l.db.Batch(func(tx *bolt.Tx) (err error) {
		folded = 0 // a batch may be tried again
		bucket := tx.Bucket(downloadsBucket)
		old := bucket.Get(key)
		if old == nil {
			if folded, err = crowded(tx, a.Device); err != nil {
				return err
			}
			return bucket.Put(key, value)
		}
		var stored Account
		if err := json.Unmarshal(old, &stored); err != nil {
			return fmt.Errorf("stored account: %w", err)
		}
		if stored.Sequence >= a.Sequence {
			return nil
		}
		return bucket.Put(key, value)
	})
	if err != nil {
		return fmt.Errorf("record account: %w", err)
	}
	l.folded.Add(int64(folded))
	return nil
}

// Folded returns how many accounts have gone into the sums since Open because their device had too many.
func (l *Ledger) Folded() int64 { return l.folded.Load() }

// knows reports whether there is an account of the download for the same object.
func (l *Ledger) knows(a Account) (known bool, err error) {
	err = l.db.View(func(tx *bolt.Tx) error {
		value := tx.Bucket(downloadsBucket).Get(accountKey(a))
		if value == nil {
			return nil
		}
		var stored Account
		if err := json.Unmarshal(value, &stored); err != nil {
			return fmt.Errorf("stored account: %w", err)
		}
		known = stored.Content == a.Content
		return nil
	})
	return known, err
}

func accountKey(a Account) []byte { return slices.Concat(a.Device[:], a.Download[:]) }

// Accounts calls each with every account, ordered by device and download, until it returns an error.
func (l *Ledger) Accounts(each func(Account) error) error {
	return l.db.View(func(tx *bolt.Tx) error {
		bucket := tx.Bucket(downloadsBucket)
		if bucket == nil {
			return nil
		}
		return bucket.ForEach(func(key, value []byte) error {
			a, err := decode(key, value)
			if err != nil {
				return fmt.Errorf("account %x: %w", key, err)
			}
			return each(a)
		})
	})
}

func decode(key, value []byte) (a Account, err error) {
	if err := json.Unmarshal(value, &a); err != nil {
		return Account{}, err
	}
	if len(key) != len(a.Device)+len(a.Download) {
		return Account{}, errors.New("the key has a wrong length")
	}
	copy(a.Device[:], key)
	copy(a.Download[:], key[len(a.Device):])
	return a, nil
}

// Package store is what survives a restart: one bbolt database with the user's wishes, the durable
// pieces of each download and its manifest, settings, the ledger of uploads. It is the only importer of bbolt in the
// engine. Values are opaque to it, save the piece bitmaps, which it can change in place. It must
// never touch a file of the user's, and never lose or delete one: a database that cannot be read is
// moved aside and kept.
//
// Every change is one transaction that is on the disk when the call returns.
package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// openTimeout is how long Open waits for another process that has the database open.
const openTimeout = time.Second

// ErrInUse means that another process has the database open.
var ErrInUse = errors.New("the state database is in use by another process")

// Keys of the run bucket.
var (
	keyClean = []byte("clean") // one byte: 1 while no run is going on and the last one ended by Close
	keyEpoch = []byte("epoch") // u64, big endian: number of the run, from 1
)

// Store is an open database. All methods may be called from several goroutines.
type Store struct {
	path      string
	log       *slog.Logger
	lock      *os.File // held from Open to Close, so that nobody else checks or moves the database
	recovered string
	clean     bool
	epoch     uint64

	ballast ballast // guarded by write

	write  sync.Mutex   // one change at a time, so that a failed one can reopen the database
	guard  sync.RWMutex // guards db and closed: users share it, reopening and Close take it alone
	db     *bolt.DB     // nil when closed, or when it could not be reopened
	closed bool
}

// Open opens the database at path, and makes it (and its folder, 0700) if it is missing. A broken
// database is moved aside and a fresh one made; Recovered then tells where the broken one is. The
// error is ErrInUse if another process holds it, or that of the file system; neither changes anything.
func Open(path string, log *slog.Logger) (_ *Store, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	lock, err := lockFile(path+".lock", openTimeout)
	if err != nil {
		return nil, fmt.Errorf("open state %s: %w", path, err)
	}
	s := &Store{path: path, log: log, lock: lock, ballast: ballast{path: path + ".ballast"}}
	defer func() {
		if err != nil {
			_ = s.release() // err says what matters
		}
	}()
	s.db, err = open(path)
	if errors.Is(err, errBroken) {
		log.Error("state database is broken", "err", err)
		if s.recovered, err = moveAside(path); err != nil {
			return nil, fmt.Errorf("move broken state aside: %w", err)
		}
		s.db, err = open(path)
	}
	if err != nil {
		return nil, fmt.Errorf("open state %s: %w", path, err)
	}
	if err := s.begin(); err != nil {
		return nil, fmt.Errorf("open state %s: %w", path, err)
	}
	s.ballast.restore(time.Now())
	return s, nil
}

// Recovered returns where a broken database was moved to by Open, "" if it was not broken.
func (s *Store) Recovered() string { return s.recovered }

// Clean reports whether the run before this one ended by Close. A first run has none before it and
// reports false.
func (s *Store) Clean() bool { return s.clean }

// Epoch returns the number of this run, from 1.
func (s *Store) Epoch() uint64 { return s.epoch }

// Close records that the run ended well and closes the database. Later calls fail; a second Close
// does nothing.
func (s *Store) Close() error {
	err := s.update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(bucketRun)).Put(keyClean, []byte{1})
	})
	if errors.Is(err, errClosed) {
		return nil
	}
	if err = errors.Join(err, s.release()); err != nil {
		return fmt.Errorf("close state: %w", err)
	}
	return nil
}

// begin makes the buckets, and writes down that a run is going on before it changes anything.
func (s *Store) begin() error {
	return s.update(func(tx *bolt.Tx) error {
		for _, b := range allBuckets {
			if _, err := tx.CreateBucketIfNotExists([]byte(b)); err != nil {
				return err
			}
		}
		run := tx.Bucket([]byte(bucketRun))
		clean, epoch := run.Get(keyClean), run.Get(keyEpoch)
		s.clean = len(clean) == 1 && clean[0] == 1
		s.epoch = 1
		if len(epoch) == 8 {
			s.epoch += binary.BigEndian.Uint64(epoch)
		}
		if err := run.Put(keyClean, []byte{0}); err != nil {
			return err
		}
		return run.Put(keyEpoch, binary.BigEndian.AppendUint64(nil, s.epoch))
	})
}

func (s *Store) release() error {
	s.guard.Lock()
	defer s.guard.Unlock()
	var err error
	if s.db != nil {
		err = s.db.Close()
	}
	s.db, s.closed = nil, true
	return errors.Join(err, s.lock.Close()) // closing gives the lock back
}

var errClosed = errors.New("the state database is closed")

// update runs one synced transaction. On a full disk it gives up the ballast and tries once more.
// change may thus run twice.
func (s *Store) update(change func(*bolt.Tx) error) error {
	s.write.Lock()
	defer s.write.Unlock()
	err := s.try(change)
	if isNoSpace(err) && s.ballast.drop() {
		err = s.try(change)
	}
	if err == nil {
		s.ballast.restore(time.Now())
	}
	return err
}

// try runs one transaction. bbolt keeps what it believed about the file when a write or a sync
// fails, which need not be what the file holds; so the database is read anew after any failure.
func (s *Store) try(change func(*bolt.Tx) error) error {
	if s.use(func(*bolt.DB) error { return nil }) != nil {
		if err := s.reopen(); err != nil {
			return err
		}
	}
	var refused error // by change itself: nothing was written
	err := s.use(func(db *bolt.DB) error {
		return db.Update(func(tx *bolt.Tx) error {
			refused = change(tx)
			return refused
		})
	})
	if err == nil || refused != nil || errors.Is(err, errClosed) {
		return err
	}
	return errors.Join(err, s.reopen())
}

func (s *Store) view(look func(*bolt.Tx) error) error {
	return s.use(func(db *bolt.DB) error { return db.View(look) })
}

// errLost means that the database could not be reopened after a failure. The next change tries again.
var errLost = errors.New("the state database cannot be read")

func (s *Store) use(do func(*bolt.DB) error) error {
	s.guard.RLock()
	defer s.guard.RUnlock()
	switch {
	case s.closed:
		return errClosed
	case s.db == nil:
		return errLost
	}
	return do(s.db)
}

func (s *Store) reopen() (err error) {
	s.guard.Lock()
	defer s.guard.Unlock()
	if s.closed {
		return errClosed
	}
	if s.db != nil {
		_ = s.db.Close() // its error is one more of what is wrong already
	}
	if s.db, err = open(s.path); err != nil {
		s.db = nil
		return fmt.Errorf("reopen state: %w", err)
	}
	return nil
}

// open checks the file by reading it, and only then lets bbolt map it into memory: bbolt trusts what
// it maps, and a truncated file would end the process. What still goes wrong inside bbolt comes back
// as errBroken.
func open(path string) (db *bolt.DB, err error) {
	if err := checkFile(path); err != nil {
		return nil, err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			db, err = nil, fmt.Errorf("%w: %v", errBroken, p)
		}
	}()
	db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: openTimeout})
	if errors.Is(err, bolterrors.ErrTimeout) {
		err = ErrInUse
	}
	return db, err
}

// moveAside renames the database to a free name that tells when, and returns it.
func moveAside(path string) (string, error) {
	base := path + ".broken-" + time.Now().UTC().Format("20060102-150405")
	to := base
	for n := 2; ; n++ {
		if _, err := os.Lstat(to); errors.Is(err, os.ErrNotExist) {
			break
		}
		to = fmt.Sprintf("%s-%d", base, n)
	}
	return to, os.Rename(path, to)
}

package store

import (
	"bytes"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Bucket names one kind of records. The names are on users' disks: only ever added to.
type Bucket string

// Buckets for Put, Get, Delete and Each.
const (
	BucketSettings  Bucket = "settings"  // what the user decided
	BucketLedger    Bucket = "ledger"    // bytes that left this computer, per day and object
	BucketManifests Bucket = "manifests" // raw, by download
)

// Buckets with methods of their own.
const (
	bucketRun       Bucket = "run"
	bucketDownloads Bucket = "downloads"
	bucketDurable   Bucket = "durable" // a bucket for each download, see marks.go
)

var allBuckets = []Bucket{
	BucketSettings, BucketLedger, BucketManifests, bucketRun, bucketDownloads, bucketDurable,
}

// Put stores value under key, over what was there.
func (s *Store) Put(bucket Bucket, key string, value []byte) error {
	return s.inBucket(bucket, "put", key, func(b *bolt.Bucket) error { return b.Put([]byte(key), value) })
}

// Delete removes key; one that is not there is no error.
func (s *Store) Delete(bucket Bucket, key string) error {
	return s.inBucket(bucket, "delete", key, func(b *bolt.Bucket) error { return b.Delete([]byte(key)) })
}

// Get returns a copy of the value of key, nil if there is none.
func (s *Store) Get(bucket Bucket, key string) ([]byte, error) {
	var value []byte
	err := s.view(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			return bolterrors.ErrBucketNotFound
		}
		value = bytes.Clone(b.Get([]byte(key)))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("get %s %q: %w", bucket, key, err)
	}
	return value, nil
}

// Each calls visit with the entries whose key has the prefix, in the order of their keys, as they
// were when Each was called. visit owns the value and may change the store. Each stops at visit's
// first error and returns it.
func (s *Store) Each(bucket Bucket, prefix string, visit func(key string, value []byte) error) error {
	type entry struct {
		key   string
		value []byte
	}
	var entries []entry
	err := s.view(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			return bolterrors.ErrBucketNotFound
		}
		c := b.Cursor()
		for k, v := c.Seek([]byte(prefix)); k != nil && bytes.HasPrefix(k, []byte(prefix)); k, v = c.Next() {
			entries = append(entries, entry{string(k), slices.Clone(v)})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list %s: %w", bucket, err)
	}
	for _, e := range entries {
		if err := visit(e.key, e.value); err != nil {
			return err
		}
	}
	return nil
}

// PutDownload stores what is known of a download, over what was there.
func (s *Store) PutDownload(id string, value []byte) error {
	return s.Put(bucketDownloads, id, value)
}

// DeleteDownload removes a download and its durable pieces in one transaction.
func (s *Store) DeleteDownload(id string) error {
	err := s.update(func(tx *bolt.Tx) error {
		if err := deleteMarks(tx, id); err != nil {
			return err
		}
		return tx.Bucket([]byte(bucketDownloads)).Delete([]byte(id))
	})
	if err != nil {
		return fmt.Errorf("delete download %s: %w", id, err)
	}
	return nil
}

// Downloads returns all downloads by ID. The caller owns the map.
func (s *Store) Downloads() (map[string][]byte, error) {
	all := map[string][]byte{}
	err := s.Each(bucketDownloads, "", func(id string, value []byte) error {
		all[id] = value
		return nil
	})
	return all, err
}

func (s *Store) inBucket(bucket Bucket, doing, key string, change func(*bolt.Bucket) error) error {
	err := s.update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			return bolterrors.ErrBucketNotFound
		}
		return change(b)
	})
	if err != nil {
		return fmt.Errorf("%s %s %q: %w", doing, bucket, key, err)
	}
	return nil
}

package engine

import (
	"errors"
	"log/slog"
	"sync"

	"github.com/tributary-dl/tributary/engine/internal/store"
)

// journal writes records in a goroutine of its own, so that no actor waits for a disk. Of several
// versions of a record that wait, only the newest is written; all who saved one are answered by it.
type journal struct {
	store *store.Store
	log   *slog.Logger
	done  chan struct{}
	wake  chan struct{}

	mu      sync.Mutex
	waiting map[string]*entry
	order   []string
	closed  bool
}

type entry struct {
	record   []byte // nil: forget the download
	manifest []byte // nil: as it is
	replies  []chan<- error
}

var errClosed = errors.New("the service is stopping")

func newJournal(s *store.Store, log *slog.Logger) *journal {
	j := &journal{store: s, log: log, done: make(chan struct{}), wake: make(chan struct{}, 1), waiting: map[string]*entry{}}
	go j.run()
	return j
}

// Save stores a record; the channel brings one value when it, or a newer one, is durable.
func (j *journal) Save(id string, record []byte) <-chan error {
	return j.add(id, func(e *entry) { e.record = record })
}

// SaveManifest stores the manifest that belongs to a download's record.
func (j *journal) SaveManifest(id string, raw, record []byte) <-chan error {
	return j.add(id, func(e *entry) { e.record, e.manifest = record, raw })
}

// Forget removes what is stored of a download.
func (j *journal) Forget(id string) <-chan error {
	return j.add(id, func(e *entry) { e.record, e.manifest = nil, nil })
}

func (j *journal) add(id string, change func(*entry)) <-chan error {
	reply := make(chan error, 1)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		reply <- errClosed
		return reply
	}
	e := j.waiting[id]
	if e == nil {
		e = &entry{}
		j.waiting[id] = e
		j.order = append(j.order, id)
	}
	change(e)
	e.replies = append(e.replies, reply)
	select {
	case j.wake <- struct{}{}:
	default:
	}
	return reply
}

func (j *journal) run() {
	defer close(j.done)
	for {
		id, e, closed := j.next()
		if e == nil {
			if closed {
				return
			}
			<-j.wake
			continue
		}
		err := j.write(id, e)
		if err != nil { // also told to those who saved, but most of them do not wait for the answer
			j.log.Error("a download's record could not be written", "download", id, "err", err)
		}
		for _, r := range e.replies {
			r <- err
		}
	}
}

func (j *journal) next() (string, *entry, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.order) == 0 {
		return "", nil, j.closed
	}
	id := j.order[0]
	j.order = j.order[1:]
	e := j.waiting[id]
	delete(j.waiting, id)
	return id, e, false
}

func (j *journal) write(id string, e *entry) error {
	if e.record == nil {
		if err := j.store.Delete(store.BucketManifests, id); err != nil {
			return err
		}
		return j.store.DeleteDownload(id)
	}
	if e.manifest != nil {
		if err := j.store.Put(store.BucketManifests, id, e.manifest); err != nil {
			return err
		}
	}
	return j.store.PutDownload(id, e.record)
}

// close writes what waits and ends the goroutine.
func (j *journal) close() {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	select {
	case j.wake <- struct{}{}:
	default:
	}
	<-j.done
}

package edge

import (
	"slices"
	"sync"
	"time"
)

const (
	chunkSize = 256 << 10              // what a sink gets at most at once; fits a core's cache
	chunkAge  = 500 * time.Millisecond // on a slow line a sink gets what is there
)

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// intake is where bytes go: memory for the next ones, and word of how many came. It is used by one
// goroutine, for all attempts at one range.
type intake interface {
	space() []byte // never empty while bytes are wanted
	took(n int, from string, now time.Time) error
}

// bufferIntake fills the caller's buffers in place.
type bufferIntake struct {
	bufs   [][]byte
	filled func(i int, from []string) error
	taken  int64

	i, at int      // the next byte is bufs[i][at]
	from  []string // mirrors of bufs[i] so far
}

func (b *bufferIntake) room() (n int64) {
	for _, buf := range b.bufs {
		n += int64(len(buf))
	}
	return n
}

func (b *bufferIntake) space() []byte {
	for len(b.bufs[b.i]) == 0 {
		b.i++
	}
	return b.bufs[b.i][b.at:]
}

func (b *bufferIntake) took(n int, from string, _ time.Time) error {
	if !slices.Contains(b.from, from) {
		b.from = append(b.from, from)
	}
	b.taken += int64(n)
	if b.at += n; b.at < len(b.bufs[b.i]) {
		return nil
	}
	i, sources := b.i, b.from
	b.i, b.at, b.from = b.i+1, 0, b.from[:0]
	if b.filled == nil {
		return nil
	}
	return b.filled(i, sources)
}

// sinkIntake collects bytes in a chunk and hands it to a sink when it is full or old.
type sinkIntake struct {
	chunk []byte
	sink  func([]byte) error
	taken int64

	at    int
	since time.Time // the last hand-over
}

func (s *sinkIntake) space() []byte { return s.chunk[s.at:] }

func (s *sinkIntake) took(n int, _ string, now time.Time) error {
	s.at += n
	if s.at < len(s.chunk) && now.Sub(s.since) < chunkAge {
		return nil
	}
	s.since = now
	return s.flush()
}

func (s *sinkIntake) flush() error {
	p := s.chunk[:s.at]
	s.at = 0 // also if the sink fails, so that it never gets bytes twice
	if len(p) == 0 {
		return nil
	}
	if err := s.sink(p); err != nil {
		return err
	}
	s.taken += int64(len(p))
	return nil
}

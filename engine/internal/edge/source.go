package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const defaultConnections = 8

// Limiter lets bytes pass. budget.Limiter and budget.Chain are such.
type Limiter interface {
	WaitN(ctx context.Context, n int) error
}

// SourceOptions is fixed for the life of a Source. Its zero value works.
type SourceOptions struct {
	Limiter     Limiter // asked before bytes are read; nil: none
	Connections int     // requests at a time to each mirror; 0: 8

	// Window is how many bytes a server may have under way on one connection, up to MostWindow; 0: as many as the system
	// likes, which may be megabytes; NoWindowYet: likewise, but on a connection that can be bounded later. It is asked at each request and while its bytes come. nil: 0. What is under way is what waits in
	// front of the user's line, and what still comes when the caller would rather have it from somebody else.
	Window func() int

	// Hashed says that the caller checks every piece against a manifest. Then validators are neither sent nor
	// compared: edges and caches disagree about them though the bytes are the same.
	Hashed bool
	// Validators are what Source.Validators returned in an earlier run that this one continues. For the URL that
	// was resolved, the Resource's holds: ask Resource.Changed before going on with it.
	Validators map[string]Validator
}

// Source reads one file from one or several mirrors. Its methods are safe for concurrent use; how many
// requests run at once is how many calls the caller makes, up to Connections for each mirror, and the rest wait.
//
// If a mirror fails, the call goes on at the next healthy one from the byte it has reached. When it has
// asked each mirror once, or all are resting, it returns the error of the one that will be back first, with
// the time until then in RetryAfter.
type Source struct {
	client  *Client
	session *session
	size    int64 // -1: unknown
	opt     SourceOptions

	mu      sync.Mutex
	mirrors []*mirror
	freed   chan struct{} // closed and replaced when a request ends
}

// Source returns a Source of res. urls are the mirrors, best first; none: the request's URL, its mirrors, and
// those the server named.
func (c *Client) Source(res *Resource, urls []string, opt SourceOptions) (*Source, error) {
	s := &Source{client: c, session: res.session, size: res.Size, opt: opt, freed: make(chan struct{})}
	if s.session == nil {
		var err error
		if s.session, err = c.newSession(res.Request); err != nil {
			return nil, err
		}
	}
	if opt.Connections <= 0 {
		s.opt.Connections = defaultConnections
	}
	if len(urls) == 0 {
		urls = append(append([]string{res.Request.URL}, res.Request.Mirrors...), res.Mirrors...)
	}
	known := map[string]bool{}
	for _, raw := range urls {
		from, bad := parseURL(raw)
		if bad != nil {
			return nil, bad
		}
		if known[from.String()] {
			continue
		}
		known[from.String()] = true
		s.mirrors = append(s.mirrors, s.newMirror(res, raw, from))
	}
	return s, nil
}

func (s *Source) newMirror(res *Resource, raw string, from location) *mirror {
	m := &mirror{url: raw, from: from, current: from, limit: s.opt.Connections, validator: s.opt.Validators[raw]}
	if raw != res.Request.URL && raw != res.URL {
		return m
	}
	if final, err := parseURL(res.URL); err == nil {
		final.user = from.user
		m.current = final
	}
	if !res.Validator.isZero() {
		m.validator = res.Validator
	}
	return m
}

// Validators returns what each mirror said of its bytes, by URL, for SourceOptions of a later run.
func (s *Source) Validators() map[string]Validator {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]Validator{}
	for _, m := range s.mirrors {
		if !m.validator.isZero() {
			all[m.url] = m.validator
		}
	}
	return all
}

// Fetch gives the length bytes from off to sink, in order, in chunks of up to 256 KiB that are valid until
// sink returns. It returns how many bytes sink took; with an error these are a prefix.
func (s *Source) Fetch(ctx context.Context, off, length int64, sink func(p []byte) error) (int64, error) {
	if err := s.checkRange(off, length); err != nil {
		return 0, err
	}
	return s.sink(ctx, question{off: off, length: length, ranged: true}, sink)
}

// Stream gives everything from byte from on to sink, as Fetch does, for servers without ranges and files of
// unknown size. With from > 0 it needs ranges after all. A nil error means that the file ended there. A
// mirror that fails after its first byte is not replaced by another unless ranges are in use.
func (s *Source) Stream(ctx context.Context, from int64, sink func(p []byte) error) (int64, error) {
	q := question{off: from, length: -1, ranged: from > 0}
	if s.size >= 0 {
		q.length = s.size - from
	}
	if from < 0 || q.length < 0 && s.size >= 0 {
		return 0, fmt.Errorf("stream from byte %d of a file of %d: out of range", from, s.size)
	}
	if from > 0 && q.length == 0 {
		return 0, nil
	}
	return s.sink(ctx, q, sink)
}

func (s *Source) sink(ctx context.Context, q question, sink func(p []byte) error) (int64, error) {
	chunk := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(chunk)
	dst := &sinkIntake{chunk: chunk[:], sink: sink, since: time.Now()}
	err := s.run(ctx, q, dst)
	if flushed := dst.flush(); err == nil {
		err = flushed
	}
	return dst.taken, err
}

// FetchInto reads from off into bufs, one after the other, and calls filled when bufs[i] is full, on this
// goroutine, while the kernel goes on receiving. from names the mirrors that bufs[i] came from, for Distrust;
// it is seldom more than one, and valid until filled returns. A buffer may stand in bufs more than once if filled is
// done with it when it returns. FetchInto returns how many bytes were put into bufs; with an error they are a
// prefix, and the last buffer may be full in part. filled may be nil.
func (s *Source) FetchInto(ctx context.Context, off int64, bufs [][]byte, filled func(i int, from []string) error) (int64, error) {
	dst := &bufferIntake{bufs: bufs, filled: filled}
	length := dst.room()
	if err := s.checkRange(off, length); err != nil {
		return 0, err
	}
	err := s.run(ctx, question{off: off, length: length, ranged: true}, dst)
	return dst.taken, err
}

func (s *Source) checkRange(off, length int64) error {
	if off < 0 || length <= 0 || s.size >= 0 && length > s.size-off {
		return fmt.Errorf("fetch %d bytes at %d of a file of %d: out of range", length, off, s.size)
	}
	return nil
}

// Distrust tells that bytes from these mirrors, as FetchInto named them, did not match their hash. They rest,
// longer each time.
func (s *Source) Distrust(urls []string) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.mirrors {
		if slices.Contains(urls, m.url) {
			m.distrusted(now, rand.Float64())
		}
	}
}

// HostStats is what one mirror does and did.
type HostStats struct {
	URL      string        // as it was given
	Name     string        // host, for people
	Bytes    int64         // received
	Rate     int64         // bytes a second over the last seconds
	InFlight int           // requests
	Errors   int           // in all
	State    string        // plain words
	RetryAt  time.Time     // it rests until then; zero: it does not
	RTT      time.Duration // shortest round trip that a connection took to come up; 0: none was made for this source
	Err      *Error        // the last one, nil after a success
}

// Stats returns what each mirror does, in the caller's order.
func (s *Source) Stats() []HostStats {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]HostStats, 0, len(s.mirrors))
	for _, m := range s.mirrors {
		h := HostStats{URL: m.url, Name: m.from.Host, Bytes: m.bytes, Rate: m.rate.rate(now), InFlight: m.inFlight,
			Errors: m.errors, State: m.state(now), Err: m.err}
		h.RTT = m.rtt
		if m.resting(now) {
			h.RetryAt = m.restUntil
		}
		all = append(all, h)
	}
	return all
}

// run answers a question with one mirror after the other.
func (s *Source) run(ctx context.Context, q question, dst intake) error {
	tried := map[*mirror]bool{}
	var last *Error
	for {
		m, err := s.acquire(ctx, tried, last)
		if err != nil {
			return err
		}
		start, before := time.Now(), q.off
		err = s.askMirror(ctx, m, &q, dst)
		fault, isFault := errors.AsType[*Error](err)
		s.release(m, fault, q.off-before, time.Since(start))
		if !isFault || !q.ranged && q.off > before {
			return err
		}
		s.client.log.DebugContext(ctx, "mirror failed", logged(m.from), slog.Any("err", err))
		tried[m], last = true, fault
	}
}

// askMirror asks where the last redirect led; where that has expired, it starts over.
func (s *Source) askMirror(ctx context.Context, m *mirror, q *question, dst intake) error {
	s.mu.Lock()
	to := m.current
	s.mu.Unlock()
	err := s.ask(ctx, m, to, q, dst)
	if KindOf(err) == Refused && to.String() != m.from.String() {
		return s.ask(ctx, m, m.from, q, dst)
	}
	return err
}

// acquire reserves a request at the best mirror that is not in tried. If there is none, it waits for one
// that is occupied; else it returns an Error, for which last is the caller's own experience.
func (s *Source) acquire(ctx context.Context, tried map[*mirror]bool, last *Error) (*mirror, error) {
	for {
		now := time.Now()
		s.mu.Lock()
		m, occupied := choose(s.mirrors, tried, now)
		if m != nil {
			m.inFlight++
			s.mu.Unlock()
			return m, nil
		}
		if !occupied {
			err := s.unavailable(last, now)
			s.mu.Unlock()
			return nil, err
		}
		freed := s.freed
		s.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// unavailable returns the error of the mirror that will be back first. If that is one that this call has
// tried, and which works for others, it is last, for another try at once. The caller holds mu.
func (s *Source) unavailable(last *Error, now time.Time) *Error {
	var first *mirror
	for _, m := range s.mirrors {
		if !m.resting(now) {
			return last.retryAfter(0)
		}
		if first == nil || m.restUntil.Before(first.restUntil) {
			first = m
		}
	}
	return first.err.retryAfter(first.restUntil.Sub(now))
}

// release ends a request that acquire reserved; fault is nil if the mirror is not to blame.
func (s *Source) release(m *mirror, fault *Error, n int64, took time.Duration) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	m.inFlight--
	if fault == nil {
		m.succeeded(n, took, now)
	} else {
		m.failed(fault, n, took, now, rand.Float64())
	}
	close(s.freed)
	s.freed = make(chan struct{})
}

// learned keeps where an answer came from, and its validator if it is the first.
func (s *Source) learned(m *mirror, from location, v Validator) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.current = from
	if m.validator.isZero() {
		m.validator = v
	}
}

// received counts bytes the moment they come.
func (s *Source) received(m *mirror, n int, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.bytes += int64(n)
	m.rate.add(n, now)
}

package edge

import (
	"math"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

const (
	// longRest is how long a mirror is left alone after an answer that time alone seldom mends: a refusal,
	// another file, a bad certificate. Such mirrors are asked again at all because servers get repaired, and
	// the download may be living on peers meanwhile.
	longRest = 5 * time.Minute
	// A request must have brought this much to say something about a mirror's speed.
	telling = 64 << 10
)

// mirror is one URL of the bytes, and what is known about it. All fields but the first two are guarded
// by Source.mu.
type mirror struct {
	url  string   // as the caller named it
	from location // where requests for it begin

	current   location // where redirects led the last time
	validator Validator
	inFlight  int
	limit     int       // requests at a time; falls when the server says it is busy
	failures  int       // in a row
	failedAt  time.Time // when failures last rose
	strikes   int       // wrong bytes, in all
	restUntil time.Time
	err       *Error // the last one; nil after a success

	rtt    time.Duration // shortest that a connection took to come up; 0: none
	bytes  int64
	errors int
	rate   meter
	speed  float64 // bytes a second of one request, averaged; 0: not known
}

// succeeded ends a request that brought n bytes without a fault. A rest that another request earned stays.
func (m *mirror) succeeded(n int64, took time.Duration, now time.Time) {
	m.measure(n, took)
	if !m.resting(now) {
		m.failures, m.err = 0, nil
	}
}

// failed ends a request with a fault of the mirror.
func (m *mirror) failed(e *Error, n int64, took time.Duration, now time.Time, random float64) {
	m.measure(n, took)
	m.errors++
	m.err = e
	if m.failures > 0 && now.Add(-took).Before(m.failedAt) {
		return // it was under way already when another failed: one trouble, not two
	}
	m.failures++
	m.failedAt = now
	rest := longRest
	switch {
	case e.RetryAfter > 0:
		rest = e.RetryAfter
	case e.Kind == Temporary && n >= telling: // one connection broke; the mirror works
		m.failures, rest = 0, 0
	case e.Kind == Temporary:
		rest = Backoff(m.failures, random)
	}
	if e.Code == api.CodeEdgeBusy && m.inFlight > 0 {
		m.limit = m.inFlight // so many it serves
	}
	m.restUntil = later(m.restUntil, now.Add(rest))
}

// distrusted makes it rest for bytes that were wrong, longer each time. Success does not make up for that:
// the next bytes have yet to be checked.
func (m *mirror) distrusted(now time.Time, random float64) {
	m.errors++
	m.strikes++
	m.err = Fault(Temporary, api.CodeEdgeRefused, api.Say(api.SayWrongBytes, "host", m.from.Hostname()), "")
	m.restUntil = later(m.restUntil, now.Add(Backoff(2*m.strikes, random)))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (m *mirror) measure(n int64, took time.Duration) {
	if n < telling || took <= 0 {
		return
	}
	speed := float64(n) / took.Seconds()
	if m.speed == 0 {
		m.speed = speed
	}
	m.speed += (speed - m.speed) / 4
}

func (m *mirror) resting(now time.Time) bool { return now.Before(m.restUntil) }

// state says in plain words what the mirror does.
func (m *mirror) state(now time.Time) string {
	switch {
	case m.inFlight > 0:
		return "sending"
	case m.resting(now):
		return "backing off until " + m.restUntil.Local().Format("15:04:05")
	}
	return "idle"
}

// choose picks the mirror for the next request: the one that is expected to give it the most, if each
// shares its speed among its requests. A mirror that was never measured counts as the best, so that it is
// tried; of equals the first wins, which is the caller's order. It returns nil if none can be asked now, and
// then whether one that works is only occupied.
func choose(mirrors []*mirror, tried map[*mirror]bool, now time.Time) (best *mirror, occupied bool) {
	known := 1.0
	for _, m := range mirrors {
		known = max(known, m.speed)
	}
	most := math.Inf(-1)
	for _, m := range mirrors {
		if tried[m] || m.resting(now) {
			continue
		}
		if m.inFlight >= m.limit {
			occupied = true
			continue
		}
		speed := m.speed
		if speed == 0 {
			speed = known
		}
		if share := speed / float64(m.inFlight+1); share > most {
			best, most = m, share
		}
	}
	return best, occupied
}

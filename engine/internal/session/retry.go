package session

import "time"

const (
	firstRetry = time.Second
	maxRetry   = time.Minute
	// lasting is how long a session must have lived for its loss to be an accident and not a failure.
	lasting = time.Minute
)

// retry decides how long to wait before the next connection. It is pure: chance comes from outside.
type retry struct {
	failures int // in a row
}

// next returns the wait after a connection ended: a random part of the node's reconnect window if there
// was a session, so that all the clients of a dead node do not storm the next one together; and after
// failures a full-jitter exponential back-off on top. window is zero if the login did not get through;
// chance returns a number in [0, 1).
func (r *retry) next(lived, window time.Duration, chance func() float64) time.Duration {
	if lived >= lasting {
		r.failures = 0
	} else {
		r.failures++
	}
	wait := part(window, chance)
	if r.failures > 0 {
		wait += part(min(maxRetry, firstRetry<<min(r.failures-1, 10)), chance)
	}
	return wait
}

func part(d time.Duration, chance func() float64) time.Duration {
	return time.Duration(chance() * float64(d))
}

// jittered is d ±10%.
func jittered(d time.Duration, chance func() float64) time.Duration {
	return d - d/10 + part(d/5, chance)
}

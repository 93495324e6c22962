package edge

import "time"

const (
	backoffLeast = 500 * time.Millisecond
	backoffMost  = 60 * time.Second
)

// Backoff says how long a mirror rests after so many failures in a row (1 or more): between half a second
// and a ceiling that doubles from one second to one minute. The whole span is random ("full jitter"), so
// that clients that failed together do not come back together. random is in [0, 1).
func Backoff(failures int, random float64) time.Duration {
	ceiling := backoffMost
	if doublings := max(failures-1, 0); doublings < 6 {
		ceiling = min(ceiling, time.Second<<doublings)
	}
	return backoffLeast + time.Duration(random*float64(ceiling-backoffLeast))
}

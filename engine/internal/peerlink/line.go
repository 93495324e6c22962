package peerlink

import "time"

// line is what has been seen of our own line to the Internet: how much leaves over it, and about how much it carries.
type line struct {
	leaving float64 // bytes a second, smoothed
	carries float64 // bytes a second; 0: nothing has shown it
}

const (
	lineMemory  = 0.7 // of leaving, from interval to interval
	carriesFall = 0.8 // from cut to cut, at most: several may be for one queue
	used        = 0.6 // of the rate: if less has left, something else was the limit
	trusted     = 1.05
	nearlyFull  = 0.95
)

// passed takes over what has left in an interval, in bytes a second. Where it met no queue, the line carries at least that.
func (l *line) passed(sent float64, noQueue bool) {
	l.leaving = lineMemory*l.leaving + (1-lineMemory)*sent
	if noQueue && l.carries > 0 {
		l.carries = max(l.carries, l.leaving)
	}
}

// filled learns from a queue of ours, after an interval in which it has grown: the line carried what left, but for that growth.
func (l *line) filled(rate float64, grown time.Duration, elapsed float64) {
	carried := min(rate, l.leaving) / (1 + max(0, grown.Seconds()/elapsed))
	l.carries = max(carried, carriesFall*l.carries)
}

// using tells whether the rate is made use of. One that is not says nothing about the line.
func (l *line) using(rate float64) bool { return l.leaving >= used*rate }

// trusts tells that the line has been seen to carry the rate: a queue that comes with it is more likely to be somebody else's.
func (l *line) trusts(rate float64) bool { return rate <= trusted*l.carries }

// fits tells that the rate is well below what the line carries.
func (l *line) fits(rate float64) bool { return rate < nearlyFull*l.carries }

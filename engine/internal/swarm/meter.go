package swarm

import (
	"math"
	"time"
)

// meter measures a rate as a moving average that forgets with a time constant of a second. It needs no
// ticks. The zero value is ready.
type meter struct {
	weight      float64 // bytes, those of a second ago counted as 1/e
	first, last time.Time
}

const (
	meterMemory = time.Second
	meterWarmUp = 100 * time.Millisecond // younger measurements are taken for this old
)

func (m *meter) add(n int, now time.Time) {
	if m.first.IsZero() {
		m.first = now
	}
	m.weight = m.decayed(now) + float64(n)
	m.last = now
}

// rate returns bytes a second.
func (m *meter) rate(now time.Time) float64 {
	if m.first.IsZero() {
		return 0
	}
	age := max(now.Sub(m.first), meterWarmUp)
	// A meter that has run for a short time has not filled up to rate × memory yet.
	filled := meterMemory.Seconds() * (1 - math.Exp(-age.Seconds()/meterMemory.Seconds()))
	return m.decayed(now) / filled
}

func (m *meter) decayed(now time.Time) float64 {
	return m.weight * math.Exp(-now.Sub(m.last).Seconds()/meterMemory.Seconds())
}

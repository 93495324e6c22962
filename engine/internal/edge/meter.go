package edge

import (
	"math"
	"time"
)

// meterTime is the time over which a rate is averaged; older bytes count exponentially less.
const meterTime = 3 * time.Second

// meter measures a rate in bytes a second. Its owner guards it.
type meter struct {
	weight float64 // bytes, those of a meterTime ago counted at 1/e
	at     time.Time
}

func (m *meter) add(n int, now time.Time) {
	m.weight = m.decayed(now) + float64(n)
	m.at = now
}

func (m *meter) rate(now time.Time) int64 {
	return int64(m.decayed(now) / meterTime.Seconds())
}

func (m *meter) decayed(now time.Time) float64 {
	if m.weight == 0 {
		return 0
	}
	return m.weight * math.Exp(-now.Sub(m.at).Seconds()/meterTime.Seconds())
}

package arena

import (
	"context"
	"errors"
	"time"

	"github.com/tributary-dl/tributary/app/lab"
)

// Sample is what went over the lines in one interval, in Mbit/s.
type Sample struct {
	At    float64 `json:"t"` // seconds from the beginning to the interval's end
	Edge  float64 `json:"edge"`
	Peers float64 `json:"peers"` // what all members sent; acknowledgements are in it, a per cent or two
}

// sampleEvery is short enough to see an edge come back within a second, and long enough for lines of 1 Mbit/s.
const sampleEvery = 100 * time.Millisecond

// meter reads the interfaces of a laboratory while a run goes on.
type meter struct {
	edge    *lab.Host
	members []*lab.Host
	began   time.Time
	series  []Sample
}

// watch samples until ctx ends.
func (m *meter) watch(ctx context.Context) error {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	before, err := m.read()
	at := m.began
	for err == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		var now reading
		if now, err = m.read(); err != nil {
			break
		}
		took := time.Since(at).Seconds()
		at = time.Now()
		const bits = 8 / 1e6
		m.series = append(m.series, Sample{
			At:    at.Sub(m.began).Seconds(),
			Edge:  float64(now.edge-before.edge) * bits / took,
			Peers: float64(now.members-before.members) * bits / took,
		})
		before = now
	}
	return err
}

// reading is how much was sent since the laboratory stands.
type reading struct{ edge, members int64 }

func (m *meter) read() (r reading, err error) {
	c, err := m.edge.Counters()
	r.edge = c.Out
	for _, h := range m.members {
		c, memberErr := h.Counters()
		r.members += c.Out
		err = errors.Join(err, memberErr)
	}
	return r, err
}

// backAfter returns how many seconds after a moment the edge sent at 90% of a rate again, judged over three samples
// (300 ms) from their beginning; NaN is never returned: a series that does not show it gives the rest of its length.
func backAfter(series []Sample, moment, rate float64) float64 {
	const window = 3
	for i := 0; i+window <= len(series); i++ {
		begins := series[i].At - sampleEvery.Seconds()
		if begins < moment-sampleEvery.Seconds()/2 {
			continue
		}
		sum := 0.0
		for _, s := range series[i : i+window] {
			sum += s.Edge
		}
		if sum/window >= 0.9*rate {
			return max(0, begins-moment)
		}
	}
	if len(series) == 0 {
		return 0
	}
	return series[len(series)-1].At - moment
}

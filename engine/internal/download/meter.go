package download

import "time"

// meter keeps byte counts of the last seconds to tell rates by.
type meter struct {
	marks [32]mark
	n     int
}

type mark struct {
	at                time.Time
	edge, peers, sent int64
}

const (
	meterWindow = 2 * time.Second        // what people are shown
	meterQuick  = 500 * time.Millisecond // what tells that a source has less to do
)

func (m *meter) add(at time.Time, edge, peers, sent int64) {
	m.marks[m.n%len(m.marks)] = mark{at, edge, peers, sent}
	m.n++
}

// rates returns bytes a second over about the last window.
func (m *meter) rates(window time.Duration) (edge, peers, sent float64) {
	if m.n < 2 {
		return 0, 0, 0
	}
	last := m.marks[(m.n-1)%len(m.marks)]
	first := last
	for i := m.n - 2; i >= 0 && i > m.n-1-len(m.marks); i-- {
		first = m.marks[i%len(m.marks)]
		if last.at.Sub(first.at) >= window {
			break
		}
	}
	d := last.at.Sub(first.at).Seconds()
	if d <= 0 {
		return 0, 0, 0
	}
	return float64(last.edge-first.edge) / d, float64(last.peers-first.peers) / d, float64(last.sent-first.sent) / d
}

package peerlink

import "time"

// pacer is a token bucket that the controller fills. It is not safe for concurrent use.
type pacer struct {
	control *controller
	sample  func() sample
	tokens  float64 // bytes
	filled  time.Time
}

const (
	// A pause, of the user of the link or because a busy machine woke the writer late, is made good by a
	// burst that fills the queue up to its target, but at least of minBurstTime.
	minBurstTime = 20 * time.Millisecond
	minBurst     = 4 << 10 // bytes
	// takeTime is how much is granted at least, so that the writer does not wake for every packet.
	takeTime = 5 * time.Millisecond
	minTake  = 4 << 10 // bytes

	maxPause = 50 * time.Millisecond
)

func newPacer(now time.Time, s func() sample) *pacer {
	return &pacer{control: newController(now, s()), sample: s, tokens: minBurst, filled: now}
}

// take grants up to want bytes, or none and how long to wait before asking again.
func (p *pacer) take(now time.Time, want int) (n int, wait time.Duration) {
	p.control.observe(now, p.sample())
	rate := p.control.allowed(now)
	burstTime := max(minBurstTime, targetQueue-p.control.queue)
	p.tokens = min(p.tokens+rate*now.Sub(p.filled).Seconds(), max(minBurst, rate*burstTime.Seconds()))
	p.filled = now
	if least := min(float64(want), max(minTake, rate*takeTime.Seconds())); p.tokens < least {
		return 0, min(maxPause, time.Duration((least-p.tokens)/rate*float64(time.Second))+time.Millisecond)
	}
	n = min(want, int(p.tokens))
	p.tokens -= float64(n)
	return n, 0
}

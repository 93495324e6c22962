package peerlink

import (
	"testing"
	"time"
)

// bottleneck is a link with a drop-tail queue, advanced a millisecond at a time. Our packets go through
// it beside a rival's.
type bottleneck struct {
	capacity float64       // bytes a second
	delay    time.Duration // round trip without a queue
	buffer   time.Duration // the longest queue, at capacity
	noise    time.Duration // each second measurement is that much too long

	now    time.Time
	queue  float64 // bytes waiting
	ours   float64 // of these
	pacer  *pacer
	state  sample
	recent []time.Duration // queues of the last round trip: what is measured is that old
	got    float64         // bytes of ours delivered
	lost   float64
}

const step = time.Millisecond

func newBottleneck(mbit float64, delay, buffer time.Duration) *bottleneck {
	b := &bottleneck{capacity: mbit * 1e6 / 8, delay: delay, buffer: buffer, now: time.Unix(1_000_000_003, 0)}
	b.state.rtt = delay // the handshake has measured it
	b.pacer = newPacer(b.now, func() sample { return b.state })
	return b
}

// run sends as fast as the pacer allows while a rival sends rival(now) bytes a second, and returns what
// was delivered of ours, as a share of the capacity, and the mean queue.
func (b *bottleneck) run(d time.Duration, rival func(*bottleneck) float64) (share float64, meanQueue time.Duration) {
	b.got = 0
	var sum time.Duration
	steps := int(d / step)
	for range steps {
		b.now = b.now.Add(step)
		ours := 0.0
		for {
			n, _ := b.pacer.take(b.now, 64<<10)
			if n == 0 || ours > 4*b.capacity*step.Seconds()+1e6 { // no faster than a stream's window lets it
				break
			}
			ours += float64(n)
		}
		b.state.sentBytes += uint64(ours)
		b.state.sentPackets = b.state.sentBytes / 1400
		b.queue, b.ours = b.queue+ours+rival(b)*step.Seconds(), b.ours+ours
		if most := b.capacity * b.buffer.Seconds(); b.queue > most {
			b.lost += b.ours * (1 - most/b.queue)
			b.ours *= most / b.queue
			b.queue = most
		}
		b.state.lostPackets = uint64(b.lost / 1400)
		if out := min(b.queue, b.capacity*step.Seconds()); out > 0 {
			gone := b.ours * out / b.queue
			b.queue, b.ours, b.got = b.queue-out, b.ours-gone, b.got+gone
		}
		waiting := time.Duration(b.queue / b.capacity * float64(time.Second))
		sum += waiting
		b.recent = append(b.recent, waiting)
		if back := int(b.delay/step) + 1; len(b.recent) > back {
			b.recent = b.recent[len(b.recent)-back:]
		}
		b.state.rtt = b.delay + b.recent[0]
		if b.now.UnixMilli()%2 == 0 {
			b.state.rtt += b.noise
		}
	}
	return b.got / (b.capacity * d.Seconds()), sum / time.Duration(steps)
}

func nobody(*bottleneck) float64 { return 0 }

// loadedUser is a user's upload that fills whatever queue there is, as TCP does.
func loadedUser(b *bottleneck) float64 {
	if b.queue < 0.9*b.capacity*b.buffer.Seconds() {
		return 2 * b.capacity
	}
	return b.capacity
}

func TestIdleLinkIsUsed(t *testing.T) {
	for _, mbit := range []float64{2, 20, 200, 2000} {
		for _, delay := range []time.Duration{time.Millisecond, 40 * time.Millisecond, 250 * time.Millisecond} {
			for _, noise := range []time.Duration{0, 8 * time.Millisecond} {
				link := newBottleneck(mbit, delay, 500*time.Millisecond)
				link.noise = noise
				link.run(5*time.Second, nobody)
				share, queue := link.run(15*time.Second, nobody)
				if share < 0.8 {
					t.Errorf("%v Mbit/s, %s away, noise %s: uses %.0f%% of an idle link; want 80%%", mbit, delay, noise, 100*share)
				}
				if queue > targetQueue+10*time.Millisecond {
					t.Errorf("%v Mbit/s, %s away, noise %s: queue of %s; target %s", mbit, delay, noise, queue, targetQueue)
				}
			}
		}
	}
}

// A fast path without shaping must not be held back while the rate is being found.
func TestRampUp(t *testing.T) {
	link := newBottleneck(4000, 500*time.Microsecond, 30*time.Millisecond)
	link.noise = 2 * time.Millisecond
	share, _ := link.run(time.Second, nobody)
	if rate := share * link.capacity; rate < 100e6 {
		t.Errorf("%.0f MB/s in the first second of a 500 MB/s path; want 100", rate/1e6)
	}
}

func TestUserGoesFirst(t *testing.T) {
	for _, tc := range []struct {
		buffer time.Duration
		most   float64 // of the link beside the user's upload
	}{
		{250 * time.Millisecond, 0.1},
		{60 * time.Millisecond, 0.1},
		{30 * time.Millisecond, 0.2}, // shorter than the target: only loss tells
	} {
		link := newBottleneck(20, 40*time.Millisecond, tc.buffer)
		link.run(20*time.Second, nobody)
		link.run(3*time.Second, loadedUser)
		share, _ := link.run(20*time.Second, loadedUser)
		if share > tc.most {
			t.Errorf("buffer of %s: keeps %.0f%% of the link beside the user's upload; want at most %.0f%%", tc.buffer, 100*share, 100*tc.most)
		}
		link.run(3*time.Second, nobody)
		if share, _ := link.run(10*time.Second, nobody); share < 0.8 {
			t.Errorf("buffer of %s: uses %.0f%% after the user's upload has ended; want 80%%", tc.buffer, 100*share)
		}
	}
}

// Without drains the queue that we cause ourselves would be taken for the path's own delay after a minute.
func TestQueueDoesNotCreepUp(t *testing.T) {
	link := newBottleneck(20, 20*time.Millisecond, 2*time.Second)
	share, queue := link.run(5*time.Minute, nobody)
	_, last := link.run(time.Minute, nobody)
	if last > targetQueue+10*time.Millisecond || share < 0.8 {
		t.Errorf("queue of %s in the sixth minute (mean of the first five %s), %.0f%% used", last, queue, 100*share)
	}
}

func TestPacerKeepsToTheRate(t *testing.T) {
	now := time.Unix(1_000_000_003, 0)
	p := newPacer(now, func() sample { return sample{} }) // nothing measured: the rate stays at startRate
	sent := 0
	for end := now.Add(time.Second); now.Before(end); {
		n, wait := p.take(now, 1<<20)
		sent += n
		if n == 0 {
			if wait <= 0 || wait > maxPause {
				t.Fatalf("wait of %s", wait)
			}
			now = now.Add(wait)
		}
	}
	if ratio := float64(sent) / startRate; ratio < 0.95 || ratio > 1.05 {
		t.Errorf("%.2f of the rate in a second", ratio)
	}
	now = now.Add(time.Hour)
	if n, _ := p.take(now, 1<<30); float64(n) > startRate*targetQueue.Seconds() {
		t.Errorf("a burst of %d bytes after a pause", n)
	}
}

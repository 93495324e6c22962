package peerlink

import (
	"slices"
	"testing"
	"time"
)

// bottleneck is this device's line with a drop-tail queue, advanced a millisecond at a time. The packets of our links go
// through it beside a rival's.
type bottleneck struct {
	capacity float64       // bytes a second
	delay    time.Duration // round trip without a queue
	buffer   time.Duration // the longest queue, at capacity
	noise    time.Duration // each second measurement is that much too long

	now    time.Time
	queue  float64 // bytes waiting
	ours   float64 // of these
	uplink *uplink
	links  []*simulated
	turn   int             // of the link that sends next
	recent []time.Duration // queues of the last round trip: what is measured is that old
	got    float64         // bytes of ours delivered
	lost   float64

	received float64 // bytes from peers for each one sent

	server  bool          // a STUN server answers
	late    time.Duration // its answers, by queues on their way that are not ours
	answers []answer
	asked   int // questions
}

// answer is what the STUN server will have said to a question.
type answer struct {
	n          int
	asked, due time.Time
	reached    time.Time
}

// simulated is one of our links.
type simulated struct {
	*path
	state  sample
	beyond time.Duration // queue on the peer's side
	sentAt time.Time
}

const step = time.Millisecond

func newBottleneck(mbit float64, delay, buffer time.Duration) *bottleneck {
	b := &bottleneck{capacity: mbit * 1e6 / 8, delay: delay, buffer: buffer, now: time.Unix(1_000_000_003, 0)}
	b.uplink = newUplink(b.now)
	b.uplink.sounding.send = func(func(stamp)) {
		b.asked++
		if b.server {
			b.answers = append(b.answers, answer{b.asked, b.now, b.now.Add(b.late + b.delay + b.waiting() + b.noise), b.now.Add(b.delay + b.waiting())})
		}
	}
	b.connect(1)
	return b
}

// connect adds links; the handshake measures the queue that is there.
func (b *bottleneck) connect(n int) {
	for range n {
		l := &simulated{state: sample{rtt: b.delay + b.waiting()}}
		l.path = newPath(b.now, func() sample { return l.state })
		b.uplink.join(l.path)
		b.links = append(b.links, l)
	}
}

func (b *bottleneck) waiting() time.Duration {
	return time.Duration(b.queue / b.capacity * float64(time.Second))
}

// run sends as fast as the uplink allows while a rival sends rival(now) bytes a second, and returns what
// was delivered of ours, as a share of the capacity, and the mean queue.
func (b *bottleneck) run(d time.Duration, rival func(*bottleneck) float64) (share float64, meanQueue time.Duration) {
	b.got = 0
	var sum time.Duration
	steps := int(d / step)
	for range steps {
		b.now = b.now.Add(step)
		ours := 0.0
		for {
			l := b.links[b.turn%len(b.links)]
			n, _ := b.uplink.grant(b.now, l.path, 64<<10)
			b.uplink.sound(b.now)
			if n == 0 || ours > 4*b.capacity*step.Seconds()+1e6 { // no faster than a stream's window lets it
				break
			}
			ours += float64(n)
			l.state.sentBytes += uint64(n)
			l.state.gotBytes += uint64(b.received * float64(n))
			l.state.sentPackets += uint64(n+1399) / 1400
			l.sentAt = b.now
			b.turn++
		}
		b.queue, b.ours = b.queue+ours+rival(b)*step.Seconds(), b.ours+ours
		if most := b.capacity * b.buffer.Seconds(); b.queue > most {
			b.lost += b.ours * (1 - most/b.queue)
			b.ours *= most / b.queue
			b.queue = most
		}
		if out := min(b.queue, b.capacity*step.Seconds()); out > 0 {
			gone := b.ours * out / b.queue
			b.queue, b.ours, b.got = b.queue-out, b.ours-gone, b.got+gone
		}
		sum += b.waiting()
		b.measure()
		for len(b.answers) > 0 && !b.now.Before(b.answers[0].due) {
			b.uplink.sounding.answer(b.answers[0].n, b.answers[0].asked, b.now, stamp{b.answers[0].reached.Sub(began), true})
			b.answers = b.answers[1:]
		}
	}
	return b.got / (b.capacity * d.Seconds()), sum / time.Duration(steps)
}

// measure gives links what they learn from the acknowledgements of this millisecond: those that sent a round trip ago learn the
// queue of that moment.
func (b *bottleneck) measure() {
	b.recent = append(b.recent, b.waiting())
	if back := int(b.delay/step) + 1; len(b.recent) > back {
		b.recent = b.recent[len(b.recent)-back:]
	}
	for k, l := range b.links {
		l.state.lostPackets = uint64(b.lost / 1400 / float64(len(b.links)))
		if b.now.Sub(l.sentAt) > b.delay+b.recent[0]+2*step { // nothing is under way
			continue
		}
		l.state.rtt = b.delay + b.recent[0] + l.beyond + time.Duration(k) // no two measurements are quite the same
		if b.now.UnixMilli()%2 == 0 {
			l.state.rtt += b.noise + 1
		}
	}
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
				// What a change does is seen a round trip later, so that the queue swings the more the farther it is.
				if most := givingQueue + 5*time.Millisecond + delay/20; queue > most {
					t.Errorf("%v Mbit/s, %s away, noise %s: queue of %s; want at most %s", mbit, delay, noise, queue, most)
				}
			}
		}
	}
}

// What counts for who plays beside an upload is the longest queue, not the mean: the rate must find what the line carries and stay there,
// also while its queue is told from the peers' by soundings that come late.
func TestQueueHardlySwings(t *testing.T) {
	for _, mbit := range []float64{2, 10, 200} {
		for _, delay := range []time.Duration{time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond} {
			for _, beyond := range []time.Duration{0, 40 * time.Millisecond} {
				for _, links := range []int{1, 4} {
					link := newBottleneck(mbit, delay, 500*time.Millisecond)
					link.server, link.noise = true, 2*time.Millisecond
					link.connect(links - 1)
					link.run(time.Second, nobody)
					for _, l := range link.links {
						l.beyond = beyond
					}
					link.run(5*time.Second, nobody)
					const moments = 6000
					used, queues := 0.0, make([]time.Duration, moments)
					for k := range queues {
						share, queue := link.run(5*step, nobody)
						used, queues[k] = used+share/moments, queue
					}
					slices.Sort(queues)
					if p95 := queues[moments*95/100]; used < 0.84 || p95 > givingQueue+7*time.Millisecond {
						t.Errorf("%v Mbit/s, %s away, queue of %s at the peers, %d links: %.0f%% used at %s in the 95th percentile; want 84%% and %s",
							mbit, delay, beyond, links, 100*used, p95, givingQueue+7*time.Millisecond)
					}
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
	if last > givingQueue+10*time.Millisecond || share < 0.8 {
		t.Errorf("queue of %s in the sixth minute (mean of the first five %s), %.0f%% used", last, queue, 100*share)
	}
}

// Many links are together what one is: they use the line, keep the queue short, and yield.
func TestManyLinksAreAsOne(t *testing.T) {
	for _, mbit := range []float64{2, 10, 100} {
		link := newBottleneck(mbit, 30*time.Millisecond, 250*time.Millisecond)
		link.connect(12)
		link.run(5*time.Second, nobody)
		if share, queue := link.run(15*time.Second, nobody); share < 0.8 || queue > givingQueue+5*time.Millisecond {
			t.Errorf("%v Mbit/s: %.0f%% used at a queue of %s; want 80%% and %s", mbit, 100*share, queue, givingQueue)
		}
		link.run(3*time.Second, loadedUser)
		if share, _ := link.run(15*time.Second, loadedUser); share > 0.1 {
			t.Errorf("%v Mbit/s: %.0f%% beside the user's upload; want 10%%", mbit, 100*share)
		}
	}
}

// Who downloads from the same peers may fill a longer queue, and no longer than the download lasts.
func TestWhoExchangesMayQueueLonger(t *testing.T) {
	link := newBottleneck(10, 30*time.Millisecond, 250*time.Millisecond)
	link.connect(3)
	link.received = 0.05 // acknowledgements
	link.run(10*time.Second, nobody)
	if _, queue := link.run(10*time.Second, nobody); queue > givingQueue+5*time.Millisecond {
		t.Errorf("queue of %s while giving; want %s", queue, givingQueue)
	}
	link.received = 0.8
	link.run(10*time.Second, nobody)
	if _, queue := link.run(10*time.Second, nobody); queue < givingQueue+10*time.Millisecond || queue > exchangeQueue+5*time.Millisecond {
		t.Errorf("queue of %s while exchanging; want %s", queue, exchangeQueue)
	}
	link.received = 0.05
	link.run(10*time.Second, nobody)
	if _, queue := link.run(10*time.Second, nobody); queue > givingQueue+5*time.Millisecond {
		t.Errorf("queue of %s after the download; want %s", queue, givingQueue)
	}
}

// Links that came while there was a queue take it for the path's own delay; they must not lead the others into a longer one.
func TestLatecomersDoNotLengthenTheQueue(t *testing.T) {
	link := newBottleneck(10, 30*time.Millisecond, 500*time.Millisecond)
	link.connect(4)
	for range 5 {
		link.run(7*time.Second, nobody)
		link.connect(1)
	}
	if _, queue := link.run(20*time.Second, nobody); queue > givingQueue+5*time.Millisecond {
		t.Errorf("queue of %s; target %s", queue, givingQueue)
	}
}

// A queue that a few links alone see is on their peers' side; it must not slow the others down.
func TestSlowPeersDoNotHoldOthersBack(t *testing.T) {
	link := newBottleneck(10, 30*time.Millisecond, 250*time.Millisecond)
	link.connect(6)
	link.run(5*time.Second, nobody)
	for _, l := range link.links[:3] {
		l.beyond = 200 * time.Millisecond
	}
	if share, queue := link.run(15*time.Second, nobody); share < 0.8 || queue > givingQueue+5*time.Millisecond {
		t.Errorf("%.0f%% used at a queue of %s; want 80%% and %s", 100*share, queue, givingQueue)
	}
}

// Who downloads fills his own line, by an edge or by whatever. That slows nobody down who gives, and his own line still has a
// short queue, yields to its user, and keeps doing so for many minutes.
func TestQueueOfPeersDoesNotHoldUsBack(t *testing.T) {
	for _, links := range []int{1, 3} {
		link := newBottleneck(10, 30*time.Millisecond, 500*time.Millisecond)
		link.server = true
		link.connect(links - 1)
		link.run(time.Second, nobody)
		for _, l := range link.links {
			l.beyond = 80 * time.Millisecond
		}
		link.run(5*time.Second, nobody)
		for minute := range 6 {
			if share, queue := link.run(time.Minute, nobody); share < 0.8 || queue > givingQueue+5*time.Millisecond {
				t.Errorf("%d links, minute %d: %.0f%% used at a queue of %s; want 80%% and %s", links, minute, 100*share, queue, givingQueue)
			}
		}
		link.run(3*time.Second, loadedUser)
		if share, _ := link.run(15*time.Second, loadedUser); share > 0.1 {
			t.Errorf("%d links: %.0f%% beside the user's upload; want 10%%", links, 100*share)
		}
		link.run(3*time.Second, nobody)
		if share, _ := link.run(10*time.Second, nobody); share < 0.8 {
			t.Errorf("%d links: %.0f%% after the user's upload; want 80%%", links, 100*share)
		}
		link.server = false // its answers end
		link.run(3*time.Second, nobody)
		if share, _ := link.run(15*time.Second, loadedUser); share > 0.1 {
			t.Errorf("%d links, nobody answers: %.0f%% beside the user's upload; want 10%%", links, 100*share)
		}
	}
}

// Where everybody downloads and uploads, queues at peers' lines and that of our own downloads come and go within fractions of a second, and answers of
// the STUN server wait in the same queues. Our own line is used all the same, and its queue does not swing.
func TestPassingQueuesOfPeersDoNotHoldUsBack(t *testing.T) {
	for _, late := range []time.Duration{0, 150 * time.Millisecond} {
		for _, pause := range []time.Duration{300 * time.Millisecond, time.Second} {
			link := newBottleneck(10, 10*time.Millisecond, 500*time.Millisecond)
			link.server, link.late, link.received = true, late, 1
			link.connect(9)
			link.run(3*time.Second, nobody)
			used, queues := 0.0, make([]time.Duration, 0, 10000)
			const rounds = 20
			for range rounds {
				for _, beyond := range []time.Duration{80 * time.Millisecond, 0} {
					for _, l := range link.links {
						l.beyond = beyond
					}
					for range int(pause / (5 * step)) {
						share, queue := link.run(5*step, nobody)
						used += share
						queues = append(queues, queue)
					}
				}
			}
			slices.Sort(queues)
			used /= float64(len(queues))
			p95 := queues[len(queues)*95/100]
			if used < 0.8 || p95 > exchangeQueue+20*time.Millisecond {
				t.Errorf("answers %s late, queues for %s: %.0f%% used at %s in the 95th percentile; want 80%% and %s",
					late, pause, 100*used, p95, exchangeQueue+20*time.Millisecond)
			}
		}
	}
}

func TestUplinkKeepsToTheRate(t *testing.T) {
	now := time.Unix(1_000_000_003, 0)
	u := newUplink(now)
	p := newPath(now, func() sample { return sample{} }) // nothing measured: the rate stays at startRate
	u.join(p)
	sent := 0
	for end := now.Add(time.Second); now.Before(end); {
		n, wait := u.grant(now, p, 1<<20)
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
	if n, _ := u.grant(now, p, 1<<30); float64(n) > startRate*givingQueue.Seconds() {
		t.Errorf("a burst of %d bytes after a pause", n)
	}
}

func TestQueueIsThatOfWhatIsSentNow(t *testing.T) {
	now := time.Now()
	u := newUplink(now)
	u.control.queue = 30 * time.Millisecond
	if got := u.queue(now.Add(inUse / 2)); got != u.control.queue {
		t.Errorf("%s while bytes are granted; want %s", got, u.control.queue)
	}
	if got := u.queue(now.Add(2 * inUse)); got != 0 {
		t.Errorf("%s when nothing has been sent for %s; want 0", got, 2*inUse)
	}
}

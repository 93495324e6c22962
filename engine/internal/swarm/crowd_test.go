package swarm

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func limitUpload(rate float64) func(*Config) {
	return func(c *Config) { c.UploadLimiter = &pacer{rate: rate} }
}

func TestSeveralSeedersShareTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(8<<20, 256<<10)
		leecher := newClient(t, "leecher", o.empty(t))
		var seeders []*client
		for k := range 4 {
			c := newClient(t, fmt.Sprint("seeder ", k), o.full(t), limitUpload(1<<20))
			connect(t, c, leecher)
			seeders = append(seeders, c)
		}
		began := time.Now()
		wait(t, leecher.mem)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("took %v; 8 MiB from four peers of 1 MiB/s are worth 2 s", took)
		}
		for _, c := range seeders {
			if sent := c.Totals().Sent; sent < o.Length/8 {
				t.Errorf("%s sent %d bytes of %d", c.name, sent, o.Length)
			}
		}
	})
}

// Two clients that miss the other's half complete each other over one connection, both ways at once.
func TestHalvesCompleteEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(4<<20, 256<<10)
		a := newClient(t, "a", o.with(t, func(i int) bool { return i%2 == 0 }), limitUpload(1<<20))
		b := newClient(t, "b", o.with(t, func(i int) bool { return i%2 == 1 }), limitUpload(1<<20))
		began := time.Now()
		connect(t, a, b)
		wait(t, a.mem)
		wait(t, b.mem)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("took %v; 2 MiB each way at 1 MiB/s are worth 2 s", took)
		}
	})
}

// When everybody starts at once, the seeder is the bottleneck unless clients take different pieces and
// trade them. Which they take is a matter of chance, so that one crowd is up to a tenth slower than the next: three are played.
func TestFlashCrowdTrades(t *testing.T) {
	var all time.Duration
	for range 3 {
		synctest.Test(t, func(t *testing.T) {
			took, _ := tradingCrowd(t, false)
			all += took
		})
	}
	// The seeder needs 8 s for one copy; without trading it would need 32 s for four.
	if all > 3*12*time.Second {
		t.Errorf("three crowds took %v", all)
	}
}

// Where all know whose turn each piece is, the seeder hardly sends any twice.
func TestTurnsSpareTheSeeder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took, copies := tradingCrowd(t, true)
		if copies > 1.2 || took > 10*time.Second {
			t.Errorf("the seeder sent %.2f copies, and it took %v; 8 s are ideal", copies, took)
		}
	})
}

// tradingCrowd plays a seeder and four that have nothing, and returns how long it took them, and what the seeder sent.
func tradingCrowd(t *testing.T, inTurns bool) (took time.Duration, copies float64) {
	o := makeObject(16<<20, 256<<10)
	seeder := newClient(t, "seeder", o.full(t), limitUpload(2<<20))
	var crowd []*client
	for k := range 4 {
		c := newClient(t, fmt.Sprint("leecher ", k), o.empty(t), limitUpload(2<<20))
		if inTurns {
			turns := make([]int, o.Pieces)
			for i := range turns {
				turns[i] = (i + k) % 4
			}
			c.Turns(turns, false)
		}
		connect(t, seeder, c)
		for _, other := range crowd {
			connect(t, other, c)
		}
		crowd = append(crowd, c)
	}
	began := time.Now()
	for _, c := range crowd {
		wait(t, c.mem)
		if w := c.Totals().Wasted; w > o.Length/100 {
			t.Errorf("%s wasted %d bytes", c.name, w)
		}
	}
	took = time.Since(began)
	if sent := seeder.Totals().Sent; sent > 2*o.Length {
		t.Errorf("seeder sent %d bytes of %d", sent, o.Length)
	}
	return took, float64(seeder.Totals().Sent) / float64(o.Length)
}

// A very slow upload must not hold up our own requests on the same connection.
func TestSlowUploadDoesNotSlowDownload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(16<<20, 256<<10)
		half := func(even int) func(int) bool { return func(i int) bool { return i%2 == even } }
		fast := newClient(t, "fast", o.with(t, half(0)), limitUpload(4<<20))
		slow := newClient(t, "slow", o.with(t, half(1)), limitUpload(10<<10))
		began := time.Now()
		connect(t, fast, slow)
		wait(t, slow.mem)
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("took %v; 8 MiB at 4 MiB/s are worth 2 s", took)
		}
	})
}

// A peer that freezes in the middle of a block keeps nothing from the others.
func TestFrozenPeerReturnsItsRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(16<<20, 256<<10)
		leecher := newClient(t, "leecher", o.empty(t))
		steady := newClient(t, "steady", o.full(t), limitUpload(2<<20))
		frozen := newClient(t, "frozen", o.full(t), limitUpload(2<<20))
		connect(t, steady, leecher)
		_, end := connect(t, frozen, leecher)
		began := time.Now()
		time.Sleep(time.Second)
		end.freeze(true)
		frozeAt := time.Now()
		leecher.diary.until(t, "stalled", func() bool { return stats(leecher, frozen.name).Stalled })
		if took := time.Since(frozeAt); took > time.Second {
			t.Errorf("noticed after %v", took)
		}
		wait(t, leecher.mem)
		if took := time.Since(began); took > 8500*time.Millisecond {
			t.Errorf("took %v; 4 MiB in a second and 12 MiB at 2 MiB/s are worth 7 s", took)
		}
		if w := leecher.Totals().Wasted; w > 0 {
			t.Errorf("wasted %d bytes", w)
		}
	})
}

// A peer that pauses is asked again as soon as it moves.
func TestStalledPeerRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(8<<20, 256<<10)
		leecher := newClient(t, "leecher", o.empty(t))
		seeder := newClient(t, "seeder", o.full(t), limitUpload(2<<20))
		_, end := connect(t, seeder, leecher)
		time.Sleep(time.Second)
		end.freeze(true)
		leecher.diary.until(t, "stalled", func() bool { return stats(leecher, seeder.name).Stalled })
		synctest.Wait()
		for i := range o.Pieces {
			if n := leecher.Outstanding(i); n != 0 {
				t.Errorf("%d requests of piece %d are outstanding", n, i)
			}
		}
		end.freeze(false)
		began := time.Now()
		wait(t, leecher.mem)
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("took %v for at most 3 s worth", took)
		}
		if w := leecher.Totals().Wasted; w > 256<<10 {
			t.Errorf("wasted %d bytes: what was on its way should have been used", w)
		}
	})
}

// A limiter that serves many peers in turn makes each of them look slow, not stalled.
func TestSharedLimiterIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(1<<20, 256<<10)
		seeder := newClient(t, "seeder", o.full(t), limitUpload(512<<10))
		var crowd []*client
		for k := range 4 {
			c := newClient(t, fmt.Sprint("leecher ", k), o.empty(t))
			connect(t, seeder, c)
			crowd = append(crowd, c)
		}
		for _, c := range crowd {
			wait(t, c.mem)
			if w := c.Totals().Wasted; w != 0 {
				t.Errorf("%s wasted %d bytes", c.name, w)
			}
		}
	})
}

// A peer far away is asked for enough at once, and taken for slow to answer, not for stalled.
func TestDistantPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(32<<20, 1<<20)
		leecher, seeder := newClient(t, "leecher", o.empty(t)), newClient(t, "seeder", o.full(t), limitUpload(8<<20))
		began := time.Now()
		far(t, leecher, seeder, 100*time.Millisecond)
		wait(t, leecher.mem)
		if took := time.Since(began); took > 7*time.Second {
			t.Errorf("took %v; 32 MiB at 8 MiB/s are worth 4 s, and the library needs 2 s to get up to speed", took)
		}
		if got := leecher.Totals(); got.Received != o.Length || got.Wasted != 0 {
			t.Errorf("totals: %+v", got)
		}
	})
}

func stats(c *client, peer PeerID) PeerStats {
	for _, p := range c.Peers() {
		if p.ID == peer {
			return p
		}
	}
	return PeerStats{}
}

package swarm

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// What a neighbour in the LAN has, or is about to fetch, is not asked of anybody outside.
func TestFarPeersGiveWhatTheLANLacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(16<<20, 256<<10)
		near := newClient(t, "near", o.with(t, func(i int) bool { return i%2 == 0 }))
		near.Unwant(all(o)...)
		far := newClient(t, "far", o.full(t))
		us := newClient(t, "us", o.empty(t))
		turns := make([]int, o.Pieces)
		for i := range turns {
			turns[i] = i % 4 / 2
		}
		us.Turns(turns, true)
		end, _ := connectWith(t, us, near, OfferOptions{MayServe: true, Near: true})
		us.diary.until(t, "the neighbour", func() bool { return stats(us, near.name).Has == o.Pieces/2 })
		synctest.Wait() // it has also said that it gives
		connect(t, us, far)
		time.Sleep(10 * time.Second)
		check := func(what string, has func(i int) bool, fromFar int) {
			t.Helper()
			for i := range o.Pieces {
				if us.mem.Verified(i) != has(i) {
					t.Errorf("%s: piece %d: %v", what, i, !has(i))
				}
			}
			if got := stats(us, far.name).Received; got != int64(fromFar)*o.PieceLength {
				t.Errorf("%s: %d bytes from outside; want %d pieces", what, got, fromFar)
			}
		}
		check("with a neighbour", func(i int) bool { return i%4 != 3 }, o.Pieces/4)

		near.mem.commit(3)
		near.Done(3, 0)
		time.Sleep(time.Second)
		check("when it has got one more", func(i int) bool { return i%4 != 3 || i == 3 }, o.Pieces/4)

		us.Turns(turns, false)
		wait(t, us.mem)
		check("when nobody else fetches", func(int) bool { return true }, o.Pieces/2-1)
		if w := us.Totals(); w.Wasted != 0 || w.Near != int64(o.Pieces/2+1)*o.PieceLength {
			t.Errorf("%+v", w)
		}
		end.Close()
	})
}

// When the neighbours are gone or silent, all is asked of whoever has it.
func TestFarPeersGiveAllWhenTheLANIsSilent(t *testing.T) {
	for name, ends := range map[string]func(*pipeEnd){"gone": func(e *pipeEnd) { e.Close() }, "silent": func(e *pipeEnd) { e.freeze(true) }} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := makeObject(16<<20, 256<<10)
				near, far := newClient(t, "near", o.full(t), limitUpload(1<<20)), newClient(t, "far", o.full(t))
				us := newClient(t, "us", o.empty(t))
				_, end := connectWith(t, us, near, OfferOptions{MayServe: true, Near: true})
				us.diary.until(t, "the neighbour", func() bool { return stats(us, near.name).Has == o.Pieces })
				synctest.Wait() // it has also said that it gives; until then others are asked
				connect(t, us, far)
				time.Sleep(2 * time.Second)
				if got := stats(us, far.name).Received; got != 0 {
					t.Errorf("%d bytes from outside while the neighbour gives", got)
				}
				ends(end)
				wait(t, us.mem)
			})
		})
	}
}

// However many far peers have what the LAN lacks, few are asked at the same time if they are slow. What one has been asked for once the
// library may ask of it again, so that there is one more for a moment.
func TestFewFarPeersAreAskedAtOnce(t *testing.T) {
	const rate = 32 << 10
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(1<<20, 16<<10)
		us := amongFarPeers(t, o, rate)
		began := time.Now()
		more, looks := 0, 0
		for us.mem.count() < o.Pieces {
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
			asked := 0
			for _, l := range us.connected() {
				if l.owed(time.Now()) == 0 {
					asked++
				}
			}
			looks++
			if asked > fewFar {
				more++
			}
			if asked > fewFar+1 {
				t.Fatalf("after %v %d are asked at once", time.Since(began), asked)
			}
		}
		if more > looks/5 {
			t.Errorf("more than %d are asked at once in %d of %d looks", fewFar, more, looks)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("took %v; 1 MiB from two peers of 32 KiB/s is worth 16 s", took)
		}
	})
}

// Where the line has room for it, all far peers are asked.
func TestFastFarPeersAreAllAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(32<<20, 256<<10)
		us := amongFarPeers(t, o, 1<<20)
		began := time.Now()
		wait(t, us.mem)
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("took %v; 32 MiB from six peers of 1 MiB/s are worth 5.3 s", took)
		}
	})
}

// amongFarPeers returns a client with nothing, whose neighbour in the LAN has nothing either, and that knows six others who have all.
func amongFarPeers(t *testing.T, o *object, rate float64) *client {
	near := newClient(t, "near", o.empty(t))
	near.Unwant(all(o)...)
	us := newClient(t, "us", o.empty(t))
	connectWith(t, us, near, OfferOptions{MayServe: true, Near: true})
	synctest.Wait()
	for k := range 6 {
		connect(t, us, newClient(t, fmt.Sprint("far ", k), o.full(t), limitUpload(rate)))
	}
	return us
}

func all(o *object) (pieces []int) {
	for i := range o.Pieces {
		pieces = append(pieces, i)
	}
	return pieces
}

package swarm

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"
)

// heard is a have that a raw peer was sent.
type heard struct {
	piece int
	after time.Duration
}

// listen collects the haves that come until the connection ends, and fails on messages that nobody acts on.
func (r *raw) listen(began time.Time) <-chan []heard {
	done := make(chan []heard, 1)
	go func() {
		var all []heard
		for {
			id, body, ok := r.next()
			switch {
			case !ok:
				done <- all
				return
			case id == msgHave:
				all = append(all, heard{int(binary.BigEndian.Uint32(body)), time.Since(began)})
			case id == msgInterested || id == msgNotInterested:
				r.t.Errorf("was sent message %d", id)
			}
		}
	}()
	return done
}

// A peer hears of pieces in groups: at once if it has heard of none just before, and of those that it has with the next, or later.
func TestHavesGoTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(4<<20, 256<<10)
		us := newClient(t, "us", o.empty(t))
		lacking, owner := dialRaw(t, us, "lacking"), dialRaw(t, us, "owner")
		owner.write(message1(msgHave, words(9)...))
		synctest.Wait()
		time.Sleep(time.Second)
		got := func(i int) {
			us.mem.commit(i)
			us.Done(i, 0)
			synctest.Wait()
		}
		began := time.Now()
		lacks, owns := lacking.listen(began), owner.listen(began)
		got(9)
		for i := range 4 {
			time.Sleep(20 * time.Millisecond)
			got(i)
		}
		time.Sleep(5 * time.Second)
		lacking.conn.Close()
		owner.conn.Close()
		check := func(who string, all []heard, want map[int]time.Duration) {
			t.Helper()
			if len(all) != len(want) {
				t.Errorf("%s heard %v", who, all)
			}
			for _, h := range all {
				if h.after.Round(time.Microsecond) != want[h.piece] { // "at once" is a nanosecond, see hold
					t.Errorf("%s heard of piece %d after %v; want %v", who, h.piece, h.after, want[h.piece])
				}
			}
		}
		check("who lacks all", <-lacks, map[int]time.Duration{9: 0, 0: haveApart, 1: haveApart, 2: haveApart, 3: haveApart})
		check("who has one", <-owns, map[int]time.Duration{9: 20 * time.Millisecond, 0: 20 * time.Millisecond,
			1: 20*time.Millisecond + haveApart, 2: 20*time.Millisecond + haveApart, 3: 20*time.Millisecond + haveApart})
	})
}

// That a piece is here is told even to who has it: who has all is waited for by nobody.
func TestKnownPiecesAreToldLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(1<<20, 256<<10)
		us := newClient(t, "us", o.empty(t))
		owner := dialRaw(t, us, "owner")
		owner.write(message1(msgHave, words(0)...))
		synctest.Wait()
		began := time.Now()
		heard := owner.listen(began)
		us.mem.commit(0)
		us.Done(0, 0)
		time.Sleep(3 * haveKnown)
		owner.conn.Close()
		if got := <-heard; len(got) != 1 || got[0].after != haveKnown {
			t.Errorf("%v; want piece 0 after %v", got, haveKnown)
		}
	})
}

// A bitfield is the first word of what a peer has, or it hangs up.
func TestHavesFollowTheBitfield(t *testing.T) {
	o := makeObject(1<<20, 256<<10)
	l := newLink(&Swarm{ctx: t.Context(), layout: &layout{pieces: o.Pieces, pieceLength: o.PieceLength, chunk: mostChunk}}, PeerID{}, nil, false, OfferOptions{})
	l.has, l.hidden = newBitset(o.Pieces), newBitset(o.Pieces)
	have := message1(msgHave, words(1)...)
	got := l.holdBack(append(append(o.hasAll(), have...), message1(msgInterested)...), time.Now())
	if want := append(o.hasAll(), have...); string(got) != string(want) {
		t.Errorf("%x; want %x", got, want)
	}
}

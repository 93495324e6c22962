package swarm

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// claimedOf is which pieces a client believes to be claimed by peers, and by how many in all.
func claimedOf(c *client) (pieces []int, peers int) {
	for i, n := range c.Claimed(nil) {
		if n > 0 {
			pieces, peers = append(pieces, i), peers+int(n)
		}
	}
	return pieces, peers
}

func TestPeersHearOfClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(4<<20, 256<<10)
		a, b := newClient(t, "a", o.empty(t)), newClient(t, "b", o.empty(t))
		a.Claim([]int{7, 3, 7}) // before they meet
		near, _ := connect(t, a, b)
		expect := func(when string, want ...int) {
			t.Helper()
			time.Sleep(time.Second)
			if got, n := claimedOf(b); !slices.Equal(got, want) || n != len(want) {
				t.Errorf("%s: %v are claimed, %d times; want %v", when, got, n, want)
			}
		}
		expect("at first", 3, 7)
		a.Claim([]int{3, 5})
		expect("when they change", 3, 5)
		a.mem.commit(5)
		a.Done(5, 0)
		expect("when a piece is there", 3)
		if got, _ := claimedOf(a); got != nil {
			t.Errorf("a believes that %v are claimed, which are its own", got)
		}
		near.Close()
		expect("when the peer is gone")
	})
}

// Who gets nothing from a client hears nothing of what it fetches, and forgets what it heard.
func TestClaimsEndWithSharing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(4<<20, 256<<10)
		a, b := newClient(t, "a", o.empty(t)), newClient(t, "b", o.empty(t))
		a.Claim([]int{3})
		connect(t, a, b)
		for k, share := range []bool{true, false, true, false} {
			a.SetUpload(func(PeerID) bool { return share })
			time.Sleep(time.Second)
			if got, _ := claimedOf(b); share != slices.Equal(got, []int{3}) {
				t.Errorf("%d: shares %v; %v are claimed", k, share, got)
			}
		}
	})
}

// A peer that does not say that it knows of claims hears of none, and may be of any make.
func TestStrangersHearOfNoClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := makeObject(1<<20, 64<<10)
		c := newClient(t, "c", o.empty(t))
		c.Claim([]int{1, 2})
		r := dialRaw(t, c, "stranger")
		go func() {
			time.Sleep(time.Second)
			r.conn.Close()
		}()
		for {
			id, _, ok := r.next()
			if !ok {
				return
			}
			if id == msgClaims {
				t.Error("it heard of claims")
			}
		}
	})
}

// Claims that make no sense end the connection, and leave nothing behind.
func TestBadClaims(t *testing.T) {
	o := makeObject(1<<20, 64<<10)
	many := make([]byte, 0, 4*(mostClaims+1))
	for i := range mostClaims + 1 {
		many = append(many, words(uint32(i))...)
	}
	for name, body := range map[string][]byte{
		"no such piece":     words(1, 16),
		"not in order":      words(2, 1),
		"twice":             words(2, 2),
		"a part of a piece": {0, 0, 0},
		"too many":          many,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, "c", o.empty(t))
				r := dialRaw(t, c, "liar")
				r.write(message1(msgClaims, words(4)...))
				r.write(message1(msgClaims, body...))
				r.ended()
				synctest.Wait()
				if got, _ := claimedOf(c); got != nil {
					t.Errorf("%v are still claimed", got)
				}
			})
		})
	}
}

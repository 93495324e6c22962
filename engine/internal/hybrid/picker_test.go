package hybrid

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// picture draws a download as strings, one character a piece.
//
//	have:    # verified, . missing
//	edge:    e claimed by an edge request
//	peers:   digit: chunks asked of peers, silent: the same, but nothing has come for long
//	holders: digit: connected peers that have it
type picture struct {
	name                               string
	have, edge, peers, silent, holders string
	mine                               string // 1: this client's turn
	coming                             string // how many peers are fetching it
	slots, cursor, underWay            int
	deliver                            int // peers that deliver
	swarming                           bool
	wait                               bool // neighbours in the LAN are at what is not mine
	run                                int  // pieces that a request may be for
	allowance, edgeRate, peerRate      float64
	want                               string // runs as first+count, ! for duplicates
}

const unit = 1 << 20

func (p picture) view() View {
	v := View{Done: make([]bool, len(p.have)), Turns: make([]int, len(p.have)), Pieces: make([]Piece, len(p.have)), PieceLength: unit, Cursor: p.cursor, Slots: p.slots,
		Peers: p.deliver, Swarming: p.swarming, RunLength: p.run, UnderWay: p.underWay, Allowance: p.allowance, EdgeRate: p.edgeRate, PeerRate: p.peerRate, StallTime: time.Second, Wait: p.wait}
	at := func(s string, i int) byte {
		if i < len(s) {
			return s[i]
		}
		return '.'
	}
	digit := func(c byte) int { return strings.IndexByte("0123456789", c) }
	for i := range p.have {
		v.Done[i] = p.have[i] == '#'
		if at(p.mine, i) != '1' {
			v.Turns[i] = 1
		}
		piece := &v.Pieces[i]
		piece.Claimed = at(p.edge, i) == 'e'
		if d := digit(at(p.peers, i)); d > 0 {
			piece.Outstanding = d
		}
		if d := digit(at(p.silent, i)); d > 0 {
			piece.Outstanding, piece.Idle = d, 5*time.Second
		}
		if d := digit(at(p.coming, i)); d > 0 {
			piece.Coming = d
		}
		if d := digit(at(p.holders, i)); d > 0 {
			piece.Holders = d
		}
	}
	return v
}

func TestPick(t *testing.T) {
	for _, p := range []picture{
		{name: "alone: from the front, in long requests", have: "####....................", slots: 2, run: 8, want: "4+5 9+5"},
		{name: "alone: the last pieces are spread over all requests", have: "########....", slots: 4, run: 8, want: "8+1 9+1 10+1 11+1"},
		{name: "alone: around what is under way", have: "........", edge: "ee", slots: 1, run: 8, want: "2+3"},
		{name: "nothing without slots", have: "....", swarming: true, want: ""},
		{name: "nothing while the edge yields to peers", have: "....", holders: "1111", slots: 2, swarming: true, deliver: 2, want: ""},
		{name: "though the edge yields, what it is this client's turn to fetch for all", have: "....#.", holders: "110.00", mine: "..10.1", slots: 2,
			swarming: true, deliver: 2, want: "2+1 5+1"},
		{name: "others' turn, when peers have little left to give", have: "....", holders: "1101", mine: "1100", slots: 2, swarming: true, deliver: 2, want: "2+1"},
		{name: "the same, while one request is under way", have: ".....", holders: "11010", edge: "....e", underWay: 1, slots: 1, swarming: true, deliver: 2, want: ""},
		{name: "nothing new while peers have enough to give", have: ".......", holders: "1111101", slots: 1, swarming: true, deliver: 2, want: ""},
		{name: "its own turn before others'", have: "......", holders: "001111", mine: "010001", slots: 3, swarming: true, deliver: 2, allowance: Unlimited, want: "1+1 0+1 5+1"},
		{name: "not what neighbours in the LAN fetch", have: "......", mine: "010001", slots: 3, swarming: true, wait: true, deliver: 2, allowance: Unlimited, want: "1+1 5+1"},
		{name: "nor more of it than its turn", have: "......", mine: "011100", slots: 1, run: 4, swarming: true, wait: true, deliver: 2, allowance: Unlimited, want: "1+3"},
		{name: "nor what they are about to give", have: "##..", peers: "..22", slots: 2, swarming: true, wait: true, deliver: 1, allowance: Unlimited,
			edgeRate: 10 * unit, peerRate: unit / 10, want: ""},
		{name: "the edge never rests when nobody else delivers", have: "....", slots: 1, swarming: true, want: "0+1"},
		{name: "what nobody has comes first", have: "......", holders: "221022", slots: 1, swarming: true, deliver: 2, allowance: Unlimited, want: "3+1"},
		{name: "then the rarest", have: "......", holders: "332313", slots: 2, swarming: true, deliver: 3, allowance: Unlimited, want: "4+1 2+1"},
		{name: "what a peer is fetching counts as there", have: "....", coming: "11.1", slots: 1, swarming: true, deliver: 2, allowance: Unlimited, edgeRate: 2, peerRate: 1, want: "2+1"},
		{name: "is fetched, too, while peers give less than the edge", have: "##.#", coming: "..1", slots: 1, swarming: true, deliver: 2, allowance: Unlimited, edgeRate: 2, peerRate: 1, want: "2+1"},
		{name: "and left to that peer while they give more", have: "##.#", coming: "..1", slots: 1, swarming: true, deliver: 2, allowance: Unlimited, edgeRate: unit, peerRate: 2 * unit, want: ""},
		{name: "nor does the edge at rest send it again", have: "....", coming: "11..", mine: "1111", slots: 4, swarming: true, deliver: 2, want: "2+1 3+1"},
		{name: "from this client's own place on", have: "........", holders: "11111111", slots: 2, cursor: 6, swarming: true, deliver: 1, allowance: Unlimited, want: "6+1 7+1"},
		{name: "not what peers are asked for", have: "....", peers: "11.1", holders: "1111", slots: 2, swarming: true, deliver: 1, allowance: Unlimited, want: "2+1"},
		{name: "what a silent peer holds up", have: "####", peers: "", silent: "", slots: 1, swarming: true, deliver: 1, allowance: Unlimited, want: ""},
		{name: "a silent peer loses its piece", have: "##..", peers: "..1", silent: "...1", slots: 2, swarming: true, deliver: 1, allowance: Unlimited, want: "3+1!"},
		{name: "end game: not if peers are sooner", have: "##..", peers: "..22", slots: 2, swarming: true, deliver: 1, allowance: Unlimited,
			edgeRate: unit, peerRate: 10 * unit, want: ""},
		{name: "end game: the slowest piece, if the edge is clearly sooner", have: "##..", peers: "..22", slots: 2, swarming: true, deliver: 1, allowance: Unlimited,
			edgeRate: 10 * unit, peerRate: unit / 10, want: "2+1!"},
		{name: "end game: the same, though the edge rests", have: "##..", peers: "..22", slots: 2, swarming: true, deliver: 1,
			edgeRate: 10 * unit, peerRate: unit / 10, want: "2+1!"},
		{name: "end game: not while there is something else for peers", have: "##...", peers: "..22", holders: "..111", slots: 2, swarming: true, deliver: 1,
			edgeRate: 10 * unit, peerRate: unit / 10, want: ""},
	} {
		t.Run(p.name, func(t *testing.T) {
			var got []string
			for _, r := range Pick(p.view()) {
				s := fmt.Sprintf("%d+%d", r.First, r.Count)
				if r.Duplicate {
					s += "!"
				}
				got = append(got, s)
			}
			if s := strings.Join(got, " "); s != p.want {
				t.Errorf("Pick = %q; want %q", s, p.want)
			}
		})
	}
}

// A piece whose chunks were asked for and are slow to come waits its turn at a healthy peer; one that nobody is asked for
// any more has been given up.
func TestStalledPiecesLoseTheirPatienceAtDifferentTimes(t *testing.T) {
	for _, c := range []struct {
		piece Piece
		want  int
	}{
		{Piece{Outstanding: 1, Received: 1, Idle: 2 * time.Second}, 0},
		{Piece{Outstanding: 1, Received: 1, Idle: 4 * time.Second}, 1},
		{Piece{Received: 1, Idle: time.Second / 2}, 0},
		{Piece{Received: 1, Idle: time.Second}, 1},
	} {
		v := picture{have: ".", slots: 1, swarming: true, deliver: 1, allowance: Unlimited}.view()
		v.Pieces[0] = c.piece
		if got := Pick(v); len(got) != c.want {
			t.Errorf("%+v: %v; want %d runs", c.piece, got, c.want)
		}
	}
}

// Of a piece that peers have begun, the edge is asked for what is missing behind its beginning.
func TestBeginningsAreNotAskedForAgain(t *testing.T) {
	for name, peers := range map[string]float64{"end game": unit / 10, "stalled": 0} {
		v := picture{have: "#.", peers: ".2", slots: 1, swarming: true, deliver: 1, allowance: Unlimited, edgeRate: 10 * unit, peerRate: peers}.view()
		v.Pieces[1] = Piece{Outstanding: 1, Received: unit / 2, Prefix: unit / 4, Holders: 1, Age: time.Second}
		if name == "stalled" {
			v.Pieces[1].Idle = time.Minute
		}
		if got := Pick(v); len(got) != 1 || got[0] != (Run{First: 1, Count: 1, Duplicate: true, Skip: unit / 4}) {
			t.Errorf("%s: %+v; want one request for what is missing of piece 1", name, got)
		}
	}
}

// The last piece is with one of several peers: what all of them gave a moment ago says nothing about when it is there.
func TestEndGameAsksHowLongThePieceTakes(t *testing.T) {
	for _, c := range []struct {
		name    string
		piece   Piece
		elapsed time.Duration
		want    int
	}{
		{"a quarter took a second", Piece{Outstanding: 3, Received: unit / 4, Age: time.Second}, 5 * time.Second, 1},
		{"nearly all is there", Piece{Outstanding: 1, Received: unit * 7 / 8, Age: time.Second}, 5 * time.Second, 0},
		{"it is coming fast", Piece{Outstanding: 3, Received: unit / 4, Age: 50 * time.Millisecond}, 5 * time.Second, 0},
		{"nothing of it has come yet", Piece{Outstanding: 4}, 5 * time.Second, 0},
		{"nothing was heard of it for a while", Piece{Outstanding: 4, Idle: 600 * time.Millisecond}, 5 * time.Second, 1},
		{"nor of what is nearly all there", Piece{Outstanding: 1, Received: unit * 7 / 8, Age: time.Second, Idle: 600 * time.Millisecond}, 5 * time.Second, 1},
		{"three seconds matter less in a long download", Piece{Outstanding: 3, Received: unit / 4, Age: time.Second}, 200 * time.Second, 0},
	} {
		v := picture{have: ".", slots: 1, swarming: true, deliver: 4, allowance: Unlimited, edgeRate: 40 * unit, peerRate: 4 * unit}.view()
		v.Pieces[0], v.Elapsed = c.piece, c.elapsed
		if got := Pick(v); len(got) != c.want {
			t.Errorf("%s: %v; want %d runs", c.name, got, c.want)
		}
	}
}

// What a neighbour fetches from the edge was never asked of anybody: that nothing has come of it is no silence.
func TestWhatIsComingToANeighbourIsWaitedFor(t *testing.T) {
	v := picture{have: ".", slots: 1, swarming: true, deliver: 4, allowance: Unlimited, edgeRate: 2 * unit, peerRate: 4 * unit}.view()
	v.Pieces[0], v.Elapsed = Piece{Coming: 1, Idle: 5 * time.Second}, 5*time.Second
	if got := Pick(v); len(got) != 0 {
		t.Errorf("%v; want none", got)
	}
}

func TestLend(t *testing.T) {
	for _, p := range []struct {
		picture
		want bool
	}{
		{picture{name: "peers have other things to do", have: "##....", edge: "..ee", deliver: 1, edgeRate: 1, peerRate: unit}, false},
		{picture{name: "only the slow edge's pieces are left", have: "##..##", edge: "..ee", deliver: 1, edgeRate: unit / 10, peerRate: unit}, true},
		{picture{name: "peers are at the last of theirs", have: "##...#", edge: "..ee", peers: "....1", deliver: 1, edgeRate: unit / 10, peerRate: unit}, true},
		{picture{name: "the edge is as fast", have: "##..##", edge: "..ee", deliver: 1, edgeRate: 9 * unit, peerRate: 10 * unit}, false},
		{picture{name: "nobody delivers", have: "##..##", edge: "..ee", edgeRate: unit / 10, peerRate: unit}, false},
		{picture{name: "nothing is claimed", have: "######", deliver: 1, edgeRate: unit / 10, peerRate: unit}, false},
	} {
		if got := Lend(p.view()); got != p.want {
			t.Errorf("%s: Lend = %v; want %v", p.name, got, p.want)
		}
	}
}

// No view, however odd, makes the picker claim a piece that is done or claimed, or more than there are slots.
func FuzzPick(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7}, 2, 3, true, 8)
	f.Fuzz(func(t *testing.T, state []byte, slots, cursor int, swarming bool, run int) {
		if len(state) == 0 || len(state) > 1000 || slots > 100 || cursor < 0 {
			return
		}
		v := View{Done: make([]bool, len(state)), Pieces: make([]Piece, len(state)), PieceLength: unit, Cursor: cursor % len(state), Slots: slots,
			Allowance: Unlimited, EdgeRate: unit, PeerRate: 1, Peers: 1, Swarming: swarming, Turns: make([]int, len(state)), RunLength: run, StallTime: time.Second}
		for i, b := range state {
			v.Done[i] = b&1 != 0
			v.Pieces[i] = Piece{Claimed: b&2 != 0, Outstanding: int(b>>2) & 3, Holders: int(b >> 4), Idle: time.Duration(b) * 10 * time.Millisecond}
		}
		runs := Pick(v)
		if len(runs) > max(0, slots) {
			t.Fatalf("%d runs for %d slots", len(runs), slots)
		}
		seen := map[int]bool{}
		for _, r := range runs {
			for i := r.First; i < r.First+r.Count; i++ {
				if i >= len(state) || v.Done[i] || v.Pieces[i].Claimed || seen[i] {
					t.Fatalf("run %+v takes piece %d", r, i)
				}
				seen[i] = true
			}
		}
	})
}

// What is asked of the edge at once is counted in pieces: where peers have begun every other one, more requests take their place.
func TestRequestsMakeUpForShortRuns(t *testing.T) {
	for name, c := range map[string]struct {
		begun func(i int) bool
		want  []Run
	}{
		"nobody is at anything":    {func(int) bool { return false }, []Run{{First: 0, Count: 3}, {First: 3, Count: 2}}},
		"peers are at every 2nd":   {func(i int) bool { return i%2 == 1 }, []Run{{First: 0, Count: 1}, {First: 2, Count: 1}, {First: 4, Count: 1}, {First: 6, Count: 1}, {First: 8, Count: 1}}},
		"peers are at all but one": {func(i int) bool { return i != 7 }, []Run{{First: 7, Count: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			v := View{Pieces: make([]Piece, 20), Done: make([]bool, 20), Turns: make([]int, 20), PieceLength: 1 << 18, Allowance: Unlimited,
				EdgeRate: 1e6, PeerRate: 1e6, Slots: 8, RunLength: 3, Ahead: 5, Swarming: true, Peers: 2, StallTime: time.Second}
			for i := range v.Pieces {
				if c.begun(i) {
					v.Pieces[i].Outstanding = 1
				}
			}
			if got := Pick(v); !slices.Equal(got, c.want) {
				t.Errorf("Pick = %+v; want %+v", got, c.want)
			}
		})
	}
}

// Package hybrid decides which source fetches which piece, and how fast the edge may go: the heart of
// the product. It is a pure function of what it is shown: it must never do I/O, read a clock, start a
// goroutine or take a lock, so that tables, simulations and the real thing run the same code.
package hybrid

import (
	"cmp"
	"time"
)

// Piece is what the picker sees of one missing piece.
type Piece struct {
	Claimed     bool          // an edge request for it is under way
	Outstanding int           // chunks asked of peers
	Received    int64         // bytes of it that peers have delivered
	Prefix      int64         // of these: from its beginning on, without a gap
	Holders     int           // connected peers that have it
	Coming      int           // connected peers that are fetching it from the edge
	Idle        time.Duration // since a peer last delivered a chunk of it, or was asked for it
	Age         time.Duration // since the first chunk of it came; 0 while none has
}

// View is what the picker sees. Pieces[i] is nil when piece i is verified.
type View struct {
	Pieces      []Piece
	Done        []bool // verified
	Turns       []int  // by piece: neighbours that come before this client, as the function of that name says
	Wait        bool   // neighbours in the LAN are at theirs: what is not this client's turn will come from them
	PieceLength int64
	Cursor      int // where this client starts to look; differs from client to client

	Allowance float64 // bytes a second for the edge, from the pacer
	EdgeRate  float64 // bytes a second that one more request can count on, all requests together
	PeerRate  float64 // bytes a second from all peers
	Slots     int     // edge requests that may be started now
	UnderWay  int     // edge requests that were started before
	Peers     int     // connected peers that deliver, or have just been connected
	RunLength int     // pieces that one request may be for
	Ahead     int     // pieces that requests may be started for now; 0: no matter
	Swarming  bool    // peers may come: leave them different pieces than a plain download would
	StallTime time.Duration
	Elapsed   time.Duration // since the download began
}

// Run is one edge request: Count pieces from First on.
type Run struct {
	First, Count int
	Duplicate    bool  // peers are at it, too: whoever is first wins
	Skip         int64 // bytes at its beginning that peers have delivered, and that are not asked for again
}

const (
	enoughTime   = 3 * time.Second // of what peers give: with less to ask them for, something new must come from the edge
	enoughPieces = 4               // the same, for slow peers

	patience = 1.3 // an end game duplicate must be so much sooner than the peers
	queued   = 4   // times the silence that is allowed to a piece that nobody is asked for

	// What is asked of two sources is paid for twice, so a duplicate must gain so much.
	duplicateWorth = 300 * time.Millisecond // of one piece, by the edge
	duplicateShare = 0.05                   // of the time that the download has taken: the longer it is, the less a moment matters
	lendWorth      = time.Second            // of all that the edge is at, by peers
)

// Pick returns the edge requests to start now, at most v.Slots. Pieces that peers are worst at come first: those
// that nobody connected has, then those whose peers have stalled, then the rarest; and at the end, what peers would
// deliver later than the edge.
func Pick(v View) []Run {
	if v.Slots <= 0 {
		return nil
	}
	p := &picking{View: v, taken: map[int]bool{}}
	if v.Allowance <= 0 {
		if v.Peers > 0 {
			p.inject()
			if len(p.runs) > 0 || p.anyUntouched() {
				return p.runs
			}
		}
		p.Allowance = Unlimited // also while the edge rests: it leaves peers what they are at, not what they cannot finish
	}
	if !v.Swarming {
		p.sequential()
		return p.runs
	}
	p.free()
	p.stalled()
	if len(p.runs) == 0 && !p.Wait {
		p.endGame()
	}
	return p.runs
}

// picking is the state of one Pick.
type picking struct {
	View
	runs  []Run
	taken map[int]bool // pieces of runs
}

func (p *picking) full() bool {
	return len(p.runs) >= p.Slots || p.Ahead > 0 && len(p.taken) >= p.Ahead
}

func (p *picking) take(r Run) {
	for i := r.First; i < r.First+r.Count; i++ {
		p.taken[i] = true
	}
	p.runs = append(p.runs, r)
}

// untouched tells whether nobody is at piece i, as far as one knows.
func (p *picking) untouched(i int) bool {
	x := &p.Pieces[i]
	return !(p.Wait && p.Turns[i] > 0) && !p.Done[i] && !x.Claimed && x.Outstanding == 0 && x.Received == 0 && !p.taken[i]
}

func (p *picking) anyUntouched() bool {
	for i := range p.Pieces {
		if p.untouched(i) {
			return true
		}
	}
	return false
}

// sequential serves a download that has no peers: long runs from the front, so that the disk is
// written in order.
func (p *picking) sequential() {
	left := 0
	for i := range p.Pieces {
		if p.untouched(i) {
			left++
		}
	}
	longest := max(1, min(p.RunLength, left/max(1, 2*(p.Slots+p.UnderWay)))) // the last pieces are spread over all requests
	for i := 0; i < len(p.Pieces) && !p.full(); i++ {
		if p.untouched(i) {
			p.take(p.runFrom(i, longest))
		}
	}
}

// runFrom returns a run of untouched pieces that begins at one.
func (p *picking) runFrom(first, longest int) Run {
	r := Run{First: first, Count: 1}
	for r.Count < longest && first+r.Count < len(p.Pieces) && p.untouched(first+r.Count) {
		r.Count++
	}
	return r
}

// free picks among pieces that nobody is at: the rarest first, of these the one whose turn is nearest, from the cursor on.
func (p *picking) free() {
	longest := max(1, p.RunLength)
	for !p.full() {
		first := p.first(func(i int) bool { return p.Pieces[i].Coming == 0 || p.PeerRate < p.EdgeRate })
		if first < 0 {
			return
		}
		p.take(p.runFrom(first, p.within(longest)))
	}
}

// first returns the untouched piece to fetch first among those that may be; -1: there is none.
func (p *picking) first(may func(i int) bool) int {
	best, n := -1, len(p.Pieces)
	for k := range n {
		i := (p.Cursor + k) % n
		if p.untouched(i) && may(i) && (best < 0 || cmp.Or(cmp.Compare(p.frequency(i), p.frequency(best)), cmp.Compare(p.Turns[i], p.Turns[best])) < 0) {
			best = i
		}
	}
	return best
}

// frequency is how many connected peers have piece i, or will have it soon.
func (p *picking) frequency(i int) int { return p.Pieces[i].Holders + p.Pieces[i].Coming }

// within is the longest run that Ahead leaves room for.
func (p *picking) within(longest int) int {
	if p.Ahead > 0 {
		return max(1, min(longest, p.Ahead-len(p.taken)))
	}
	return longest
}

// inject fetches pieces that nobody connected has, though the edge rests. All of them lack such a piece, so one has to fetch
// it for all: whose turn it is does so at once, and the others only when peers will soon have nothing left to give.
func (p *picking) inject() {
	others := p.UnderWay == 0 && p.hungry()
	for !p.full() {
		next := p.first(func(i int) bool { return p.frequency(i) == 0 && (p.Turns[i] == 0 || others) })
		if next < 0 {
			return
		}
		p.take(Run{First: next, Count: 1})
	}
}

// hungry tells whether peers have little left that this client lacks.
func (p *picking) hungry() bool {
	supply := 0.0
	for i := range p.Pieces {
		if x := &p.Pieces[i]; !p.Done[i] && x.Holders > 0 {
			supply += float64(max(0, p.PieceLength-x.Received))
		}
	}
	return supply < max(p.PeerRate*enoughTime.Seconds(), enoughPieces*float64(p.PieceLength))
}

// stalled takes over pieces whose peers have gone silent. A piece that peers are still asked for may only wait for
// its turn at a healthy one, behind a second or two of other requests, so it gets longer.
func (p *picking) stalled() {
	for i := range p.Pieces {
		x := &p.Pieces[i]
		if p.full() {
			return
		}
		silence := p.StallTime
		if x.Outstanding > 0 {
			silence *= queued
		}
		if begun := x.Outstanding > 0 || x.Received > 0; begun && !p.Done[i] && !x.Claimed && !p.taken[i] && x.Idle >= silence {
			p.take(p.duplicate(i))
		}
	}
}

// duplicate is a request for what peers have begun. What they have delivered of it without a gap is kept.
func (p *picking) duplicate(i int) Run {
	return Run{First: i, Count: 1, Duplicate: true, Skip: p.Pieces[i].Prefix}
}

// endGame asks the edge for the piece that peers would finish last, if the edge is clearly sooner. One
// at a time: each changes what the next is worth. Peers need as long as all of them for all that is left, and as long as
// whoever is at that piece has needed so far: near the end most of them have nothing to do. Who has been silent about it for a while will
// be so for as long again.
func (p *picking) endGame() {
	left, worst, longest := int64(0), -1, -1.0
	for i := range p.Pieces {
		x := &p.Pieces[i]
		if p.Done[i] || x.Claimed {
			continue
		}
		rest := max(0, p.PieceLength-x.Received)
		left += rest
		need := float64(rest) / max(p.PeerRate, 1)
		if x.Received > 0 {
			need = max(need, x.Age.Seconds()*float64(rest)/float64(x.Received))
		}
		if x.Outstanding > 0 || x.Received > 0 {
			need = max(need, x.Idle.Seconds())
		}
		if need > longest {
			worst, longest = i, need
		}
	}
	if worst < 0 || p.EdgeRate <= 0 {
		return
	}
	peersNeed := max(float64(left)/max(p.PeerRate, 1), longest)
	edgeNeeds := float64(max(0, p.PieceLength-p.Pieces[worst].Prefix)) / min(p.EdgeRate, p.Allowance)
	worth := max(duplicateWorth.Seconds(), duplicateShare*p.Elapsed.Seconds())
	if peersNeed >= patience*edgeNeeds+worth {
		p.take(p.duplicate(worst))
	}
}

// Lend tells whether peers should be asked for what the edge is at: nothing else is left for them, and they would
// be done clearly sooner. It is the end game seen from the other side.
func Lend(v View) bool {
	claimed := 0
	for i := range v.Pieces {
		switch p := &v.Pieces[i]; {
		case v.Done[i]:
		case p.Claimed:
			claimed++
		case p.Outstanding == 0 && p.Received == 0:
			return false
		}
	}
	if claimed == 0 || v.Peers == 0 || v.PeerRate <= 0 {
		return false
	}
	bytes := float64(claimed) * float64(v.PieceLength)
	return bytes/max(v.EdgeRate, 1) > patience*bytes/v.PeerRate+lendWorth.Seconds()
}

// Package hybrid decides which source fetches which piece, and how fast the edge may go: the heart of
// the product. It is a pure function of what it is shown: it must never do I/O, read a clock, start a
// goroutine or take a lock, so that tables, simulations and the real thing run the same code.
package hybrid

import "time"

// Piece is what the picker sees of one missing piece.
type Piece struct {
	Claimed     bool          // an edge request for it is under way
	Outstanding int           // chunks asked of peers
	Received    int64         // bytes of it that peers have delivered
	Holders     int           // connected peers that have it
	Idle        time.Duration // since a peer last delivered a chunk of it, or was asked for it
}

// View is what the picker sees. Pieces[i] is nil when piece i is verified.
type View struct {
	Pieces      []Piece
	Done        []bool // verified
	PieceLength int64
	Cursor      int // where this client starts to look; differs from client to client

	Allowance float64 // bytes a second for the edge, from the pacer
	EdgeRate  float64 // bytes a second that one more request can count on, all requests together
	PeerRate  float64 // bytes a second from all peers
	Slots     int     // edge requests that may be started now
	Peers     int     // connected peers that deliver, or have just been connected
	Long      bool    // requests of several pieces are welcome: nobody else wants the pieces
	Swarming  bool    // peers may come: leave them different pieces than a plain download would
	StallTime time.Duration
}

// Run is one edge request: Count pieces from First on.
type Run struct {
	First, Count int
	Duplicate    bool // peers are at it, too: whoever is first wins
}

const (
	longestRun = 8   // pieces: one request of 8 MiB keeps the cost of requests below 1%
	patience   = 1.3 // an end game duplicate must be so much sooner than the peers
)

// Pick returns the edge requests to start now, at most v.Slots. Pieces that peers are worst at come first: those
// that nobody connected has, then those whose peers have stalled, then the rarest; and at the end, what peers would
// deliver later than the edge.
func Pick(v View) []Run {
	if v.Slots <= 0 || v.Allowance <= 0 {
		if v.Slots > 0 && v.Peers == 0 {
			v.Allowance = Unlimited
		} else {
			return nil
		}
	}
	if !v.Swarming {
		return sequential(v)
	}
	runs := free(v)
	if len(runs) < v.Slots {
		runs = append(runs, stalled(v, v.Slots-len(runs), runs)...)
	}
	if len(runs) == 0 {
		runs = endGame(v)
	}
	return runs
}

// sequential serves a download that has no peers: long runs from the front, so that the disk is
// written in order.
func sequential(v View) (runs []Run) {
	left := 0
	for i := range v.Pieces {
		if v.untouched(i) {
			left++
		}
	}
	longest := max(1, min(longestRun, left/max(1, 2*v.Slots))) // the last pieces are spread over all requests
	for i := 0; i < len(v.Pieces) && len(runs) < v.Slots; i++ {
		if !v.untouched(i) {
			continue
		}
		run := Run{First: i, Count: 1}
		for i+1 < len(v.Pieces) && run.Count < longest && v.untouched(i+1) {
			run.Count++
			i++
		}
		runs = append(runs, run)
	}
	return runs
}

func (v *View) untouched(i int) bool {
	p := &v.Pieces[i]
	return !v.Done[i] && !p.Claimed && p.Outstanding == 0 && p.Received == 0
}

// free picks among pieces that nobody is at, the rarest first, from the cursor on. Nobody's pieces
// come in short runs; a piece that peers hold comes alone, so that a lowered allowance binds soon.
func free(v View) (runs []Run) {
	n := len(v.Pieces)
	rarest := rarities(v)
	for _, holders := range rarest {
		for k := 0; k < n && len(runs) < v.Slots; k++ {
			i := (v.Cursor + k) % n
			if v.Pieces[i].Holders != holders || !v.untouched(i) {
				continue
			}
			run := Run{First: i, Count: 1}
			for v.Long && run.Count < longestRun/2 && i+run.Count < n && v.untouched(i+run.Count) {
				run.Count++
				k++
			}
			runs = append(runs, run)
		}
	}
	return runs
}

// rarities returns the numbers of holders that occur among untouched pieces, in rising order.
func rarities(v View) (list []int) {
	var seen [64]bool
	for i := range v.Pieces {
		if v.untouched(i) {
			seen[min(v.Pieces[i].Holders, len(seen)-1)] = true
		}
	}
	for h, ok := range seen {
		if ok {
			list = append(list, h)
		}
	}
	return list
}

// stalled takes over pieces whose peers have gone silent.
func stalled(v View, slots int, taken []Run) (runs []Run) {
	isTaken := map[int]bool{}
	for _, r := range taken {
		for i := range r.Count {
			isTaken[r.First+i] = true
		}
	}
	for i := range v.Pieces {
		p := &v.Pieces[i]
		if len(runs) == slots {
			break
		}
		if v.Done[i] || p.Claimed || isTaken[i] || v.untouched(i) || p.Idle < v.StallTime {
			continue
		}
		runs = append(runs, Run{First: i, Count: 1, Duplicate: true})
	}
	return runs
}

// endGame asks the edge for the piece that peers would finish last, if the edge is clearly sooner. One
// at a time: each changes what the next is worth.
func endGame(v View) []Run {
	left, worst, worstLeft := int64(0), -1, int64(0)
	for i := range v.Pieces {
		p := &v.Pieces[i]
		if v.Done[i] {
			continue
		}
		rest := max(0, v.PieceLength-p.Received)
		if p.Claimed {
			continue
		}
		left += rest
		if rest > worstLeft {
			worst, worstLeft = i, rest
		}
	}
	if worst < 0 || v.EdgeRate <= 0 {
		return nil
	}
	peersNeed := float64(left) / max(v.PeerRate, 1)
	edgeNeeds := float64(v.PieceLength) / min(v.EdgeRate, v.Allowance)
	if peersNeed < patience*edgeNeeds {
		return nil
	}
	return []Run{{First: worst, Count: 1, Duplicate: true}}
}

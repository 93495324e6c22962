package hybrid

import "testing"

// All who know each other agree on whose turn a piece is, and each has about as many turns.
func TestTurnsAreSharedOut(t *testing.T) {
	const pieces, share = 1000, 1000 / 5
	clients := []uint64{3, 1 << 60, 77, 0, 0xdeadbeef}
	turns := make([]int, pieces)
	for k, self := range clients {
		var others []uint64
		others = append(append(others, clients[k+1:]...), clients[:k]...)
		places := make([]int, pieces)
		Turns(places, self, others)
		count := 0
		for i, before := range places {
			if before == 0 {
				turns[i]++
				count++
			}
		}
		if count < share/2 || count > 2*share {
			t.Errorf("client %d has %d turns of %d", k, count, pieces)
		}
	}
	for i, n := range turns {
		if n != 1 {
			t.Errorf("piece %d is the turn of %d clients", i, n)
		}
	}
}

func TestWhoComesMovesOnlyItsOwnTurns(t *testing.T) {
	before, after := make([]int, 1000), make([]int, 1000)
	Turns(before, 1, []uint64{2, 3})
	Turns(after, 1, []uint64{2, 3, 4})
	for i := range before {
		if after[i] == 0 && before[i] != 0 {
			t.Errorf("piece %d became this client's turn when another came", i)
		}
	}
}

func TestAloneEachPieceIsOnesTurn(t *testing.T) {
	places := make([]int, 10)
	Turns(places, 7, nil)
	for i, before := range places {
		if before != 0 {
			t.Errorf("piece %d is nobody's turn", i)
		}
	}
}

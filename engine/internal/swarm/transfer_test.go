package swarm

import (
	"testing"
)

func TestLeecherTakesWholeObjectFromSeeder(t *testing.T) {
	for _, shape := range []struct {
		name          string
		length, piece int
	}{
		{"many pieces", 5<<20 + 12345, 256 << 10},
		{"one short piece", 1000, 256 << 10},
		{"exactly one piece", 256 << 10, 256 << 10},
		{"pieces of one block", 40*16<<10 + 1, 16 << 10},
		{"piece that is no multiple of a chunk", 900 << 10, 512 << 10},
	} {
		t.Run(shape.name, func(t *testing.T) {
			o := makeObject(shape.length, shape.piece)
			seeder := newClient(t, "seeder", o.full(t))
			leecher := newClient(t, "leecher", o.empty(t))
			connect(t, seeder, leecher)
			wait(t, leecher.mem)
			leecher.diary.until(t, "all pieces credited", func() bool { return len(leecher.diary.verified) == o.Pieces })
			for i := range o.Pieces {
				if got := leecher.diary.verified[i]; got != int64(len(o.piece(i))) {
					t.Errorf("piece %d: %d bytes credited, want %d", i, got, len(o.piece(i)))
				}
			}
			if got := leecher.Totals(); got != (Totals{Received: o.Length}) {
				t.Errorf("leecher's totals: %+v", got)
			}
			seeder.Leave() // so that the last block is counted
			if got := seeder.Totals(); got != (Totals{Sent: o.Length}) {
				t.Errorf("seeder's totals: %+v", got)
			}
		})
	}
}

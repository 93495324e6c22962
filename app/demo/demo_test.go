package main

import (
	"strings"
	"testing"
	"time"
)

func TestProgressIsAPicture(t *testing.T) {
	for _, c := range []struct {
		edge, peers, total int64
		want               string
	}{
		{0, 0, 100, "  ··········   0%  note\n"},
		{30, 0, 100, "  ███·······  30%  note\n"},
		{30, 40, 100, "  ███▒▒▒▒···  70%  note\n"},
		{35, 65, 100, "  ███▒▒▒▒▒▒▒ 100%  note\n"},
		{0, 0, 0, "  ··········   0%  note\n"},
	} {
		var out strings.Builder
		s := &screen{out: &out, width: 10}
		s.progress(c.edge, c.peers, c.total, "note")
		if out.String() != c.want {
			t.Errorf("progress(%d, %d, %d) = %q; want %q", c.edge, c.peers, c.total, out.String(), c.want)
		}
	}
}

func TestProgressIsSparseWithoutTerminal(t *testing.T) {
	var out strings.Builder
	s := &screen{out: &out, width: 10}
	for i := range int64(100) {
		s.progress(i, 0, 100, "")
	}
	if lines := strings.Count(out.String(), "\n"); lines != 1 {
		t.Errorf("%d lines at once; want 1", lines)
	}
}

func TestTheEdgeAloneTakesHalfAMinute(t *testing.T) {
	for _, size := range []int64{50e6, 230e6, 600e6} {
		r := ratesFor(size)
		took := time.Duration(float64(size) / float64(r.edge) * float64(time.Second))
		if took < 30*time.Second || took > 45*time.Second {
			t.Errorf("%d bytes at %d bytes/s take %s", size, r.edge, took)
		}
	}
	if small, big := ratesFor(1), ratesFor(1<<40); small.edge != 1_000_000 || big.edge != 20_000_000 {
		t.Errorf("the edge's rate is not kept between 8 and 160 Mbit/s: %d, %d bytes/s", small.edge, big.edge)
	}
}

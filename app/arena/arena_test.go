package arena

import (
	"net/netip"
	"strings"
	"testing"
)

func TestEdgeIsBack(t *testing.T) {
	series := func(rates ...float64) (list []Sample) {
		for i, r := range rates {
			list = append(list, Sample{At: float64(i+1) / 10, Edge: r})
		}
		return list
	}
	for name, test := range map[string]struct {
		series []Sample
		want   float64
	}{
		"at once":             {series(5, 5, 40, 40, 40), 0},
		"after 0.2 s":         {series(5, 5, 5, 5, 40, 40, 40, 5), 0.2},
		"a peak is not back":  {series(5, 5, 40, 5, 5, 40, 40, 40), 0.3},
		"never":               {series(5, 5, 5, 5, 5), 0.3},
		"before it is no use": {series(40, 40, 5, 40, 40, 40), 0.1},
		"nothing was seen":    {nil, 0},
	} {
		if got := backAfter(test.series, 0.2, 40); got < test.want-0.001 || got > test.want+0.001 {
			t.Errorf("%s: %v s; want %v", name, got, test.want)
		}
	}
}

func TestTrackerTellsOfOthers(t *testing.T) {
	tr := &tracker{peers: map[netip.AddrPort]bool{}}
	anna, bert := netip.MustParseAddrPort("10.0.0.1:258"), netip.MustParseAddrPort("10.0.0.2:259")
	const head = "d8:intervali5e12:min intervali5e5:peers"
	for _, step := range []struct {
		who    netip.AddrPort
		leaves bool
		want   string
	}{
		{anna, false, "0:e"},
		{anna, false, "0:e"},
		{bert, false, "6:\x0a\x00\x00\x01\x01\x02e"},
		{anna, true, "6:\x0a\x00\x00\x02\x01\x03e"},
		{bert, false, "0:e"},
	} {
		if got := string(tr.answer(step.who, step.leaves)); got != head+step.want {
			t.Errorf("answer to %s = %q; want %q", step.who, got, head+step.want)
		}
	}
}

func TestTorrentNamesTracker(t *testing.T) {
	got := string(announcing([]byte("d10:created by9:Tributarye"), "http://x"))
	if want := "d8:announce8:http://x10:created by9:Tributarye"; got != want {
		t.Errorf("announcing() = %q; want %q", got, want)
	}
}

func TestContestantsHaveNames(t *testing.T) {
	for _, name := range Contestants() {
		if c, err := find(name); err != nil || c.name != name {
			t.Errorf("find(%s) = %s, %v", name, c.name, err)
		}
	}
	if err := Present("zebra"); err == nil || !strings.Contains(err.Error(), "zebra") {
		t.Errorf("Present(zebra) = %v", err)
	}
}

func TestPercentile(t *testing.T) {
	times := []float64{9, 1, 5, 3, 7, 2, 4, 6, 8, 10}
	for share, want := range map[float64]float64{0.5: 5, 0.95: 10, 0.9: 9, 1: 10, 0: 1} {
		if got := percentile(times, share); got != want {
			t.Errorf("percentile(%v) = %v; want %v", share, got, want)
		}
	}
}

package progress

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tributary-dl/tributary/engine/api"
)

// running is 62% of a download from an edge and four peers.
var running = api.Download{ID: "d1", Name: "debian.iso", State: api.StateDownloading, TotalBytes: 1000e6, VerifiedBytes: 620e6,
	BytesFromEdge: 200e6, BytesFromPeers: 420e6, Rate: 9_800_000, EdgeRate: 2_100_000, PeerRate: 7_700_000, Peers: 4, ETASeconds: 39}

func with(d api.Download, change func(*api.Download)) api.Download {
	change(&d)
	return d
}

func TestLine(t *testing.T) {
	retry := time.Date(2026, 11, 22, 12, 3, 0, 0, time.Local)
	tests := []struct {
		name     string
		download api.Download
		width    int
		want     string
	}{
		{"all fits", running, 120, "debian.iso  62%  [eeeeeepppppppppppp............]  9.8 MB/s  edge 2.1 · 4 peers 7.7 MB/s  ETA 39 s"},
		{"a small window", running, 80, "debian.iso  62%  [eeppppp.....]  9.8 MB/s  edge 2.1 · 4 peers 7.7 MB/s  ETA 39 s"},
		{"no room for the time left", running, 70, "debian.iso  62%  [eeppppp.....]  9.8 MB/s  edge 2.1 · 4 peers 7.7 MB/s"},
		{"no room for sources", running, 50, "debian.iso  62%  [eeeeppppppppp........]  9.8 MB/s"},
		{"no room for a bar", running, 30, "debian.iso  62%  9.8 MB/s"},
		{"no room at all", running, 12, "debian.…  6…"},
		{"edge alone", with(running, func(d *api.Download) { d.Peers, d.PeerRate = 0, 0 }), 100,
			"debian.iso  62%  [eeeeeepppppppppppp............]  9.8 MB/s  edge 2.1 MB/s  ETA 39 s"},
		{"one peer, slow", with(running, func(d *api.Download) { d.Peers, d.EdgeRate, d.PeerRate, d.Rate = 1, 300, 5, 305 }), 100,
			"debian.iso  62%  [eeeeeepppppppppppp............]  305 B/s  edge 300 · 1 peer 5 B/s  ETA 39 s"},
		{"after a restart", with(running, func(d *api.Download) { d.BytesFromEdge, d.BytesFromPeers = 100e6, 100e6 }), 60,
			"debian.iso  62%  [eeeppp============............]  9.8 MB/s"},
		{"size unknown", with(running, func(d *api.Download) { d.TotalBytes, d.ETASeconds = -1, -1 }), 80,
			"debian.iso  620 MB  9.8 MB/s  edge 2.1 · 4 peers 7.7 MB/s"},
		{"not quite done", with(running, func(d *api.Download) { d.VerifiedBytes, d.State = 999_999_999, api.StateFinishing }), 60,
			"debian.iso  99%  [eeeeeepppppppppppp===========.]  finishing"},
		{"queued", api.Download{URL: "https://a.example/f", State: api.StateQueued, TotalBytes: -1}, 60, "https://a.example/f  0 B  queued"},
		{"waiting", with(running, func(d *api.Download) {
			d.State, d.Problem = api.StateWaiting, &api.Problem{Title: "The edge is busy", RetryAt: &retry}
		}), 90, "debian.iso  62%  [eeeeppppppppp.........]  waiting: The edge is busy, next try at 12:03:00"},
		{"failed", with(running, func(d *api.Download) {
			d.State, d.Problem = api.StateFailed, &api.Problem{Title: "Disk full"}
		}), 70, "debian.iso  62%  [eeeeeepppppppppppp............]  failed: Disk full"},
		{"complete", with(running, func(d *api.Download) { d.State, d.VerifiedBytes = api.StateComplete, d.TotalBytes }), 100,
			"debian.iso  1.0 GB  complete, 32% from the edge, 68% from peers"},
		{"wide letters", with(running, func(d *api.Download) { d.Name = "東京の地図.iso" }), 50, "東京の地図.iso  62%  [eeeppppppp.......]  9.8 MB/s"},
		{"a name that plays tricks", with(running, func(d *api.Download) { d.Name = "a\x1b[2Jb\u202etxt.exe" }), 40, "a?[2Jb?txt.e…  62%  [eppp....]  9.8 MB/s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Line(tt.download, Style{Width: tt.width})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Line() (-want +got):\n%s", diff)
			}
			for w := 1; w < 150; w++ {
				if n := columns(Line(tt.download, Style{Width: w})); n > max(w, 10) {
					t.Errorf("Line() takes %d columns of %d", n, w)
				}
			}
		})
	}
}

func TestColours(t *testing.T) {
	got := Bar(running, 10, true)
	want := "[" + edgeColour + "██" + peerColour + "████" + noColour + restColour + "░░░░" + noColour + "]"
	if got != want {
		t.Errorf("Bar() = %q; want %q", got, want)
	}
	if strings.Contains(Line(running, Style{Width: 100}), "\x1b") {
		t.Error("a line without colours holds an escape sequence")
	}
}

// A snapshot whose figures do not fit together must not break the screen.
func TestBarBearsNonsense(t *testing.T) {
	for _, d := range []api.Download{
		{TotalBytes: 10, VerifiedBytes: 100, BytesFromEdge: 70, BytesFromPeers: 70},
		{TotalBytes: 10, VerifiedBytes: 5, BytesFromEdge: 9, BytesFromPeers: 9},
		{TotalBytes: 1 << 62, VerifiedBytes: 1 << 62, BytesFromEdge: 1 << 62, BytesFromPeers: 1 << 62},
	} {
		if n := columns(Bar(d, 20, false)); n != 22 {
			t.Errorf("Bar(%+v) takes %d columns; want 22", d, n)
		}
	}
}

func TestHuman(t *testing.T) {
	for n, want := range map[int64]string{-1: "unknown", 0: "0 B", 999: "999 B", 1000: "1.0 kB", 9_949: "9.9 kB", 9_951: "10 kB",
		999_499: "999 kB", 999_500: "1.0 MB", 1_500_000: "1.5 MB", 210e6: "210 MB", 3e9: "3.0 GB", 1<<63 - 1: "9223 PB"} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q; want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 s", 59: "59 s", 60: "1 min 00 s", 3599: "59 min 59 s", 3600: "1 h 00 min", 90000: "1 d 01 h"} {
		if got := Seconds(n); got != want {
			t.Errorf("Seconds(%d) = %q; want %q", n, got, want)
		}
	}
}

func TestScreenRedrawsInPlace(t *testing.T) {
	var out bytes.Buffer
	s := NewScreen(&out)
	s.Draw([]string{"one", "two"}, 24)
	s.Draw([]string{"one", "two", "three", "four"}, 4)
	s.Clear()
	want := "one\ntwo\n" + "\x1b[2A\r\x1b[J" + "one\ntwo\nand 2 more\n" + "\x1b[3A\r\x1b[J"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("screen (-want +got):\n%s", diff)
	}
}

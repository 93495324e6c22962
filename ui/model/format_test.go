package model_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/ui/model"
)

// plain shows the no-break spaces of formatted numbers as spaces.
func plain(s string) string { return strings.ReplaceAll(s, "\u00a0", " ") }

func TestBytes(t *testing.T) {
	tests := []struct {
		n    int64
		want string
	}{
		{-1, "?"}, {0, "0 B"}, {999, "999 B"}, {1000, "1 kB"}, {640_400, "640 kB"}, {999_499, "999 kB"}, {999_500, "1.0 MB"},
		{1_350_000_000, "1.4 GB"}, {19_600_000, "19.6 MB"}, {229_300_000, "229 MB"}, {4 << 40, "4.4 TB"}, {1<<63 - 1, "9.2 EB"},
	}
	for _, tt := range tests {
		if got := plain(model.Format{}.Bytes(tt.n)); got != tt.want {
			t.Errorf("Bytes(%d) = %q; want %q", tt.n, got, tt.want)
		}
	}
	if got := plain(model.Format{Decimal: ","}.Rate(19_600_000)); got != "19,6 MB/s" {
		t.Errorf("Rate() with a decimal comma = %q", got)
	}
}

func TestPercentSaysAHundredOnlyWhenNothingIsMissing(t *testing.T) {
	for share, want := range map[float64]string{0: "0%", 0.23: "23%", 0.58: "58%", 0.9999: "99%", 1: "100%"} {
		if got := model.Percent(share); got != want {
			t.Errorf("Percent(%v) = %q; want %q", share, got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want string
	}{
		{0, "0 s"}, {9 * time.Second, "9 s"}, {60 * time.Second, "1 min"}, {177 * time.Second, "2 min 57 s"},
		{3*time.Hour + 5*time.Minute + 9*time.Second, "3 h 5 min"}, {52 * time.Hour, "2 d 4 h"}, {24 * time.Hour, "1 d"},
	}
	for _, tt := range tests {
		if got := plain(model.Format{}.Span(tt.d)); got != tt.want {
			t.Errorf("Span(%v) = %q; want %q", tt.d, got, tt.want)
		}
	}
	chinese := model.Format{Minute: "分", Second: "秒", Tight: true}
	if got := plain(chinese.Span(177 * time.Second)); got != "2分 57秒" {
		t.Errorf("Span() in Chinese = %q", got)
	}
}

func TestParseBytes(t *testing.T) {
	tests := []struct {
		text string
		want int64
		bad  bool
	}{
		{text: "", want: 0}, {text: "0", want: 0}, {text: "1024", want: 1024}, {text: " 20 MB/s ", want: 20e6}, {text: "1,5 gb", want: 15e8},
		{text: "500k", want: 5e5}, {text: "2 MiB", want: 2 << 20}, {text: "20\u00a0MB", want: 20e6},
		{text: "-5 MB", bad: true}, {text: "fast", bad: true}, {text: "5 parsecs", bad: true}, {text: "1e300", bad: true}, {text: "NaN", bad: true},
		{text: "MB", bad: true}, {text: "99999999 TB", bad: true}, {text: "1.2.3 MB", bad: true},
	}
	for _, tt := range tests {
		got, err := model.ParseBytes(tt.text)
		if errors.Is(err, model.ErrNotASize) != tt.bad || got != tt.want {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d, bad: %v", tt.text, got, err, tt.want, tt.bad)
		}
	}
}

// What the program writes it can read again: the settings page shows a limit and parses it back.
func TestParseBytesReadsWhatBytesWrites(t *testing.T) {
	for _, f := range []model.Format{{}, {Decimal: ","}} {
		for _, n := range []int64{0, 500, 20_000, 1_500_000, 20_000_000, 50_000_000_000} {
			if got, err := model.ParseBytes(f.Bytes(n)); got != n || err != nil {
				t.Errorf("ParseBytes(%q) = %d, %v; want %d", f.Bytes(n), got, err, n)
			}
		}
	}
}

func FuzzParseBytes(f *testing.F) {
	f.Add("20 MB/s")
	f.Add("1,5 GiB")
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := model.ParseBytes(text); n < 0 || err != nil && n != 0 {
			t.Errorf("ParseBytes(%q) = %d, %v", text, n, err)
		}
	})
}

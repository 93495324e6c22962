package bytesize

import "testing"

func TestParse(t *testing.T) {
	good := map[string]int64{
		"0": 0, "1": 1, "250000": 250_000, "500K": 500_000, "500k": 500_000, "10M": 10_000_000, "10MB": 10_000_000,
		"10 MB/s": 10_000_000, "10MiB": 10 << 20, "10Mi/s": 10 << 20, "1.5G": 1_500_000_000, "2T": 2e12, " 7 B ": 7,
		"0.5K": 500, "1.0001K": 1000, "9223372036854775807": 1<<63 - 1,
	}
	for text, want := range good {
		if got, err := Parse(text); got != want || err != nil {
			t.Errorf("Parse(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", "M", "-1", "-1K", "ten", "10X", "10KK", "1e9", "1..5K", "0x10", "10i", "NaN", "Inf", "0.1", "9223372036854775808", "99999999T", "10M/h", "1,5M"} {
		if got, err := Parse(text); err == nil {
			t.Errorf("Parse(%q) = %d; want an error", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"500K", "1.5 GiB/s", "-1", "9223372036854775807", "..", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if n, err := Parse(text); err == nil && n < 0 {
			t.Errorf("Parse(%q) = %d", text, n)
		}
	})
}

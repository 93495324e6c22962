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

func TestFormat(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 1: "1", 999: "999", 1000: "1K", 1024: "1Ki", 1500: "1.5K", 1_500_000: "1.5M", 10e6: "10M", 65536: "64Ki",
		50 << 30: "50Gi", 123_456: "123456", 100e9: "100G", 3 << 40: "3Ti", 1<<63 - 1: "9223372036854775807"} {
		if got := Format(n); got != want {
			t.Errorf("Format(%d) = %q; want %q", n, got, want)
		}
	}
}

// Whatever is written is read back as it was.
func FuzzFormat(f *testing.F) {
	f.Add(int64(0))
	f.Add(int64(1<<63 - 1))
	f.Add(int64(5_497_558_138_880))
	f.Fuzz(func(t *testing.T, n int64) {
		if n < 0 {
			return
		}
		if back, err := Parse(Format(n)); back != n || err != nil {
			t.Errorf("Parse(%q) = %d, %v; want %d", Format(n), back, err, n)
		}
	})
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

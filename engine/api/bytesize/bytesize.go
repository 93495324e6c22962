// Package bytesize reads and writes numbers of bytes as people do, alike in the command line, the window and the advice for
// administrators. It must never depend on a language or on anything of ours.
package bytesize

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// units of sizes and rates. K, M, G and T are powers of 1000, as on the labels of disks and lines;
// with an i they are powers of 1024.
var units = map[string]float64{
	"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12,
	"ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30, "ti": 1 << 40,
}

// Parse reads a number of bytes as people write it: "500K", "1.5M", "10 MiB/s", "250000". A B and a
// "/s" at the end say nothing and may be left out. It refuses negative numbers and fractions of a byte.
func Parse(text string) (int64, error) {
	rest := strings.ToLower(strings.TrimSpace(text))
	rest = strings.TrimSuffix(strings.TrimSuffix(rest, "/s"), "b")
	digits := strings.TrimRight(rest, "kmgti ")
	factor, known := units[strings.TrimSpace(rest[len(digits):])]
	if !known || digits == "" || strings.Trim(digits, "0123456789.") != "" {
		return 0, fmt.Errorf("%q is not a number of bytes like 500K, 10M or 1.5GiB", text)
	}
	if exact, err := strconv.ParseInt(digits, 10, 64); err == nil && factor == 1 {
		return exact, nil
	}
	number, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number of bytes like 500K, 10M or 1.5GiB", text)
	}
	n := number * factor
	if n >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is more than fits", text)
	}
	if n > 0 && n < 1 {
		return 0, fmt.Errorf("%q is less than one byte", text)
	}
	return int64(math.Round(n)), nil
}

// Format writes a number of bytes so that Parse reads the very same: with the unit that makes it shortest, "50Gi" or
// "1.5M", and without one where it would have to be rounded.
func Format(n int64) string {
	best := strconv.FormatInt(n, 10) + " " // a unit is easier to read than as many digits
	for _, unit := range []string{"K", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"} {
		text := strconv.FormatFloat(float64(n)/units[strings.ToLower(unit)], 'f', -1, 64)
		if _, decimals, _ := strings.Cut(text, "."); len(decimals) > 2 || len(text+unit) >= len(best) {
			continue
		}
		if back, err := Parse(text + unit); err == nil && back == n {
			best = text + unit
		}
	}
	return strings.TrimSpace(best)
}

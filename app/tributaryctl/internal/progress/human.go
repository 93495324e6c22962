package progress

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Bytes shows a size for people: three digits and a decimal unit, as on the labels of disks and lines.
func Bytes(n int64) string {
	if n < 0 {
		return "unknown"
	}
	number, unit := scale(n)
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return number + " " + unit
}

// Rate shows bytes a second.
func Rate(n int64) string { return Bytes(max(0, n)) + "/s" }

// Limit shows a setting in which 0 means no limit.
func Limit(n int64) string {
	if n == 0 {
		return "none"
	}
	return Rate(n)
}

// scale returns n with at most three digits, and the unit that belongs to them.
func scale(n int64) (number, unit string) {
	f := float64(n)
	for _, unit = range []string{"B", "kB", "MB", "GB", "TB", "PB"} {
		if f < 999.5 || unit == "PB" {
			break
		}
		f /= 1000
	}
	if f < 9.95 && unit != "B" {
		return fmt.Sprintf("%.1f", f), unit
	}
	return fmt.Sprintf("%.0f", f), unit
}

// Seconds shows a time to wait or a time taken: the two largest units.
func Seconds(n int64) string {
	switch {
	case n < 60:
		return fmt.Sprintf("%d s", n)
	case n < 3600:
		return fmt.Sprintf("%d min %02d s", n/60, n%60)
	case n < 86400:
		return fmt.Sprintf("%d h %02d min", n/3600, n%3600/60)
	}
	return fmt.Sprintf("%d d %02d h", n/86400, n%86400/3600)
}

// Clock shows when something happens next, in local time.
func Clock(t time.Time) string { return t.Local().Format("15:04:05") }

// Clean makes text from the network harmless to a terminal: control characters, with which it could move
// the cursor or rename the window, and those that turn the direction of writing, become question marks.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, text)
}

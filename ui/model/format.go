package model

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tributary-dl/tributary/engine/api/bytesize"
)

// Format writes numbers the way a language does. The zero value writes English.
type Format struct {
	Decimal                   string // "." or ","
	Day, Hour, Minute, Second string // short units: "d", "h", "min", "s"
	Tight                     bool   // no space before a unit of time, as in Chinese and Japanese
}

var byteUnits = []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}

// Bytes writes a size with two or three digits and decimal units, as disks and providers count: 1.3 GB, 640 kB, 12 B.
func (f Format) Bytes(n int64) string {
	if n < 0 {
		return "?"
	}
	value, unit := float64(n), 0
	for value >= 999.5 && unit < len(byteUnits)-1 {
		value, unit = value/1000, unit+1
	}
	places := 0
	if unit > 1 && value < 99.95 { // kilobytes need no fractions
		places = 1
	}
	return f.number(value, places) + "\u00a0" + byteUnits[unit]
}

// Rate writes bytes a second.
func (f Format) Rate(n int64) string { return f.Bytes(max(n, 0)) + "/s" }

func (f Format) number(value float64, places int) string {
	s := strconv.FormatFloat(value, 'f', places, 64)
	if f.Decimal != "" && f.Decimal != "." {
		s = strings.Replace(s, ".", f.Decimal, 1)
	}
	return s
}

// Percent writes a share of 0 to 1. It says 100 only when nothing is missing.
func Percent(share float64) string {
	return strconv.Itoa(int(math.Floor(share*100+1e-9))) + "%"
}

// Span writes a length of time with its two largest units: 53 s, 2 min 57 s, 3 h 5 min, 2 d 4 h.
func (f Format) Span(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	units := []struct {
		seconds int64
		name    string
	}{{86400, or(f.Day, "d")}, {3600, or(f.Hour, "h")}, {60, or(f.Minute, "min")}, {1, or(f.Second, "s")}}
	for i, u := range units {
		if s < u.seconds && u.seconds > 1 {
			continue
		}
		text := f.unit(s/u.seconds, u.name)
		if i+1 < len(units) {
			if rest := s % u.seconds / units[i+1].seconds; rest > 0 {
				text += "\u00a0" + f.unit(rest, units[i+1].name)
			}
		}
		return text
	}
	return ""
}

func (f Format) unit(n int64, name string) string {
	if f.Tight {
		return fmt.Sprint(n, name)
	}
	return fmt.Sprintf("%d\u00a0%s", n, name)
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// ErrNotASize is what ParseBytes says of a text that is no size.
var ErrNotASize = errors.New("not a size")

// ParseBytes reads a size as people type it in any language: as bytesize.Parse does, and with a comma before the fraction
// or space of any kind. An empty text is 0, which settings take as no limit.
func ParseBytes(text string) (int64, error) {
	s := strings.ReplaceAll(strings.Join(strings.Fields(text), ""), ",", ".")
	if s == "" {
		return 0, nil
	}
	n, err := bytesize.Parse(s)
	if err != nil {
		return 0, fmt.Errorf("read %.40q: %w", text, ErrNotASize)
	}
	return n, nil
}

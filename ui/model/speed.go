package model

import "time"

// Sample is what arrived at one moment, in bytes a second.
type Sample struct {
	At          time.Time
	Edge, Peers int64
}

// History remembers the speed by source of the last minutes. Give it a length with NewHistory.
type History struct {
	samples []Sample // oldest first
	span    time.Duration
}

// NewHistory returns a history that forgets what is older than span.
func NewHistory(span time.Duration) *History { return &History{span: span} }

// Push adds a sample. One that is not newer than the last is ignored: clocks are set back.
func (h *History) Push(s Sample) {
	if n := len(h.samples); n > 0 && !s.At.After(h.samples[n-1].At) {
		return
	}
	h.samples = append(h.samples, s)
	old := 0
	for old < len(h.samples)-1 && s.At.Sub(h.samples[old].At) > h.span {
		old++
	}
	h.samples = append(h.samples[:0], h.samples[old:]...)
}

// Peak is the highest sum of both sources, bytes a second.
func (h *History) Peak() int64 {
	var peak int64
	for _, s := range h.samples {
		peak = max(peak, s.Edge+s.Peers)
	}
	return peak
}

// Point is a sample on a graph: X runs from 0, the span ago, to 1, the newest sample.
type Point struct {
	X           float64
	Edge, Peers int64
}

// Points returns the samples for a graph.
func (h *History) Points() []Point {
	if len(h.samples) == 0 {
		return nil
	}
	now := h.samples[len(h.samples)-1].At
	points := make([]Point, len(h.samples))
	for i, s := range h.samples {
		points[i] = Point{X: 1 - float64(now.Sub(s.At))/float64(h.span), Edge: s.Edge, Peers: s.Peers}
	}
	return points
}

// Ceiling is the top of a graph's scale: the smallest of 1, 2, 5 times a power of ten that holds peak, so
// that the scale seldom changes and its lines have round labels. At least 100 kB/s.
func Ceiling(peak int64) int64 {
	for top := int64(100_000); ; top *= 10 {
		for _, times := range []int64{1, 2, 5} {
			if top*times >= peak || top > 1<<58 {
				return top * times
			}
		}
	}
}

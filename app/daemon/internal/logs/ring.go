// Package logs keeps what the service logs: in a file that is rotated by size, and in a ring of the newest
// lines for diagnostics. It must never log anything itself.
package logs

import (
	"bytes"
	"slices"
	"sync"
)

// longestLine is how much of one line the ring keeps, in bytes.
const longestLine = 4096

// Ring keeps the newest lines that are written to it. Each Write is one line, as slog's handlers do it.
type Ring struct {
	mu    sync.Mutex
	lines []string
	next  int // where the next line goes, once lines has its full length
	most  int
}

// NewRing returns a ring of at most most lines.
func NewRing(most int) *Ring { return &Ring{most: most} }

// Write keeps one line. It never fails.
func (r *Ring) Write(line []byte) (int, error) {
	text := bytes.TrimRight(line, "\n")
	kept := string(text[:min(len(text), longestLine)])
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) < r.most {
		r.lines = append(r.lines, kept)
	} else {
		r.lines[r.next] = kept
		r.next = (r.next + 1) % r.most
	}
	return len(line), nil
}

// Lines returns a copy of the lines, oldest first.
func (r *Ring) Lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Concat(r.lines[r.next:], r.lines[:r.next])
}

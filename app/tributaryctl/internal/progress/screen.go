package progress

import (
	"fmt"
	"io"
	"strings"
)

// Screen redraws a block of lines in place at the bottom of a terminal.
type Screen struct {
	out   io.Writer
	drawn int // lines of the last block
}

// NewScreen returns a screen on out, which must be a terminal.
func NewScreen(out io.Writer) *Screen { return &Screen{out: out} }

// Draw replaces the last block. Lines beyond height-1 are counted instead of shown, since a block that
// scrolls cannot be redrawn.
func (s *Screen) Draw(lines []string, height int) {
	if room := max(1, height-1); len(lines) > room {
		lines = append(lines[:room-1:room-1], fmt.Sprintf("and %d more", len(lines)-room+1))
	}
	// One write, so that the terminal never shows half a block.
	_, _ = io.WriteString(s.out, s.rewind()+strings.Join(lines, "\n")+"\n")
	s.drawn = len(lines)
}

// Clear removes the block, so that plain text can follow.
func (s *Screen) Clear() {
	_, _ = io.WriteString(s.out, s.rewind())
	s.drawn = 0
}

// rewind moves to the beginning of the last block and clears from there.
func (s *Screen) rewind() string {
	if s.drawn == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r\x1b[J", s.drawn)
}

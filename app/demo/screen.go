package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// screen writes what the demo tells. On a terminal a progress line is drawn over and over, in colour;
// elsewhere a new line comes now and then.
type screen struct {
	out      io.Writer
	terminal bool
	width    int       // of the bar, in characters
	line     string    // the last progress line, if it is not printed
	last     time.Time // when a progress line was printed last
}

func newScreen(f *os.File) *screen {
	return &screen{out: f, width: 40, terminal: term.IsTerminal(int(f.Fd()))}
}

// say writes a line.
func (s *screen) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// title writes a heading.
func (s *screen) title(text string) { s.say("\n%s", s.colour(bold, text)) }

// ANSI colours (ECMA-48 SGR): blue for the edge, green for peers, in the bar and in the summary.
const (
	bold  = "1"
	blue  = "34"
	green = "32"
)

func (s *screen) colour(code, text string) string {
	if !s.terminal {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Marks of the bar, different also without colours.
const (
	edgeMark = "█"
	peerMark = "▒"
)

// progress draws how much of total has come from the edge and from peers, with a note behind it. On a terminal
// it is called often; elsewhere most calls print nothing.
func (s *screen) progress(edge, peers, total int64, note string) {
	s.line = "  " + s.bar(edge, peers, total) + fmt.Sprintf(" %3d%%  %s", 100*(edge+peers)/max(1, total), note)
	if s.terminal {
		fmt.Fprint(s.out, "\r\x1b[K", s.line)
		return
	}
	const pause = 3 * time.Second
	if time.Since(s.last) >= pause {
		s.last = time.Now()
		s.say("%s", s.line)
		s.line = ""
	}
}

// endProgress leaves the last progress line standing.
func (s *screen) endProgress() {
	s.last = time.Time{}
	if s.terminal {
		s.line = ""
	}
	if s.terminal || s.line != "" {
		s.say("%s", s.line)
	}
	s.line = ""
}

func (s *screen) bar(edge, peers, total int64) string {
	cells := func(bytes int64) int { return int(bytes * int64(s.width) / max(1, total)) }
	fromEdge := cells(edge)
	fromPeers := cells(edge+peers) - fromEdge
	return s.colour(blue, strings.Repeat(edgeMark, fromEdge)) +
		s.colour(green, strings.Repeat(peerMark, fromPeers)) +
		strings.Repeat("·", max(0, s.width-fromEdge-fromPeers))
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func megabits(bytesPerSecond int64) string {
	return fmt.Sprintf("%.0f Mbit/s", float64(bytesPerSecond)*8/1e6)
}

// Package progress draws downloads on a terminal: one line each, with a bar whose two colours are the
// shares of edge and peers. Lines are pure functions of a snapshot; it must never ask the service for one.
package progress

import (
	"fmt"
	"strings"

	"github.com/tributary-dl/tributary/engine/api"
	"golang.org/x/text/width"
)

// Style says what the terminal can show.
type Style struct {
	Width  int // columns
	Colour bool
}

// Colours of a bar; letters take their place where colours are not wanted.
const (
	edgeColour = "\x1b[34m" // blue
	peerColour = "\x1b[35m" // violet
	restColour = "\x1b[90m" // grey
	noColour   = "\x1b[0m"
)

const (
	longestName = 32 // columns
	longestBar  = 30 // cells
	shortestBar = 8  // cells; with less room there is no bar
)

// Line shows one download in at most s.Width columns. What does not fit goes: first the time left, then the
// shares of the sources, then the bar.
func Line(d api.Download, s Style) string {
	name := cut(Clean(Name(d)), min(longestName, max(8, s.Width/3)))
	optional := details(d)
	for {
		text := strings.Join(append([]string{name, amount(d), "", state(d)}, optional...), "  ")
		room := s.Width - columns(text) - 2 // two brackets
		if d.TotalBytes > 0 && d.State != api.StateComplete && room >= shortestBar {
			bar := Bar(d, min(room, longestBar), s.Colour)
			return strings.Join(append([]string{name, amount(d), bar, state(d)}, optional...), "  ")
		}
		if len(optional) == 0 {
			return cut(strings.Join([]string{name, amount(d), state(d)}, "  "), s.Width)
		}
		if d.TotalBytes <= 0 && room >= 0 {
			return strings.Join(append([]string{name, amount(d), state(d)}, optional...), "  ")
		}
		optional = optional[:len(optional)-1]
	}
}

// Name is what to call a download before its name is known.
func Name(d api.Download) string {
	if d.Name != "" {
		return d.Name
	}
	return d.URL
}

// Bar shows the shares in cells: edge, peers, what was there before, and what is missing.
func Bar(d api.Download, cells int, colour bool) string {
	if d.TotalBytes <= 0 {
		return ""
	}
	verified := min(d.VerifiedBytes, d.TotalBytes)
	edge := min(d.BytesFromEdge, verified)
	peers := min(d.BytesFromPeers, verified-edge)
	at := func(bytes int64) int { return int(float64(bytes) / float64(d.TotalBytes) * float64(cells)) }
	edgeEnd, peersEnd, end := at(edge), at(edge+peers), at(verified)
	if colour {
		return "[" + edgeColour + strings.Repeat("█", edgeEnd) + peerColour + strings.Repeat("█", peersEnd-edgeEnd) +
			noColour + strings.Repeat("█", end-peersEnd) + restColour + strings.Repeat("░", cells-end) + noColour + "]"
	}
	return "[" + strings.Repeat("e", edgeEnd) + strings.Repeat("p", peersEnd-edgeEnd) +
		strings.Repeat("=", end-peersEnd) + strings.Repeat(".", cells-end) + "]"
}

// amount is how much is there: a share where the size is known, which is never 100% before all is.
func amount(d api.Download) string {
	if d.State == api.StateComplete || d.TotalBytes <= 0 {
		return Bytes(d.VerifiedBytes)
	}
	return fmt.Sprintf("%2.0f%%", min(99, 100*float64(d.VerifiedBytes)/float64(d.TotalBytes)))
}

// state is what happens now: the rate while bytes arrive, otherwise a word and its reason.
func state(d api.Download) string {
	switch d.State {
	case api.StateDownloading:
		return Rate(d.Rate)
	case api.StateComplete:
		return "complete, " + Shares(d)
	case api.StateWaiting, api.StateFailed, api.StateQueued: // a queued one may have failed before
		if d.Problem == nil {
			return string(d.State)
		}
		text := string(d.State) + ": " + Clean(d.Problem.Title)
		if d.Problem.RetryAt != nil {
			text += ", next try at " + Clock(*d.Problem.RetryAt)
		}
		return text
	}
	return string(d.State)
}

// Shares says in percent who delivered a download.
func Shares(d api.Download) string {
	total := d.BytesFromEdge + d.BytesFromPeers
	if total == 0 || d.BytesFromPeers == 0 {
		return "all from the edge"
	}
	peers := 100 * float64(d.BytesFromPeers) / float64(total)
	return fmt.Sprintf("%.0f%% from the edge, %.0f%% from peers", 100-peers, peers)
}

// details are the parts of a running download's line that may be left out, the least needed last.
func details(d api.Download) []string {
	if d.State != api.StateDownloading {
		return nil
	}
	edge, peers := scaleAlike(d.EdgeRate, d.PeerRate)
	sources := "edge " + edge + peers.unit
	if d.Peers > 0 {
		sources = fmt.Sprintf("edge %s · %s %s%s", edge, Count(d.Peers, "peer"), peers.number, peers.unit)
	}
	if d.ETASeconds < 0 {
		return []string{sources}
	}
	return []string{sources, "ETA " + Seconds(d.ETASeconds)}
}

type quantity struct{ number, unit string }

// scaleAlike shows two rates in the unit of the larger one, so that they can be compared at a glance.
func scaleAlike(a, b int64) (string, quantity) {
	_, unit := scale(max(a, b, 0))
	divisor := map[string]float64{"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15}[unit]
	decimals := 1
	if unit == "B" {
		decimals = 0
	}
	show := func(n int64) string { return fmt.Sprintf("%.*f", decimals, float64(max(0, n))/divisor) }
	return show(a), quantity{show(b), " " + unit + "/s"}
}

// Count shows how many there are of something whose plural is regular.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// columns is the room that text takes on a terminal; East Asian characters take two columns.
func columns(text string) (n int) {
	for _, r := range text {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// cut shortens text to room columns.
func cut(text string, room int) string {
	if columns(text) <= room {
		return text
	}
	var kept strings.Builder
	left := room - 1 // for the dots
	for _, r := range text {
		if left -= runeColumns(r); left < 0 {
			break
		}
		kept.WriteRune(r)
	}
	return kept.String() + "…"
}

package kit

import (
	"fmt"
	"image/color"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	stock "fyne.io/fyne/v2/theme"

	"github.com/tributary-dl/tributary/ui/model"
	"github.com/tributary-dl/tributary/ui/theme"
)

func newApp(t *testing.T) {
	t.Helper()
	test.NewTempApp(t).Settings().SetTheme(theme.New(theme.ModeDark))
}

func TestFit(t *testing.T) {
	measure := func(s string) float32 { return float32(len([]rune(s))) }
	tests := []struct {
		text  string
		width float32
		cut   bool
		want  string
	}{
		{"debian.iso", 10, true, "debian.iso"},
		{"debian.iso", 7, true, "debian…"},
		{"日本語の名前", 4, true, "日本語…"},
		{"debian.iso", 0, true, "…"},
		{"debian.iso", 3, false, "debian.iso"},
	}
	for _, tt := range tests {
		if got := fit(tt.text, tt.width, measure, tt.cut); got != tt.want {
			t.Errorf("fit(%q, %v) = %q; want %q", tt.text, tt.width, got, tt.want)
		}
	}
}

// The two parts of a bar always touch and never leave it.
func TestBar(t *testing.T) {
	newApp(t)
	for _, s := range [][2]float64{{0, 0}, {1, 0}, {0, 1}, {0.25, 0.5}, {0.4, 0.6}} {
		b := NewBar()
		b.Set(s[0], s[1])
		r := test.TempWidgetRenderer(t, b).(*barRenderer)
		b.Resize(fyne.NewSize(200, barHeight))
		if r.edge.Size().Width != r.peers.Position().X || r.peers.Position().X+r.peers.Size().Width > 200.01 {
			t.Errorf("shares %v: edge ends at %v, peers go from %v for %v", s, r.edge.Size().Width, r.peers.Position().X, r.peers.Size().Width)
		}
	}
}

func TestGridShowsEveryPieceAndFillsTheRoom(t *testing.T) {
	for _, pieces := range []int{1, 7, 100, 2000, 4096} {
		for _, size := range [][2]int{{375, 160}, {120, 100}, {800, 200}} {
			columns, rows, side := grid(pieces, size[0], size[1])
			name := fmt.Sprintf("%d pieces in %v: %d x %d cells of %.1f", pieces, size, columns, rows, side)
			if columns*rows < pieces && side > smallestCell+3 {
				t.Error(name, "leave some out although smaller cells would fit")
			}
			if float64(rows)*side > float64(size[1])+1 {
				t.Error(name, "do not fit")
			}
		}
	}
}

func TestPictures(t *testing.T) {
	newApp(t)
	look := theme.New(theme.ModeDark)
	m := NewPieceMap()
	m.Set("EP")
	picture := m.draw(44, 22)
	for x, name := range map[int]fyne.ThemeColorName{5: theme.Edge, 27: theme.Peers} {
		if got, want := color.NRGBAModel.Convert(picture.At(x, 5)), look.Color(name, 0); got != want {
			t.Errorf("the map shows %v at %d; want %s %v", got, x, name, want)
		}
	}
	g := NewGraph()
	g.Set([]model.Point{{X: 0, Edge: 50, Peers: 50}, {X: 1, Edge: 50, Peers: 50}}, 200)
	picture = g.draw(100, 101)
	for y, name := range map[int]fyne.ThemeColorName{90: theme.EdgeFill, 60: theme.PeersFill} {
		if got, want := color.NRGBAModel.Convert(picture.At(50, y)), look.Color(name, 0); got != want {
			t.Errorf("the graph shows %v at height %d; want %s %v", got, y, name, want)
		}
	}
	for _, size := range [][2]int{{0, 0}, {1, 1}, {3, 1}} { // while a window is laid out, sizes may be absurd
		g.draw(size[0], size[1])
		m.draw(size[0], size[1])
	}
}

func TestSegmented(t *testing.T) {
	newApp(t)
	var chosen []int
	s := NewSegmented("Off", "LAN", "On")
	s.OnChanged = func(i int) { chosen = append(chosen, i) }
	w := test.NewTempWindow(t, s)
	w.Resize(fyne.NewSize(300, 60))
	test.TapAt(s, fyne.NewPos(s.Size().Width-5, 5))
	s.TypedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
	s.TypedKey(&fyne.KeyEvent{Name: fyne.KeyUp})
	s.Set(0)
	s.TypedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
	s.Disable()
	s.TypedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
	if got := fmt.Sprint(chosen); got != "[2 1]" {
		t.Errorf("the user chose %s; want [2 1]", got)
	}
}

// Escape is reported by a field, and Tab leaves it.
func TestEntry(t *testing.T) {
	newApp(t)
	e, escaped := NewLines("links", 3), false
	e.OnEscape = func() { escaped = true }
	e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if !escaped || e.AcceptsTab() {
		t.Errorf("escaped: %v, traps Tab: %v", escaped, e.AcceptsTab())
	}
}

// All symbols that the program holds, drawn by the painter: a broken one changes the sheet.
func TestTextFollowsTheTheme(t *testing.T) {
	app := test.NewTempApp(t)
	app.Settings().SetTheme(theme.New(theme.ModeDark))
	text := Small("x", theme.Muted)
	r := test.TempWidgetRenderer(t, text).(*textRenderer)
	before := r.line.Color
	app.Settings().SetTheme(theme.New(theme.ModeLight))
	text.Refresh()
	if r.line.Color == before || r.line.TextSize != text.Theme().Size(stock.SizeNameCaptionText) {
		t.Errorf("after a change of theme the text is still %v", before)
	}
}

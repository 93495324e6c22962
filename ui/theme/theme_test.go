package theme_test

import (
	"fmt"
	"image/color"
	"math"
	"testing"

	"fyne.io/fyne/v2"
	stock "fyne.io/fyne/v2/theme"

	"github.com/tributary-dl/tributary/ui/theme"
)

// Every text is readable on what it is drawn on: WCAG 2.1 asks for 4.5:1, and 3:1 for what is no text.
func TestContrast(t *testing.T) {
	grounds := []fyne.ThemeColorName{
		stock.ColorNameBackground, theme.Surface, theme.Sidebar, theme.Chosen,
		stock.ColorNameInputBackground, stock.ColorNameOverlayBackground, stock.ColorNameMenuBackground,
	}
	texts := []fyne.ThemeColorName{
		stock.ColorNameForeground, theme.Muted, stock.ColorNamePlaceHolder, stock.ColorNameHyperlink,
		stock.ColorNameSuccess, stock.ColorNameWarning, stock.ColorNameError, theme.Edge, theme.Peers,
	}
	type pair struct {
		text, ground fyne.ThemeColorName
		least        float64
	}
	pairs := []pair{
		{stock.ColorNameForegroundOnPrimary, stock.ColorNamePrimary, 4.5},
		{stock.ColorNameForegroundOnSuccess, stock.ColorNameSuccess, 4.5},
		{stock.ColorNameForegroundOnWarning, stock.ColorNameWarning, 4.5},
		{stock.ColorNameForegroundOnError, stock.ColorNameError, 4.5},
		{stock.ColorNameForeground, stock.ColorNameButton, 4.5},
		{stock.ColorNameDisabled, stock.ColorNameDisabledButton, 4.5},
		{stock.ColorNameDisabled, theme.Surface, 4.5},
		{theme.Edge, theme.Track, 3},
		{theme.Peers, theme.Track, 3},
		{theme.Asked, theme.Surface, 3},
		{theme.Had, theme.Surface, 3},
		{theme.Edge, theme.EdgeFill, 2.4}, // a line on its own fill; the scale tells the numbers
	}
	for _, ground := range grounds {
		for _, text := range texts {
			pairs = append(pairs, pair{text, ground, 4.5})
		}
	}
	for _, mode := range []theme.Mode{theme.ModeDark, theme.ModeLight} {
		look := theme.New(mode)
		for _, p := range pairs {
			text, ground := look.Color(p.text, 0), look.Color(p.ground, 0)
			if got := contrast(text, ground); got < p.least {
				t.Errorf("%s: %s on %s has a contrast of %.2f; want %.1f", mode, p.text, p.ground, got, p.least)
			}
		}
	}
}

// contrast is the ratio of WCAG 2.1, 1.4.3.
func contrast(a, b color.Color) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(c color.Color) float64 {
	linear := func(v uint32) float64 {
		f := float64(v) / 0xffff
		if f <= 0.04045 {
			return f / 12.92
		}
		return math.Pow((f+0.055)/1.055, 2.4)
	}
	r, g, b, _ := c.RGBA()
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}

// Both palettes name the same colours, so that no colour of one theme shows up in the other.
func TestBothPalettesAreWhole(t *testing.T) {
	for _, name := range []fyne.ThemeColorName{
		theme.Edge, theme.Peers, theme.EdgeFill, theme.PeersFill, theme.Asked, theme.Had, theme.Track, theme.Surface,
		theme.Sidebar, theme.Border, theme.Muted, theme.Chosen, theme.Note,
	} {
		for _, mode := range []theme.Mode{theme.ModeDark, theme.ModeLight} {
			if c := theme.New(mode).Color(name, 0); fmt.Sprintf("%T", c) != "color.NRGBA" {
				t.Errorf("%s: %s is not a colour of ours but %T", mode, name, c)
			}
		}
	}
}

func TestAutoFollowsTheSystem(t *testing.T) {
	auto := theme.New(theme.ModeAuto)
	for variant, mode := range map[fyne.ThemeVariant]theme.Mode{stock.VariantDark: theme.ModeDark, stock.VariantLight: theme.ModeLight} {
		if got, want := auto.Color(theme.Surface, variant), theme.New(mode).Color(theme.Surface, 0); got != want {
			t.Errorf("variant %d: surface %v; want %v", variant, got, want)
		}
	}
}

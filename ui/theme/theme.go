// Package theme is how Tributary looks: two palettes, one scale of sizes, the typeface, the symbols. Two colours mean one
// thing each everywhere: Edge (blue) and Peers (violet). It must never draw anything itself.
package theme

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"github.com/tributary-dl/tributary/assets/fonts"
)

// Mode says which palette is used.
type Mode string

const (
	ModeAuto  Mode = "" // what the system prefers
	ModeLight Mode = "light"
	ModeDark  Mode = "dark"
)

// Theme implements fyne.Theme.
type Theme struct{ mode Mode }

// New returns the theme in a mode.
func New(mode Mode) *Theme { return &Theme{mode: mode} }

// Space is the unit of the layout, in device-independent pixels: every gap is a multiple of half of it.
const Space float32 = 8

// Color returns a colour of the palette, or one of Fyne's where the palette has none.
func (t *Theme) Color(name fyne.ThemeColorName, variant fyne.ThemeVariant) color.Color {
	switch t.mode {
	case ModeLight:
		variant = theme.VariantLight
	case ModeDark:
		variant = theme.VariantDark
	}
	palette := dark
	if variant == theme.VariantLight {
		palette = light
	}
	if c, ok := palette[name]; ok {
		return c
	}
	return theme.DefaultTheme().Color(name, variant)
}

// Font returns Inter. Italics are not used: the bold of the program is weight 600.
func (t *Theme) Font(style fyne.TextStyle) fyne.Resource {
	switch {
	case style.Monospace, style.Symbol:
		return theme.DefaultTheme().Font(style)
	case style.Bold:
		return semiBold
	}
	return regular
}

var (
	regular  = fyne.NewStaticResource("Inter-Regular.ttf", fonts.Regular)
	semiBold = fyne.NewStaticResource("Inter-SemiBold.ttf", fonts.SemiBold)
)

// Icon returns a symbol of ours where the widgets of Fyne show one that we have.
func (t *Theme) Icon(name fyne.ThemeIconName) fyne.Resource {
	if symbol, ok := stockIcons[name]; ok {
		return Icon(symbol)
	}
	return theme.DefaultTheme().Icon(name)
}

// Size returns lengths in device-independent pixels.
func (t *Theme) Size(name fyne.ThemeSizeName) float32 {
	if s, ok := sizes[name]; ok {
		return s
	}
	return theme.DefaultTheme().Size(name)
}

var sizes = map[fyne.ThemeSizeName]float32{
	theme.SizeNameText:            14,
	theme.SizeNameCaptionText:     12,
	theme.SizeNameSubHeadingText:  16,
	theme.SizeNameHeadingText:     22,
	theme.SizeNamePadding:         Space / 2,
	theme.SizeNameInnerPadding:    Space,
	theme.SizeNameInlineIcon:      20,
	theme.SizeNameInputBorder:     1,
	theme.SizeNameInputRadius:     Space,
	theme.SizeNameButtonRadius:    Space,
	theme.SizeNameSelectionRadius: Space,
	theme.SizeNameDialogRadius:    2 * Space,
	theme.SizeNamePopupRadius:     Space * 3 / 2,
	theme.SizeNameMenuRadius:      Space * 3 / 2,
	theme.SizeNameScrollBar:       Space,
	theme.SizeNameScrollBarSmall:  Space / 2,
}

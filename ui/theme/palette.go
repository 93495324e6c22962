package theme

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// Colours that Fyne has no name for.
const (
	Edge      fyne.ThemeColorName = "tributary-edge"       // bytes from the publisher's servers
	Peers     fyne.ThemeColorName = "tributary-peers"      // bytes from other people's computers
	EdgeFill  fyne.ThemeColorName = "tributary-edge-fill"  // below the edge's line in a graph
	PeersFill fyne.ThemeColorName = "tributary-peers-fill" // below the peers' line in a graph
	Asked     fyne.ThemeColorName = "tributary-asked"      // pieces that are on their way
	Had       fyne.ThemeColorName = "tributary-had"        // pieces from before this run
	Track     fyne.ThemeColorName = "tributary-track"      // what is missing of a bar or a map
	Surface   fyne.ThemeColorName = "tributary-surface"    // cards
	Sidebar   fyne.ThemeColorName = "tributary-sidebar"
	Border    fyne.ThemeColorName = "tributary-border"
	Muted     fyne.ThemeColorName = "tributary-muted" // text that comes second
	Chosen    fyne.ThemeColorName = "tributary-chosen"
	Note      fyne.ThemeColorName = "tributary-note" // background of a message in the window
)

func rgb(hex uint32) color.NRGBA {
	return color.NRGBA{R: uint8(hex >> 16), G: uint8(hex >> 8), B: uint8(hex), A: 255}
}

func translucent(hex uint32, alpha uint8) color.NRGBA {
	c := rgb(hex)
	c.A = alpha
	return c
}

var dark = map[fyne.ThemeColorName]color.Color{
	Edge:      rgb(0x5b9bff),
	Peers:     rgb(0xb18aff),
	EdgeFill:  rgb(0x24406f),
	PeersFill: rgb(0x3d2f63),
	Asked:     rgb(0xf2b84b),
	Had:       rgb(0x76809a),
	Track:     rgb(0x2b303f),
	Surface:   rgb(0x181b25),
	Sidebar:   rgb(0x12141c),
	Border:    rgb(0x2a2f3d),
	Muted:     rgb(0x9ba5b9),
	Chosen:    rgb(0x1f2a44),
	Note:      rgb(0x262b3a),

	theme.ColorNameBackground:          rgb(0x0d0f15),
	theme.ColorNameForeground:          rgb(0xeceef5),
	theme.ColorNamePlaceHolder:         rgb(0x9ba5b9),
	theme.ColorNameDisabled:            rgb(0x8791a6),
	theme.ColorNamePrimary:             rgb(0x2f6ae4),
	theme.ColorNameForegroundOnPrimary: rgb(0xffffff),
	theme.ColorNameHyperlink:           rgb(0x7db0ff),
	theme.ColorNameButton:              rgb(0x262b38),
	theme.ColorNameDisabledButton:      rgb(0x1c1f29),
	theme.ColorNameHover:               translucent(0xffffff, 14),
	theme.ColorNamePressed:             translucent(0xffffff, 30),
	theme.ColorNameFocus:               translucent(0x5b9bff, 110),
	theme.ColorNameSelection:           translucent(0x5b9bff, 80),
	theme.ColorNameInputBackground:     rgb(0x12141c),
	theme.ColorNameInputBorder:         rgb(0x3a4152),
	theme.ColorNameSeparator:           rgb(0x2a2f3d),
	theme.ColorNameScrollBar:           translucent(0xffffff, 60),
	theme.ColorNameScrollBarBackground: translucent(0xffffff, 0),
	theme.ColorNameMenuBackground:      rgb(0x20242f),
	theme.ColorNameOverlayBackground:   rgb(0x1c202b),
	theme.ColorNameHeaderBackground:    rgb(0x181b25),
	theme.ColorNameShadow:              translucent(0x000000, 90),
	theme.ColorNameSuccess:             rgb(0x4ec98a),
	theme.ColorNameWarning:             rgb(0xf2b84b),
	theme.ColorNameError:               rgb(0xff7a7a),
	theme.ColorNameForegroundOnSuccess: rgb(0x06150d),
	theme.ColorNameForegroundOnWarning: rgb(0x1c1302),
	theme.ColorNameForegroundOnError:   rgb(0x240606),
}

var light = map[fyne.ThemeColorName]color.Color{
	Edge:      rgb(0x1f5fe0),
	Peers:     rgb(0x7a3fe0),
	EdgeFill:  rgb(0xbfd2fb),
	PeersFill: rgb(0xdfd0fa),
	Asked:     rgb(0xb97509),
	Had:       rgb(0x8690a3),
	Track:     rgb(0xe4e7ef),
	Surface:   rgb(0xffffff),
	Sidebar:   rgb(0xeceef4),
	Border:    rgb(0xdde1ea),
	Muted:     rgb(0x566072),
	Chosen:    rgb(0xe3ecff),
	Note:      rgb(0x262b3a),

	theme.ColorNameBackground:          rgb(0xf5f6fa),
	theme.ColorNameForeground:          rgb(0x171a22),
	theme.ColorNamePlaceHolder:         rgb(0x566072),
	theme.ColorNameDisabled:            rgb(0x5f697b),
	theme.ColorNamePrimary:             rgb(0x1f5fe0),
	theme.ColorNameForegroundOnPrimary: rgb(0xffffff),
	theme.ColorNameHyperlink:           rgb(0x1f5fe0),
	theme.ColorNameButton:              rgb(0xe8ebf2),
	theme.ColorNameDisabledButton:      rgb(0xf0f1f5),
	theme.ColorNameHover:               translucent(0x000000, 12),
	theme.ColorNamePressed:             translucent(0x000000, 26),
	theme.ColorNameFocus:               translucent(0x1f5fe0, 90),
	theme.ColorNameSelection:           translucent(0x1f5fe0, 60),
	theme.ColorNameInputBackground:     rgb(0xffffff),
	theme.ColorNameInputBorder:         rgb(0xb9c0ce),
	theme.ColorNameSeparator:           rgb(0xdde1ea),
	theme.ColorNameScrollBar:           translucent(0x000000, 70),
	theme.ColorNameScrollBarBackground: translucent(0x000000, 0),
	theme.ColorNameMenuBackground:      rgb(0xffffff),
	theme.ColorNameOverlayBackground:   rgb(0xffffff),
	theme.ColorNameHeaderBackground:    rgb(0xffffff),
	theme.ColorNameShadow:              translucent(0x1a2033, 34),
	theme.ColorNameSuccess:             rgb(0x0f7a45),
	theme.ColorNameWarning:             rgb(0x8f5a00),
	theme.ColorNameError:               rgb(0xc22f2f),
	theme.ColorNameForegroundOnSuccess: rgb(0xffffff),
	theme.ColorNameForegroundOnWarning: rgb(0xffffff),
	theme.ColorNameForegroundOnError:   rgb(0xffffff),
}

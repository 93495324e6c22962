package theme_test

import (
	"io/fs"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"github.com/tributary-dl/tributary/assets/icons"
	"github.com/tributary-dl/tributary/ui/theme"
)

// All symbols on one sheet: the toolkit draws some vector files wrong, and only a picture shows it.
func TestContactSheet(t *testing.T) {
	test.NewTempApp(t).Settings().SetTheme(theme.New(theme.ModeLight))
	names, err := fs.Glob(icons.Symbols, "*.svg")
	if err != nil {
		t.Fatal(err)
	}
	sheet := container.NewGridWrap(fyne.NewSquareSize(40))
	for _, name := range names {
		if name != "mark.svg" { // in its own colours, and never drawn as a symbol
			sheet.Add(container.NewPadded(widget.NewIcon(theme.Icon(name[:len(name)-len(".svg")]))))
		}
	}
	w := test.NewTempWindow(t, sheet)
	w.Resize(fyne.NewSize(440, 260))
	test.AssertRendersToImage(t, "symbols.png", w.Canvas())
}

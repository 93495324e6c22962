package theme

import (
	"fmt"
	"strings"
	"sync"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"github.com/tributary-dl/tributary/assets/icons"
)

// Icon returns a symbol by the name of its file, drawn in the colour of text. It panics on a name that the
// program does not hold: names are constants in the code, and a test draws them all.
func Icon(name string) fyne.Resource {
	return theme.NewThemedResource(symbol(name))
}

// Tinted returns a symbol drawn in a colour of the theme.
func Tinted(name string, c fyne.ThemeColorName) fyne.Resource {
	return theme.NewColoredResource(symbol(name), c)
}

// symbols holds those that have been read: rows ask for the same few again and again while one scrolls.
var symbols sync.Map

// small draws a symbol of 960 units in a box of 24. The toolkit takes the units for pixels, however small it draws, and would
// make 3.7 MB of garbage for each symbol that changes. Its reader of vectors takes a scale with one number for flat.
var small = strings.NewReplacer(`viewBox="0 -960 960 960"`, `viewBox="0 -24 24 24"`, `<path `, `<path transform="scale(0.025,0.025)" `)

func symbol(name string) fyne.Resource {
	if known, ok := symbols.Load(name); ok {
		return known.(fyne.Resource)
	}
	svg, err := icons.Symbols.ReadFile(name + ".svg")
	if err != nil {
		panic(fmt.Sprintf("no symbol %q in assets/icons", name))
	}
	r, _ := symbols.LoadOrStore(name, fyne.NewStaticResource(name+".svg", []byte(small.Replace(string(svg)))))
	return r.(fyne.Resource)
}

// Mark is the program's icon. A PNG: notification daemons do not draw vectors.
func Mark() fyne.Resource { return fyne.NewStaticResource("tributary.png", icons.Mark) }

// stockIcons are the symbols that stand for those of Fyne's own widgets and dialogs.
var stockIcons = map[fyne.ThemeIconName]string{
	theme.IconNameSearch:         "search",
	theme.IconNameCancel:         "close",
	theme.IconNameConfirm:        "check",
	theme.IconNameDelete:         "delete",
	theme.IconNameSettings:       "settings",
	theme.IconNameFolderOpen:     "folder_open",
	theme.IconNameContentCopy:    "content_copy",
	theme.IconNameContentPaste:   "content_paste",
	theme.IconNameInfo:           "info",
	theme.IconNameWarning:        "warning",
	theme.IconNameError:          "error",
	theme.IconNameMediaPause:     "pause",
	theme.IconNameMediaPlay:      "play_arrow",
	theme.IconNameNavigateBack:   "arrow_back",
	theme.IconNameMoveUp:         "arrow_upward",
	theme.IconNameMoveDown:       "arrow_downward",
	theme.IconNameMoreHorizontal: "more_horiz",
}

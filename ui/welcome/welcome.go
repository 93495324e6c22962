// Package welcome asks a new user three short things: where files go, whether to share, and nothing more. Sharing is off
// until it is answered here.
package welcome

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/widget"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/kit"
	"github.com/tributary-dl/tributary/ui/model"
	"github.com/tributary-dl/tributary/ui/say"
	"github.com/tributary-dl/tributary/ui/theme"
)

// Actions is what the screens ask of their owner.
type Actions struct {
	ChooseFolder func(chosen func(dir string))
	// Done takes the answers over. What an administrator has locked is not in the patch.
	Done func(api.SettingsPatch)
}

// View is the three screens. The goroutine of the user interface owns it.
type View struct {
	do    Actions
	dir   *kit.Entry
	share *kit.Segmented
	step  int
	steps []fyne.CanvasObject
	count *kit.Text
	back  *kit.Button
	next  *kit.Button
	locks model.Locks
	root  fyne.CanvasObject

	canvas fyne.Canvas // nil until Focus
}

// New returns the screens with the first one shown.
func New(do Actions, s api.Settings, locks model.Locks) *View {
	v := &View{do: do, locks: locks, dir: kit.NewEntry(""), share: kit.NewSegmented(say.Sharing(api.SharingOff), say.Sharing(api.SharingLAN), say.Sharing(api.SharingOn)), count: kit.Small("", theme.Muted)}
	v.dir.SetText(s.Dir)
	v.dir.OnSubmitted = func(string) { v.turn(v.step + 1) }
	choose := kit.NewTool(lang.L("Choose a folder"), "folder_open", func() { do.ChooseFolder(v.dir.SetText) })
	if _, locked := locks["dir"]; locked {
		v.dir.Disable()
		choose.Disable()
	}
	if _, locked := locks["sharing"]; locked {
		v.share.Disable()
	}
	v.steps = []fyne.CanvasObject{
		screen(lang.L("Where should files go?"), lang.L("Everything you download is saved in this folder, unless you choose another one for it."),
			container.NewBorder(nil, nil, nil, choose, v.dir)),
		screen(lang.L("Do you want to share?"), lang.L("Publishers pay for every byte their servers send. When you share, files you have downloaded are given to others who want the same file, and theirs come to you. Others can see your internet address while they get something from you. Nothing else of your computer is shared, you can see every byte in the Sharing page, and you can stop at any time. Your downloads are not slower without it."),
			v.share),
		screen(lang.L("You are ready"), lang.L("Paste a link anywhere in the window, or press Ctrl+N. Closing the window keeps your downloads running in the tray."), kit.NewText("")),
	}
	v.back = kit.Plain(lang.L("Back"), "", func() { v.turn(v.step - 1) })
	v.next = kit.Primary("", "", func() { v.turn(v.step + 1) })
	foot := kit.Between(v.count, v.back, v.next)
	mark := container.NewGridWrap(fyne.NewSquareSize(8*theme.Space), widget.NewIcon(theme.Mark()))
	body := kit.Column(2*theme.Space, container.NewHBox(mark), container.NewStack(v.steps...), foot)
	v.root = container.NewCenter(kit.Fixed(kit.Card(kit.Pad(body, theme.Space, theme.Space)), 70*theme.Space))
	v.turn(0)
	return v
}

func screen(title, text string, control fyne.CanvasObject) fyne.CanvasObject {
	return kit.Column(theme.Space*3/2, kit.Heading(title), kit.Sentence(text, true), control)
}

// Object is what a window shows.
func (v *View) Object() fyne.CanvasObject { return v.root }

// Focus puts the keyboard on the button that goes on, on this screen and the next ones. The canvas must show the view.
func (v *View) Focus(in fyne.Canvas) {
	v.canvas = in
	in.Focus(v.next)
}

func (v *View) turn(step int) {
	if step == len(v.steps) {
		v.done()
		return
	}
	v.step = step
	for i, s := range v.steps {
		if i == step {
			s.Show()
		} else {
			s.Hide()
		}
	}
	v.count.Set(lang.L("{{.step}} of {{.all}}", map[string]any{"step": step + 1, "all": len(v.steps)}))
	if step == 0 {
		v.back.Hide()
	} else {
		v.back.Show()
	}
	if step == len(v.steps)-1 {
		v.next.SetText(lang.L("Start"))
	} else {
		v.next.SetText(lang.L("Next"))
	}
	if v.canvas != nil {
		v.canvas.Focus(v.next)
	}
}

func (v *View) done() {
	var p api.SettingsPatch
	if _, locked := v.locks["dir"]; !locked {
		p.Dir = &v.dir.Text
	}
	if _, locked := v.locks["sharing"]; !locked {
		p.Sharing = &[]api.Sharing{api.SharingOff, api.SharingLAN, api.SharingOn}[v.share.Chosen()]
	}
	v.do.Done(p)
}

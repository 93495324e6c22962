// Package settings is the page of what the user decides: where files go, how fast, what is shared, how the window looks. A
// value that the user cannot change shows a lock and why. It must never call the service: changes are
// reported through Actions.
package settings

import (
	"slices"
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/lang"
	stock "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/kit"
	"github.com/tributary-dl/tributary/ui/model"
	"github.com/tributary-dl/tributary/ui/say"
	"github.com/tributary-dl/tributary/ui/theme"
)

// Actions is what the user can ask for here.
type Actions struct {
	Change       func(api.SettingsPatch)
	Prefer       func(model.Preferences)
	ChooseFolder func(chosen func(dir string))
	Doctor       func()
	// StartAtLogin says whether the tray starts at login, and SetStartAtLogin changes it. Nil where the
	// system has no such thing.
	StartAtLogin    func() bool
	SetStartAtLogin func(bool)
}

// View is the page. The goroutine of the user interface owns it.
type View struct {
	do     Actions
	fields map[string]*field // by the setting's JSON name
	prefs  model.Preferences
	root   fyne.CanvasObject
	scroll *container.Scroll
	cards  map[Section]fyne.CanvasObject
}

// Section is a part of the page that can be jumped to.
type Section int

const (
	General Section = iota
	Network
	Sharing
	Notifications
	Advanced
)

// field is one setting: what shows and changes it, and the line that says who locked it or what is wrong.
type field struct {
	show   func(api.Settings)
	able   []fyne.Disableable
	remark *remark
	locked bool
}

// remark is the line below a setting: who locked it, or what is wrong with it. Empty, it takes no room.
type remark struct {
	text *kit.Text
	lock *widget.Icon
}

func newRemark() *remark {
	return &remark{text: kit.Small("", theme.Muted), lock: widget.NewIcon(theme.Tinted("lock", theme.Muted))}
}

// New returns the page.
func New(do Actions, prefs model.Preferences, service string) *View {
	v := &View{do: do, fields: map[string]*field{}, prefs: prefs, cards: map[Section]fyne.CanvasObject{}}
	v.cards[General] = card(lang.L("General"), v.folder(), v.startAtLogin(), v.themeChoice(), v.scaleChoice(), v.languageChoice())
	v.cards[Network] = card(lang.L("Network"),
		v.bytes("download_limit", lang.L("Download limit"), "/s", func(s api.Settings) int64 { return s.DownloadLimit }, func(n int64) api.SettingsPatch { return api.SettingsPatch{DownloadLimit: &n} }),
		v.number("max_active", lang.L("Downloads at a time"), func(s api.Settings) int { return s.MaxActive }, func(n int) api.SettingsPatch { return api.SettingsPatch{MaxActive: &n} }),
		v.number("connections", lang.L("Connections to a server"), func(s api.Settings) int { return s.Connections }, func(n int) api.SettingsPatch { return api.SettingsPatch{Connections: &n} }),
		v.number("tries", lang.L("Tries of a server"), func(s api.Settings) int { return s.Tries }, func(n int) api.SettingsPatch { return api.SettingsPatch{Tries: &n} }),
		v.text("proxy", lang.L("Proxy"), lang.L("none, or http://host:port"), func(s api.Settings) string { return s.Proxy }, func(t string) api.SettingsPatch { return api.SettingsPatch{Proxy: &t} }))
	v.cards[Sharing] = card(lang.L("Sharing"), v.share(),
		v.bytes("upload_limit", lang.L("Upload limit"), "/s", func(s api.Settings) int64 { return s.UploadLimit }, func(n int64) api.SettingsPatch { return api.SettingsPatch{UploadLimit: &n} }),
		v.bytes("monthly_upload", lang.L("Most in a month"), "", func(s api.Settings) int64 { return s.MonthlyUpload }, func(n int64) api.SettingsPatch { return api.SettingsPatch{MonthlyUpload: &n} }),
		v.number("uploads_per_object", lang.L("Copies given of one file"), func(s api.Settings) int { return s.UploadsPerObject }, func(n int) api.SettingsPatch { return api.SettingsPatch{UploadsPerObject: &n} }),
		v.text("share_hours", lang.L("Hours of the day"), lang.L("always, or 22:00-07:00"), func(s api.Settings) string { return s.ShareHours }, func(t string) api.SettingsPatch { return api.SettingsPatch{ShareHours: &t} }),
		v.bytes("keep_shared", lang.L("Most on disk for sharing"), "", func(s api.Settings) int64 { return s.KeepShared }, func(n int64) api.SettingsPatch { return api.SettingsPatch{KeepShared: &n} }),
		v.number("share_days", lang.L("Days a file is offered"), func(s api.Settings) int { return s.ShareDays }, func(n int) api.SettingsPatch { return api.SettingsPatch{ShareDays: &n} }),
		v.battery(),
		v.toggle("share_metered", lang.L("Metered networks"), lang.L("Share on them, too"), func(s api.Settings) bool { return s.ShareMetered }, func(on bool) api.SettingsPatch { return api.SettingsPatch{ShareMetered: &on} }),
		v.toggle("share_vpn", lang.L("VPN"), lang.L("Share through it, too"), func(s api.Settings) bool { return s.ShareVPN }, func(on bool) api.SettingsPatch { return api.SettingsPatch{ShareVPN: &on} }))
	v.cards[Notifications] = card(lang.L("Notifications"),
		v.quiet(lang.L("A download is finished"), &v.prefs.QuietFinished), v.quiet(lang.L("A download has failed"), &v.prefs.QuietFailed),
		v.quiet(lang.L("The sharing limit is used up"), &v.prefs.QuietBudget))
	v.cards[Advanced] = card(lang.L("Advanced"), line(lang.L("Service"), kit.Small(service, theme.Muted), nil),
		line(lang.L("Something does not work?"), container.NewHBox(kit.Plain(lang.L("Examine this computer"), "verified_user", do.Doctor)), nil))
	all := kit.Column(theme.Space * 3 / 2)
	for s := General; s <= Advanced; s++ {
		all.Add(v.cards[s])
	}
	v.scroll = container.NewVScroll(kit.Pad(all, theme.Space/2, 2*theme.Space))
	v.root = container.NewBorder(kit.Pad(kit.Tall(kit.Middle(kit.Heading(lang.L("Settings"))), 5*theme.Space), theme.Space*3/2, 2*theme.Space), nil, nil, nil, v.scroll)
	return v
}

// Object is what a window shows.
func (v *View) Object() fyne.CanvasObject { return v.root }

// Open scrolls to a section.
func (v *View) Open(s Section) {
	v.scroll.Offset.Y = v.cards[s].Position().Y
	v.scroll.Refresh()
}

// Show draws the settings in force. A field that has the focus keeps what the user is typing.
func (v *View) Show(s api.Settings, locks model.Locks) {
	for name, f := range v.fields {
		f.show(s)
		by, locked := locks[name]
		for _, a := range f.able {
			kit.SetEnabled(a, !locked)
		}
		if locked {
			f.remark.tell(say.Locked(by), theme.Muted, true)
		} else if f.locked {
			f.remark.tell("", theme.Muted, false) // the lock is gone
		}
		f.locked = locked
	}
}

// Complain shows next to a setting why the service refused a value.
func (v *View) Complain(name, why string) {
	if f := v.fields[name]; f != nil {
		f.remark.tell(why, stock.ColorNameError, false)
	}
}

// tell shows a remark, with a lock if it is about one.
func (r *remark) tell(text string, color fyne.ThemeColorName, locked bool) {
	r.text.Paint(text, color)
	r.text.Hidden, r.lock.Hidden = text == "", !locked
	r.text.Refresh()
	r.lock.Refresh()
}

func card(title string, lines ...fyne.CanvasObject) fyne.CanvasObject {
	return kit.Card(kit.Column(theme.Space*3/2, append([]fyne.CanvasObject{kit.Title(title)}, lines...)...))
}

// line puts a name beside what changes it, with a remark below.
func line(name string, control fyne.CanvasObject, remark *remark) fyne.CanvasObject {
	n := kit.NewText(name)
	n.Cut = true
	right := control
	if remark == nil {
		return container.New(halves{}, kit.Middle(n), kit.Middle(right))
	}
	remark.tell("", theme.Muted, false)
	below := container.NewBorder(nil, nil, kit.Fixed(remark.lock, 2*theme.Space), nil, remark.text)
	return kit.Column(2, container.New(halves{}, kit.Middle(n), kit.Middle(right)), container.New(halves{}, container.NewWithoutLayout(), below))
}

// leastName is the room for the name of a setting in a narrow window.
const leastName = 20 * theme.Space

// halves gives names two fifths of the width, so that all controls of the page begin at one line.
type halves struct{}

func (halves) MinSize(o []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(o[1].MinSize().Width+leastName, max(o[0].MinSize().Height, o[1].MinSize().Height))
}

func (halves) Layout(o []fyne.CanvasObject, size fyne.Size) {
	left := min(size.Width*2/5, 34*theme.Space, max(size.Width-o[1].MinSize().Width, leastName))
	o[0].Resize(fyne.NewSize(left-theme.Space, size.Height))
	o[1].Move(fyne.NewPos(left, 0))
	o[1].Resize(fyne.NewSize(min(size.Width-left, 52*theme.Space), size.Height))
}

func (v *View) add(name string, show func(api.Settings), able ...fyne.Disableable) *remark {
	remark := newRemark()
	v.fields[name] = &field{show: show, able: able, remark: remark}
	return remark
}

// entry is a field whose text is taken over when it is left or Enter is pressed.
func (v *View) entry(name, title, hint string, beside fyne.CanvasObject, value func(api.Settings) string, parse func(string) (api.SettingsPatch, string)) fyne.CanvasObject {
	e := &settled{}
	e.PlaceHolder = hint
	e.ExtendBaseWidget(e)
	var below *remark
	e.take = func() {
		if e.Text == e.inForce || e.Disabled() {
			return
		}
		patch, fault := parse(e.Text)
		if fault == "" {
			if _, err := patch.Check(); err != nil {
				fault = err.Error()
			}
		}
		if fault != "" {
			below.tell(fault, stock.ColorNameError, false)
			return
		}
		below.tell("", theme.Muted, false)
		v.do.Change(patch)
	}
	below = v.add(name, func(s api.Settings) {
		if now := value(s); now != e.inForce || !e.shown {
			e.inForce, e.shown = now, true
			if !e.focused {
				e.SetText(now)
			}
		}
	}, e)
	if beside == nil {
		return line(title, e, below)
	}
	return line(title, container.NewBorder(nil, nil, nil, beside, e), below)
}

// settled is a text field that tells when the user is done with it.
type settled struct {
	kit.Entry
	take    func()
	inForce string
	shown   bool
	focused bool
}

// FocusGained implements fyne.Focusable.
func (s *settled) FocusGained() { s.focused = true; s.Entry.FocusGained() }

// FocusLost implements fyne.Focusable.
func (s *settled) FocusLost() { s.focused = false; s.Entry.FocusLost(); s.take() }

// TypedKey implements fyne.Focusable.
func (s *settled) TypedKey(k *fyne.KeyEvent) {
	if kit.Escaped(s, k) {
		return
	}
	if k.Name == fyne.KeyReturn || k.Name == fyne.KeyEnter {
		s.take()
		return
	}
	s.Entry.TypedKey(k)
}

func (v *View) text(name, title, hint string, value func(api.Settings) string, patch func(string) api.SettingsPatch) fyne.CanvasObject {
	return v.entry(name, title, hint, nil, value, func(t string) (api.SettingsPatch, string) { return patch(t), "" })
}

func (v *View) number(name, title string, value func(api.Settings) int, patch func(int) api.SettingsPatch) fyne.CanvasObject {
	return v.entry(name, title, lang.L("no limit"), nil, func(s api.Settings) string {
		if n := value(s); n > 0 {
			return strconv.Itoa(n)
		}
		return "" // a bare 0 would read as "none"
	}, func(t string) (api.SettingsPatch, string) {
		n, err := strconv.Atoi(t)
		if t != "" && err != nil {
			return api.SettingsPatch{}, lang.L("Type a whole number.")
		}
		return patch(n), ""
	})
}

func (v *View) bytes(name, title, per string, value func(api.Settings) int64, patch func(int64) api.SettingsPatch) fyne.CanvasObject {
	return v.entry(name, title, lang.L("no limit"), nil, func(s api.Settings) string {
		if n := value(s); n > 0 {
			return say.Bytes(n) + per
		}
		return ""
	}, func(t string) (api.SettingsPatch, string) {
		n, err := model.ParseBytes(t)
		if err != nil {
			return api.SettingsPatch{}, lang.L("Type a size, such as 20 MB. Empty means no limit.")
		}
		return patch(n), ""
	})
}

func (v *View) folder() fyne.CanvasObject {
	choose := kit.NewTool(lang.L("Choose a folder"), "folder_open", func() {
		v.do.ChooseFolder(func(dir string) { v.do.Change(api.SettingsPatch{Dir: &dir}) })
	})
	row := v.entry("dir", lang.L("Save files in"), "", choose, func(s api.Settings) string { return s.Dir },
		func(t string) (api.SettingsPatch, string) { return api.SettingsPatch{Dir: &t}, "" })
	v.fields["dir"].able = append(v.fields["dir"].able, choose)
	return row
}

func (v *View) share() fyne.CanvasObject {
	positions := []api.Sharing{api.SharingOff, api.SharingLAN, api.SharingOn}
	s := kit.NewSegmented(say.Sharing(api.SharingOff), say.Sharing(api.SharingLAN), say.Sharing(api.SharingOn))
	s.OnChanged = func(i int) { v.do.Change(api.SettingsPatch{Sharing: &positions[i]}) }
	remark := v.add("sharing", func(now api.Settings) {
		for i, p := range positions {
			if p == now.Sharing {
				s.Set(i)
			}
		}
	}, s)
	return line(lang.L("Give to others"), s, remark)
}

func (v *View) themeChoice() fyne.CanvasObject {
	modes := []string{string(theme.ModeAuto), string(theme.ModeLight), string(theme.ModeDark)}
	s := kit.NewSegmented(lang.L("As the system"), lang.L("Light"), lang.L("Dark"))
	for i, m := range modes {
		if m == v.prefs.Theme {
			s.Set(i)
		}
	}
	s.OnChanged = func(i int) { v.prefs.Theme = modes[i]; v.do.Prefer(v.prefs) }
	return line(lang.L("Theme"), s, nil)
}

// toggle is a setting that is on or off.
func (v *View) toggle(name, title, text string, value func(api.Settings) bool, patch func(bool) api.SettingsPatch) fyne.CanvasObject {
	c := kit.NewCheck(text, nil)
	remark := v.add(name, func(s api.Settings) {
		if on := value(s); c.Checked != on {
			c.Checked = on // SetChecked would report it as a change of the user's
			c.Refresh()
		}
	}, c)
	c.OnChanged = func(on bool) { v.do.Change(patch(on)) }
	return line(title, c, remark)
}

// batteryLevels are what is offered for the least charge on which files are given, in percent.
var batteryLevels = []int{100, 80, 50, 20, 0}

func (v *View) battery() fyne.CanvasObject {
	names := make([]string, len(batteryLevels))
	for i, level := range batteryLevels {
		switch level {
		case 100:
			names[i] = lang.L("Never share on battery")
		case 0:
			names[i] = lang.L("Share down to the last")
		default:
			names[i] = lang.L("Share above {{.percent}}%", map[string]any{"percent": level})
		}
	}
	s := kit.NewSelect(names, nil)
	remark := v.add("battery_level", func(now api.Settings) {
		at := slices.IndexFunc(batteryLevels, func(level int) bool { return level <= now.BatteryLevel })
		if name := names[max(at, 0)]; s.Selected != name {
			s.Selected = name // nobody has chosen: OnChanged must not hear of it
			s.Refresh()
		}
	}, s)
	s.OnChanged = func(string) { v.do.Change(api.SettingsPatch{BatteryLevel: &batteryLevels[s.SelectedIndex()]}) }
	return line(lang.L("Battery"), s, remark)
}

// scaleChoice changes the size of everything in the window.
func (v *View) scaleChoice() fyne.CanvasObject {
	below := newRemark()
	names, chosen := []string{lang.L("As the system")}, 0
	for i, scale := range model.Scales {
		names = append(names, model.Percent(scale))
		if scale == v.prefs.Scale {
			chosen = i + 1
		}
	}
	s := kit.NewSelect(names, nil)
	s.SetSelectedIndex(chosen)
	s.OnChanged = func(string) {
		v.prefs.Scale = 0
		if i := s.SelectedIndex(); i > 0 {
			v.prefs.Scale = model.Scales[i-1]
		}
		below.tell(lang.L("Open the window again to see it."), theme.Muted, false)
		v.do.Prefer(v.prefs)
	}
	return line(lang.L("Size"), s, below)
}

// languages are shown in their own words, so that nobody is locked in one they cannot read.
var languages = []struct{ code, name string }{
	{"en", "English"}, {"de", "Deutsch"}, {"fr", "Français"}, {"es", "Español"}, {"zh", "中文"}, {"ja", "日本語"},
}

func (v *View) languageChoice() fyne.CanvasObject {
	names, chosen := []string{lang.L("As the system")}, 0
	for i, l := range languages {
		names = append(names, l.name)
		if l.code == v.prefs.Language {
			chosen = i + 1
		}
	}
	below := newRemark()
	s := kit.NewSelect(names, nil)
	s.SetSelectedIndex(chosen)
	s.OnChanged = func(string) {
		v.prefs.Language = ""
		if i := s.SelectedIndex(); i > 0 {
			v.prefs.Language = languages[i-1].code
		}
		below.tell(lang.L("Open the window again to see it."), theme.Muted, false)
		v.do.Prefer(v.prefs)
	}
	return line(lang.L("Language"), s, below)
}

func (v *View) check(title, text string, on bool, changed func(bool)) fyne.CanvasObject {
	c := kit.NewCheck(text, nil)
	c.SetChecked(on)
	c.OnChanged = changed
	return line(title, c, nil)
}

func (v *View) quiet(title string, quiet *bool) fyne.CanvasObject {
	return v.check(title, lang.L("Tell me"), !*quiet, func(on bool) { *quiet = !on; v.do.Prefer(v.prefs) })
}

func (v *View) startAtLogin() fyne.CanvasObject {
	if v.do.StartAtLogin == nil {
		return container.NewWithoutLayout()
	}
	return v.check(lang.L("Start"), lang.L("When I log in, in the tray"), v.do.StartAtLogin(), v.do.SetStartAtLogin)
}

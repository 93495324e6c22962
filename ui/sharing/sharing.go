// Package sharing is the page that says what leaves this computer, to whom it does good, and lets the user stop it. It is
// drawn from snapshots and reports wishes through Actions; it must never call the service.
package sharing

import (
	"time"

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
	Share  func(api.Sharing)
	Stop   func(contentID string) // no longer offer one object; the file stays
	Delete func(api.Held)         // the file itself
	Limits func()                 // to where they are changed
}

// Positions of the switch in their order.
var positions = []api.Sharing{api.SharingOff, api.SharingLAN, api.SharingOn}

// View is the page. The goroutine of the user interface owns it.
type View struct {
	do                       Actions
	now                      func() time.Time
	position                 *kit.Segmented
	meaning                  *kit.Words
	lock                     *kit.Text
	lockLine                 *fyne.Container
	paused                   *fyne.Container
	pausedWhy                *kit.Words
	today, week, month, rate *kit.Text
	heldSum                  *kit.Text
	held                     *holdings
	files                    *given
	publishers               *given
	limits                   *kit.Words
	root                     fyne.CanvasObject
}

// New returns the page. now tells today from this week.
func New(do Actions, now func() time.Time) *View {
	v := &View{do: do, now: now, position: kit.NewSegmented(say.Sharing(api.SharingOff), say.Sharing(api.SharingLAN), say.Sharing(api.SharingOn)),
		meaning: kit.Sentence("", true), lock: kit.Small("", theme.Muted), pausedWhy: kit.Sentence("", false)}
	v.position.OnChanged = func(i int) { do.Share(positions[i]) }
	v.paused = container.NewBorder(nil, nil, kit.Pad(widget.NewIcon(theme.Tinted("pause", stock.ColorNameWarning)), 0, 0), nil, v.pausedWhy)
	v.paused.Hide()
	v.lockLine = container.NewBorder(nil, nil, kit.Fixed(widget.NewIcon(theme.Tinted("lock", theme.Muted)), 2*theme.Space), nil, kit.Pad(v.lock, 0, theme.Space/2))
	v.lockLine.Hide()
	big := kit.Card(kit.Column(theme.Space, kit.Title(lang.L("Give a part of your upload to others")),
		container.NewHBox(kit.Fixed(v.position, 56*theme.Space)), v.meaning, v.lockLine, v.paused))

	v.today, v.week, v.month, v.rate = figure(), figure(), figure(), figure()
	numbers := container.NewGridWithColumns(4, tile(lang.L("Sent today"), v.today), tile(lang.L("This week"), v.week), tile(lang.L("This month"), v.month), tile(lang.L("Right now"), v.rate))

	v.limits = kit.Sentence("", true).Small()
	limitCard := kit.Card(kit.Between(kit.Column(theme.Space/2, kit.Title(lang.L("Limits")), v.limits), kit.Plain(lang.L("Change limits"), "tune", do.Limits)))

	v.heldSum = kit.Small("", theme.Muted)
	v.heldSum.Align = fyne.TextAlignTrailing
	v.held = newHoldings(do)
	v.files, v.publishers = newGiven(), newGiven()
	held := kit.Card(kit.Column(theme.Space, kit.Between(kit.Title(lang.L("Held for others")), kit.Fixed(v.heldSum, 34*theme.Space)), v.held.root))
	files := kit.Card(kit.Column(theme.Space, kit.Title(lang.L("By file, last 7 days")), v.files.root))
	publishers := kit.Card(kit.Column(theme.Space, kit.Title(lang.L("By publisher, last 7 days")), v.publishers.root))
	scroll := container.NewVScroll(kit.Pad(kit.Column(theme.Space*3/2, big, numbers, limitCard, held, files, publishers), theme.Space/2, 2*theme.Space))
	v.root = container.NewBorder(kit.Pad(kit.Tall(kit.Middle(kit.Heading(lang.L("Sharing"))), 5*theme.Space), theme.Space*3/2, 2*theme.Space), nil, nil, nil, scroll)
	return v
}

func figure() *kit.Text {
	t := kit.NewText("")
	t.Scale, t.Bold, t.Cut = stock.SizeNameHeadingText, true, true
	return t
}

func tile(name string, value *kit.Text) fyne.CanvasObject {
	return kit.Card(kit.Column(theme.Space/2, kit.Small(name, theme.Muted), value))
}

// Object is what a window shows.
func (v *View) Object() fyne.CanvasObject { return v.root }

// Show draws what the service says of sharing, and which settings hold and are locked.
func (v *View) Show(s api.SharingStatus, held []api.Held, settings api.Settings, locks model.Locks) {
	meanings := map[api.Sharing]string{
		api.SharingOff: lang.L("Nothing leaves this computer. Your downloads are as fast as before."),
		api.SharingLAN: lang.L("Files you have are given to computers on your own network only, never over your internet connection."),
		api.SharingOn:  lang.L("Files you have are given to others who download them from the same publisher, within the limits below. Your own traffic always comes first."),
	}
	for i, p := range positions {
		if p == s.Sharing {
			v.position.Set(i)
		}
	}
	v.meaning.Set(meanings[s.Sharing])
	if by, locked := locks["sharing"]; locked {
		v.position.Disable()
		v.lock.Set(say.Locked(by))
		v.lockLine.Show()
	} else {
		v.position.Enable()
		v.lockLine.Hide()
	}
	if s.PausedWhy != "" && s.Sharing != api.SharingOff {
		v.pausedWhy.Set(lang.L("Sharing rests right now: {{.reason}}", map[string]any{"reason": say.Rests(s)}))
		v.paused.Show()
	} else {
		v.paused.Hide()
	}
	v.today.Set(say.Bytes(s.Today))
	v.week.Set(say.Bytes(s.Week))
	v.month.Set(say.Bytes(s.Month))
	v.rate.Set(say.Rate(s.Rate))
	v.limits.Set(limitsText(settings))
	v.heldSum.Set(lang.N("{{.n}} files offered, {{.size}}", s.HeldObjects, map[string]any{"n": s.HeldObjects, "size": say.Bytes(s.HeldBytes)}))
	v.held.show(held)
	from := v.now().AddDate(0, 0, -6).Format(time.DateOnly)
	v.files.show(model.GivenByFile(s.Ledger, from))
	v.publishers.show(model.GivenByPublisher(s.Ledger, from))
}

func limitsText(s api.Settings) string {
	rate, month, hours := lang.L("no limit on speed"), lang.L("no limit a month"), lang.L("at all hours")
	if s.UploadLimit > 0 {
		rate = lang.L("at most {{.rate}}", map[string]any{"rate": say.Rate(s.UploadLimit)})
	}
	if s.MonthlyUpload > 0 {
		month = lang.L("{{.size}} a month", map[string]any{"size": say.Bytes(s.MonthlyUpload)})
	}
	if s.ShareHours != "" {
		hours = lang.L("{{.hours}} o'clock", map[string]any{"hours": s.ShareHours})
	}
	var never []string
	switch {
	case s.BatteryLevel >= 100:
		never = append(never, lang.L("not on battery"))
	case s.BatteryLevel > 0:
		never = append(never, lang.L("not on battery below {{.percent}}%", map[string]any{"percent": s.BatteryLevel}))
	}
	if !s.ShareMetered {
		never = append(never, lang.L("not on metered networks"))
	}
	if !s.ShareVPN {
		never = append(never, lang.L("not through a VPN"))
	}
	return say.Join(append([]string{rate, month, hours}, never...)...)
}

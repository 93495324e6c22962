package ui

import (
	"errors"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/test"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/kit"
	"github.com/tributary-dl/tributary/ui/model"
)

// press taps the visible button with a text.
func (s *stage) press(t *testing.T, text string) {
	t.Helper()
	for _, o := range s.inSight() {
		if b, ok := o.(*kit.Button); ok && b.Text == text {
			test.Tap(b)
			s.settle()
			return
		}
	}
	t.Fatalf("there is no button %q", text)
}

func (s *stage) key(name fyne.KeyName) {
	focused := s.window.Canvas().Focused()
	if focused == nil {
		s.typedKey(&fyne.KeyEvent{Name: name})
	} else {
		focused.TypedKey(&fyne.KeyEvent{Name: name})
	}
	s.settle()
}

func TestKeysOfTheList(t *testing.T) {
	s := newStage(t, large, welcomed)
	s.tell(running, paused, done)
	s.window.Canvas().Focus(s.list.Focusable())
	tests := []struct {
		keys []fyne.KeyName
		want string
	}{
		{[]fyne.KeyName{fyne.KeyHome, fyne.KeySpace}, "pause run"},
		{[]fyne.KeyName{fyne.KeyDown, fyne.KeySpace}, "resume pause"},
		{[]fyne.KeyName{fyne.KeyEnd, fyne.KeyReturn}, "open /home/me/Downloads/node-v22.11.0.pkg"},
	}
	for _, tt := range tests {
		for _, k := range tt.keys {
			s.key(k)
		}
		if got := s.service.log(); got != tt.want {
			t.Errorf("%v asks for %q; want %q", tt.keys, got, tt.want)
		}
	}
}

func TestRemoveAsksFirst(t *testing.T) {
	s := newStage(t, large, welcomed)
	s.tell(running, done)
	s.window.Canvas().Focus(s.list.Focusable())
	s.list.Select("done")
	s.key(fyne.KeyDelete)
	s.press(t, "Keep")
	if got := s.service.log(); got != "" {
		t.Errorf("keeping it asks for %q", got)
	}
	s.key(fyne.KeyDelete)
	s.press(t, "Delete files, too")
	s.list.Select("run")
	s.key(fyne.KeyDelete)
	s.press(t, "Remove")
	if got, want := s.service.log(), "remove done true, cancel run"; got != want {
		t.Errorf("asked for %q; want %q", got, want)
	}
}

func TestAdding(t *testing.T) {
	s := newStage(t, large, welcomed)
	s.tell()
	s.OpenLinks("https://me:secret@example.com/a.iso")
	s.press(t, "Download")
	if s.modal != nil {
		t.Error("the dialog is still open")
	}
	r := s.service.requests[0]
	if r.URL != "https://example.com/a.iso" || r.User != "me" || r.Password != "secret" || r.Dir != "/home/me/Downloads" {
		t.Errorf("asked for %+v", r)
	}

	s.service.refuse = &api.Error{Code: api.ErrInvalid, Message: "the folder is not writable"}
	s.OpenLinks("https://example.com/b.iso")
	s.press(t, "Download")
	if s.modal == nil {
		t.Error("after a refusal the dialog is closed, and what was typed is lost")
	}
	s.key(fyne.KeyEscape)
	if s.modal != nil {
		t.Error("Escape does not close the dialog")
	}
}

// Whatever is pasted or dropped, nothing is asked of the service before the user says so, and nothing crashes.
func TestBadPastes(t *testing.T) {
	s := newStage(t, large, welcomed)
	s.tell()
	for _, text := range []string{"", "hello", "ftp://x/y", "file:///etc/passwd", "javascript:alert(1)", "\x00\xff", strings.Repeat("https://example.com/a ", 500_000)} {
		s.OpenLinks(text)
		if !s.submitDisabled() {
			t.Errorf("%.30q can be sent", text)
		}
		s.key(fyne.KeyEscape)
	}
	if got := s.service.log(); got != "" {
		t.Errorf("asked for %q", got)
	}
}

func (s *stage) submitDisabled() bool {
	for _, o := range s.inSight() {
		if b, ok := o.(*kit.Button); ok && b.Text == "Download" {
			return b.Disabled()
		}
	}
	return true
}

func TestDrop(t *testing.T) {
	s := newStage(t, large, welcomed)
	s.tell()
	s.dropped([]fyne.URI{storage.NewFileURI("/home/me/https:/example.com/a file.iso")})
	s.press(t, "Download")
	if got, want := s.service.log(), "add https://example.com/a%20file.iso"; got != want {
		t.Errorf("asked for %q; want %q", got, want)
	}
}

// When the service stops, the list stays; when it is back, everything goes on.
func TestTheServiceComesBack(t *testing.T) {
	s := newStage(t, large, welcomed)
	s.tell(running)
	s.inbox.lose(errors.New("gone"))
	s.beat()
	if s.book.Len() != 1 || !s.banner.root.Visible() {
		t.Errorf("%d downloads, banner %v; want the list to stay with a word above it", s.book.Len(), s.banner.root.Visible())
	}
	s.press(t, "Start it")
	if got := s.service.log(); got != "start" {
		t.Errorf("the button asks for %q", got)
	}
	s.tell(running, paused)
	if s.banner.root.Visible() || s.book.Len() != 2 {
		t.Error("after the service is back, the window still says that it is away")
	}
}

// A refusal is a sentence, and the switch goes back to what holds.
func TestRefusals(t *testing.T) {
	s := newStage(t, large, welcomed)
	s.tell(running)
	s.service.refuse = &api.Error{Code: api.ErrDenied, Message: "sharing is locked by the administrator"}
	s.change(api.SettingsPatch{Sharing: new(api.SharingOn)})
	s.settle()
	if got := s.toast.text.Content(); got != "Sharing is locked by the administrator" {
		t.Errorf("the window says %q", got)
	}
	if s.shared.Sharing == api.SharingOn {
		t.Error("the window shows sharing on although it was refused")
	}
}

func TestFirstRunAsksAboutSharing(t *testing.T) {
	s := newStage(t, large, model.Preferences{})
	s.tell()
	if !s.first.Visible() {
		t.Fatal("the first-run screens are not shown")
	}
	s.press(t, "Next")
	s.key(fyne.KeyReturn)
	s.press(t, "Start")
	if s.first.Visible() || len(s.saved) != 1 || !s.saved[0].Welcomed {
		t.Errorf("after the last screen: visible %v, saved %+v", s.first.Visible(), s.saved)
	}
	if got := s.service.log(); got != "set" {
		t.Errorf("asked for %q; want the answers to be set once", got)
	}
	if s.shared.Sharing != api.SharingOff {
		t.Error("sharing is on although nobody chose it")
	}
}

// Each key of the table does something with every page open and with no download at all.
func TestTableOfKeys(t *testing.T) {
	seen := map[fyne.KeyName]bool{}
	for _, b := range bindings {
		if seen[b.key] {
			t.Errorf("Ctrl+%s stands twice in the table", b.key)
		}
		seen[b.key] = true
		s := newStage(t, small, welcomed)
		b.action(s.UI)
		s.tell(running)
		b.action(s.UI)
		s.settle()
	}
}

// Escape leaves a page and a dialog from whatever widget has the focus.
func TestEscapeFromEveryFocus(t *testing.T) {
	open := map[string]func(*stage){
		"settings": func(s *stage) { s.turnTo(pageSettings) },
		"sharing":  func(s *stage) { s.turnTo(pageSharing) },
		"a dialog": func(s *stage) { s.OpenLinks("https://example.com/a.iso") },
	}
	for name, show := range open {
		s := newStage(t, large, welcomed)
		s.tell(running)
		show(s)
		s.settle()
		for _, o := range s.inSight() {
			focusable, ok := o.(fyne.Focusable)
			if d, can := o.(fyne.Disableable); !ok || can && d.Disabled() {
				continue
			}
			s.window.Canvas().Focus(focusable)
			if s.window.Canvas().Focused() != focusable {
				continue // below a dialog
			}
			s.key(fyne.KeyEscape)
			if s.page != pageDownloads || s.modal != nil {
				t.Errorf("%s: Escape in a %T leaves nothing", name, o)
			}
			show(s)
			s.settle()
			if s.modal != nil {
				break // its widgets are others now; those of dialogs are those of pages
			}
		}
	}
}

// On other pages the keys of the list do nothing to a download that nobody sees.
func TestKeysStayOnTheirPage(t *testing.T) {
	for _, away := range []func(*stage){
		func(s *stage) { s.turnTo(pageSettings) },
		func(s *stage) { s.turnTo(pageSharing); s.askDelete(held[0]); s.closeModal() },
	} {
		s := newStage(t, large, welcomed)
		s.tell(running)
		s.window.Canvas().Focus(s.list.Focusable())
		s.list.Select("run")
		away(s)
		for _, k := range []fyne.KeyName{fyne.KeyDown, fyne.KeySpace, fyne.KeyDelete, fyne.KeyReturn} {
			s.key(k)
		}
		if got := s.service.log(); got != "" || s.modal != nil || s.page == pageDownloads {
			t.Errorf("keys meant for another page ask for %q, open a dialog: %v, turn to page %v", got, s.modal != nil, s.page)
		}
		s.key(fyne.KeyEscape)
		s.key(fyne.KeySpace)
		if got := s.service.log(); got != "pause run" {
			t.Errorf("back at the list, Space asks for %q", got)
		}
	}
}

// Another download is shown from its top: what the last one was scrolled to may not be there.
func TestDetailBeginsAtItsTop(t *testing.T) {
	s := newStage(t, large, welcomed)
	s.tell(running, paused)
	var scroll *container.Scroll
	visit(s.close.Object(), func(o fyne.CanvasObject) {
		if found, ok := o.(*container.Scroll); ok && scroll == nil {
			scroll = found
		}
	})
	s.list.Select("run")
	s.settle()
	for _, next := range []func(){func() { s.list.Select("pause") }, func() { s.list.ClearSelection() }} {
		scroll.ScrollToBottom()
		next()
		s.settle()
		if scroll.Offset.Y != 0 {
			t.Errorf("what is shown next is scrolled by %.0f", scroll.Offset.Y)
		}
	}
}

// 10,000 rows cost no more than those in sight.
func TestOnlyRowsInSightExist(t *testing.T) {
	s := newStage(t, large, welcomed)
	for _, state := range states {
		if state.name == "ten thousand" {
			state.play(s)
		}
	}
	if n := s.list.Rows(); n > 30 {
		t.Errorf("%d rows exist in a window that shows about seven", n)
	}
	s.window.Canvas().Focus(s.list.Focusable())
	for range 30 { // the rows that were scrolled out of sight are used again, and not kept besides new ones
		s.key(fyne.KeyPageDown)
	}
	s.beat()
	if n := s.list.Rows(); n > 30 {
		t.Errorf("after scrolling %d rows exist in a window that shows about seven", n)
	}
	s.key(fyne.KeyEnd)
	if !s.reads("file 09999.iso") {
		t.Error("after the key End the last row is not in sight")
	}
	s.key(fyne.KeyHome)
	if !s.reads("file 00000.iso") {
		t.Error("after the key Home the first row is not in sight")
	}
}

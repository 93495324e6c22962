package ui

import (
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/kit"
)

// reads says whether a line of text in sight contains words.
func (s *stage) reads(words string) bool {
	for _, o := range s.inSight() {
		switch o := o.(type) {
		case *kit.Text:
			if strings.Contains(o.Content(), words) {
				return true
			}
		case *kit.Words:
			if strings.Contains(o.Content(), words) {
				return true
			}
		}
	}
	return false
}

// Before anything starts, the dialog shows what each server says, and nothing is added by asking.
func TestLinksAreProbed(t *testing.T) {
	s := newStage(t, large, welcomed)
	s.service.probes = probes
	s.tell()
	s.OpenLinks("https://example.com/a.iso\nhttps://example.com/gone")
	s.settle()
	for _, words := range []string{"5.7\u00a0GB · Debian · verified by the publisher · can be resumed", "example.com has no such file. Check the address."} {
		if !s.reads(words) {
			t.Errorf("the dialog does not say %q", words)
		}
	}
	if got := s.service.log(); got != "" {
		t.Errorf("asked for %q", got)
	}
}

// An answer that comes when the text has changed, or the dialog is closed, is dropped.
func TestLateAnswersAreDropped(t *testing.T) {
	s := newStage(t, large, welcomed)
	s.service.probes = probes
	s.tell()
	var answered []string
	ask := func(url string) {
		s.probe([]api.AddRequest{{URL: url}}, func(_ int, p api.Probe, _ string) { answered = append(answered, p.Name) })
	}
	ask("https://example.com/b.zip")
	ask("https://example.com/a.iso")
	s.settle()
	ask("https://example.com/b.zip")
	s.probing() // as closing the dialog does
	s.settle()
	if got := strings.Join(answered, " "); got != "a.iso" {
		t.Errorf("answers: %q; want that of the second question alone", got)
	}
}

func TestAFileOfLinks(t *testing.T) {
	s := newStage(t, large, welcomed)
	s.service.probes, s.service.linked = probes, linked
	s.tell()
	s.OpenLinks("file:///home/me/distro.meta4\n")
	s.settle()
	for _, o := range s.inSight() { // leave the first one out
		if c, ok := o.(*kit.Check); ok && c.Text == "" && c.Checked {
			test.Tap(c)
			break
		}
	}
	s.press(t, "Download")
	if got, want := s.service.log(), "read /home/me/distro.meta4, add https://example.com/b.zip"; got != want {
		t.Errorf("asked for %q; want %q", got, want)
	}
	if r := s.service.requests[0]; r.Dir != "/home/me/Downloads/docs" || r.Out != "notes.zip" {
		t.Errorf("asked for %+v", r)
	}

	s.service.linked = nil
	s.OpenLinks("/home/me/peers-only.torrent")
	s.settle()
	if got := s.toast.text.Content(); got != "This torrent names no web server." || s.modal != nil {
		t.Errorf("of a torrent without a server the window says %q", got)
	}
}

// Stopping keeps the file; deleting it asks first and names it.
func TestWhatIsHeldCanBeGivenUp(t *testing.T) {
	s := newStage(t, large, welcomed)
	s.service.held = held
	s.tell(done)
	s.turnTo(pageSharing)
	s.beat()
	tools := func() (all []*kit.Tool) {
		for _, o := range s.inSight() {
			if tool, ok := o.(*kit.Tool); ok {
				all = append(all, tool)
			}
		}
		return all
	}
	row := tools()
	if len(row) != 4 || row[0].Disabled() || !row[2].Disabled() {
		t.Fatalf("%d buttons; want two a file, and nothing to stop where nothing is offered", len(row))
	}
	test.Tap(row[0])
	s.settle()
	if got := s.service.log(); got != "stop aa" {
		t.Errorf("stopping asks for %q", got)
	}
	test.Tap(row[1])
	if got := s.service.log(); got != "" || !s.reads("there is no second copy") {
		t.Errorf("deleting asks the service for %q before it asks the user", got)
	}
	s.press(t, "Delete the file")
	if got := s.service.log(); got != "remove done true" {
		t.Errorf("deleting asks for %q", got)
	}
}

// Each button without a text says what it does.
func TestToolsHaveTips(t *testing.T) {
	for _, state := range states {
		if state.name == "ten thousand" {
			continue
		}
		s := newStage(t, small, state.prefs)
		state.play(s)
		for _, o := range s.inSight() {
			tool, ok := o.(*kit.Tool)
			if ok && tool.Tip == "" {
				t.Errorf("%s: a button with a symbol alone has no tip", state.name)
			}
			if b, ok := o.(*kit.Button); ok && b.Text == "" {
				t.Errorf("%s: a button shows neither text nor tip", state.name)
			}
		}
	}
}

// The order can be chosen at any width.
func TestSortingIsAlwaysInReach(t *testing.T) {
	for _, size := range []fyne.Size{small, large} {
		s := newStage(t, size, welcomed)
		last := paused
		last.ID, last.Name, last.Added = "last", "a last.iso", noon.Add(1)
		s.tell(running, last)
		for _, o := range s.inSight() {
			switch o := o.(type) {
			case *kit.Tool:
				if strings.HasPrefix(o.Tip, "Sort the list") {
					test.Tap(o)
				}
			case *kit.Button:
				if o.Text == "In queue order" {
					test.Tap(o)
				}
			}
		}
		var menu *widget.PopUpMenu
		for _, o := range s.inSight() {
			if m, ok := o.(*widget.PopUpMenu); ok {
				menu = m
			}
		}
		if menu == nil {
			t.Fatalf("%v: no menu of orders opens", size)
		}
		menu.Items[2].(fyne.Tappable).Tapped(nil) // by name
		s.list.SelectAll()
		if first := s.list.Selected()[0].Name; first != "a last.iso" {
			t.Errorf("%v: by name, the list begins with %q", size, first)
		}
	}
}

// What a desktop hands over stands for the same as what is pasted: a file as an address with escapes, a link behind our own scheme.
func TestOpenedByTheDesktop(t *testing.T) {
	tests := []struct{ word, asks string }{
		{"file:///home/me/a%20distro.meta4", "read /home/me/a distro.meta4, add https://example.com/a.iso, add https://example.com/b.zip"},
		{"/home/me/a distro.meta4", "read /home/me/a distro.meta4, add https://example.com/a.iso, add https://example.com/b.zip"},
		{"tributary:https://example.com/a.iso", "add https://example.com/a.iso"},
		{"tributary://https://example.com/a.iso", "add https://example.com/a.iso"},
		{"file:///etc/passwd", ""},
		{"file://elsewhere/a.torrent", ""},
	}
	for _, tt := range tests {
		s := newStage(t, large, welcomed)
		s.service.linked = linked
		s.tell()
		s.OpenLinks(tt.word)
		s.settle()
		if !s.submitDisabled() {
			s.press(t, "Download")
		}
		if got := s.service.log(); got != tt.asks {
			t.Errorf("%s asks for %q; want %q", tt.word, got, tt.asks)
		}
	}
}

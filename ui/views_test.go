package ui

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"

	"github.com/tributary-dl/tributary/assets/translations"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/kit"
	"github.com/tributary-dl/tributary/ui/model"
)

var (
	large = fyne.NewSize(1180, 740)
	small = fyne.NewSize(720, 480)
)

// Downloads in the states that a view can show.
var (
	running = api.Detail{
		Download: api.Download{ID: "run", Name: "debian-12.11.0-amd64-netinst.iso", URL: "https://dl.example.com/debian-12.11.0-amd64-netinst.iso", Path: "/home/me/Downloads/debian-12.11.0-amd64-netinst.iso",
			State: api.StateDownloading, Want: api.WantRun, Verdict: api.VerdictPublisher, Publisher: "Debian", TotalBytes: 5_700_000_000, VerifiedBytes: 1_311_000_000,
			BytesFromEdge: 500_000_000, BytesFromPeers: 811_000_000, BytesWasted: 65_536, BytesUploaded: 120_000_000, Rate: 24_600_000, EdgeRate: 4_600_000, PeerRate: 20_000_000,
			ETASeconds: 178, Peers: 7, Edges: 1, Limit: 20_000_000, Added: noon, Active: 53},
		Sources: []api.Source{
			{Kind: "edge", Name: "dl.example.com", Received: 500_000_000, Rate: 4_600_000, State: "sending"},
			{Kind: "peer", Name: "peer 5c31", Path: api.PathDirect, Received: 400_000_000, Rate: 12_000_000, State: "sending"},
			{Kind: "peer", Name: "peer 88a0", Path: api.PathLAN, Received: 411_000_000, Rate: 8_000_000, State: "idle"},
		},
		Pieces: strings.Repeat("EPPp", 60) + strings.Repeat("P", 40) + strings.Repeat("H", 20) + strings.Repeat(".", 380), PieceLength: 8 << 20,
		Timeline: []api.Happened{{Time: noon.Add(-time.Minute), Text: "Started", Say: api.Say(api.SayStarted)}, {Time: noon, Text: "Told by a later service"}},
		Why:      "Your limit of 20.0 MB/s.", WhySay: api.Say(api.SayWhyLimit, "rate", "20000000"),
	}
	paused = api.Detail{Download: api.Download{ID: "pause", Name: "Fedora-Workstation-Live-x86_64-41.iso", State: api.StatePaused, Want: api.WantPause, TotalBytes: 4_400_000_000, VerifiedBytes: 3_800_000_000,
		BytesFromEdge: 2_000_000_000, BytesFromPeers: 1_800_000_000, ETASeconds: -1, Verdict: api.VerdictHash, Added: noon.Add(time.Second)}}
	done = api.Detail{Download: api.Download{ID: "done", Name: "node-v22.11.0.pkg", State: api.StateComplete, Want: api.WantRun, TotalBytes: 1_100_000_000, VerifiedBytes: 1_100_000_000, Path: "/home/me/Downloads/node-v22.11.0.pkg",
		BytesFromEdge: 462_000_000, BytesFromPeers: 638_000_000, ETASeconds: -1, Verdict: api.VerdictPublisher, Shared: true, SHA256: strings.Repeat("ab", 32), Added: noon.Add(2 * time.Second)}}
	failed = api.Detail{Download: api.Download{ID: "fail", Name: "gone.tar.xz", State: api.StateFailed, Want: api.WantRun, TotalBytes: -1, ETASeconds: -1, Verdict: api.VerdictUnverified, Added: noon.Add(3 * time.Second),
		Problem: &api.Problem{Code: api.CodeEdgeRefused, Title: "Not found", Text: "dl.example.com has no such file.", Say: api.Say(api.SayNotFound, "host", "dl.example.com"), Remedy: "Check the address.", Do: api.Say(api.DoAddress), Severity: api.SeverityError}}}
	waiting = api.Detail{Download: api.Download{ID: "wait", Name: "Tears of Steel 1080p.mov", State: api.StateWaiting, Want: api.WantRun, TotalBytes: 5_900_000_000, VerifiedBytes: 1_800_000_000, BytesFromEdge: 1_800_000_000, ETASeconds: -1,
		Verdict: api.VerdictUnverified, Added: noon.Add(4 * time.Second), Problem: &api.Problem{Code: api.CodeDiskFull, Text: "There is not enough room.", Say: api.Say(api.SayDiskFull), Remedy: "Free some space.", Do: api.Say(api.DoFreeSpace), Severity: api.SeverityWarning}}}
)

var ledger = []api.LedgerEntry{
	{Day: "2026-11-22", ContentID: "aa", Name: "debian-12.11.0-amd64-netinst.iso", Publisher: "Debian", Bytes: 1_200_000_000, Peers: 9},
	{Day: "2026-11-20", ContentID: "bb", Name: "Blender-4.2.3-linux-x64.tar.xz", Publisher: "Blender Foundation", Bytes: 300_000_000, Peers: 3},
}

var (
	rests  = api.Say(api.SayRestsBattery, "percent", "43")
	probes = map[string]api.Probe{
		"https://example.com/a.iso": {Name: "a.iso", TotalBytes: 5_700_000_000, Verdict: api.VerdictPublisher, Publisher: "Debian", Resumable: true},
		"https://example.com/b.zip": {Name: "b.zip", TotalBytes: 1_000_000, Verdict: api.VerdictUnverified},
		"https://example.com/gone": {Name: "gone", TotalBytes: -1, Problem: &api.Problem{Code: api.CodeEdgeRefused, Text: "example.com has no such file.", Say: api.Say(api.SayNotFound, "host", "example.com"),
			Remedy: "Check the address.", Do: api.Say(api.DoAddress)}},
	}
	linked = []api.LinkedFile{
		{Request: api.AddRequest{URL: "https://example.com/a.iso", Out: "distro.iso", Checksum: "sha-256:" + strings.Repeat("ab", 32)}, TotalBytes: 5_700_000_000, Publisher: "Debian"},
		{Request: api.AddRequest{URL: "https://example.com/b.zip", Out: "notes.zip"}, Folder: "docs", TotalBytes: -1},
	}
	held = []api.Held{
		{Download: "done", ContentID: "aa", Name: "debian-12.11.0-amd64-netinst.iso", Publisher: "Debian", Path: "/home/me/Downloads/debian-12.11.0-amd64-netinst.iso", Bytes: 5_700_000_000, Sent: 1_200_000_000, LastSent: "2026-11-22", Shared: true},
		{Download: "old", ContentID: "bb", Name: "Blender-4.2.3-linux-x64.tar.xz", Publisher: "Blender Foundation", Path: "/home/me/Downloads/Blender-4.2.3-linux-x64.tar.xz", Bytes: 300_000_000},
	}
)

// state is a state of the window, and how it comes about.
type state struct {
	name  string
	prefs model.Preferences
	play  func(s *stage)
}

var states = []state{
	{"empty", welcomed, func(s *stage) { s.tell() }},
	{"first run", model.Preferences{}, func(s *stage) { s.tell() }},
	{"service absent", welcomed, func(s *stage) {
		s.inbox.lose(errors.New("tributaryd is not running at /run/user/1000/tributary/tributaryd.sock"))
		s.beat()
	}},
	{"service stopped", welcomed, func(s *stage) {
		s.tell(running, done)
		s.inbox.lose(errors.New("tributaryd has stopped"))
		s.beat()
	}},
	{"other version", welcomed, func(s *stage) { s.service.status.API, s.service.status.Version = 2, "3.0"; s.tell(); s.beat() }},
	{"every state", welcomed, func(s *stage) { s.tell(running, paused, done, failed, waiting) }},
	{"light", model.Preferences{Welcomed: true, Theme: "light"}, func(s *stage) { s.tell(running, paused, done) }},
	{"active", welcomed, func(s *stage) { s.tell(running, paused); s.list.Select("run"); s.settle() }},
	{"paused", welcomed, func(s *stage) { s.tell(running, paused); s.list.Select("pause"); s.settle() }},
	{"failed with remedy", welcomed, func(s *stage) { s.tell(failed); s.list.Select("fail"); s.settle() }},
	{"ten thousand", welcomed, func(s *stage) {
		var many []api.Detail
		for i := range 10_000 {
			d := paused
			d.ID, d.Name, d.Added = fmt.Sprintf("%05d", i), fmt.Sprintf("file %05d.iso", i), noon.Add(time.Duration(i)*time.Second)
			many = append(many, d)
		}
		s.tell(many...)
	}},
	{"adding", welcomed, func(s *stage) {
		s.service.probes = probes
		s.tell()
		s.OpenLinks("https://example.com/a.iso\nftp://example.com/b")
		s.settle()
	}},
	{"adding several", welcomed, func(s *stage) {
		s.service.probes = probes
		s.tell()
		s.OpenLinks("https://example.com/a.iso\nhttps://example.com/b.zip\nhttps://example.com/gone\nhttps://slow.example.com/c")
		s.settle()
	}},
	{"adding a file", welcomed, func(s *stage) {
		s.service.probes, s.service.linked = probes, linked
		s.tell()
		s.OpenLinks("/home/me/distro.meta4")
		s.settle()
	}},
	{"sharing off", welcomed, func(s *stage) { s.tell(); s.turnTo(pageSharing); s.beat() }},
	{"sharing at home", welcomed, func(s *stage) { s.service.shared.Sharing = api.SharingLAN; s.tell(); s.turnTo(pageSharing); s.beat() }},
	{"sharing on", welcomed, func(s *stage) {
		s.service.shared = api.SharingStatus{Sharing: api.SharingOn, Today: 1_200_000_000, Week: 1_500_000_000, Month: 9_000_000_000, Rate: 800_000, HeldBytes: 6_000_000_000, HeldObjects: 2, Ledger: ledger}
		s.service.held = held
		s.service.status.Settings.UploadLimit = 1_000_000
		s.tell()
		s.turnTo(pageSharing)
		s.beat()
	}},
	{"sharing rests", welcomed, func(s *stage) {
		s.service.shared = api.SharingStatus{Sharing: api.SharingOn, PausedWhy: "on battery", Paused: &rests, Ledger: ledger}
		s.tell()
		s.turnTo(pageSharing)
		s.beat()
	}},
	{"deleting what is held", welcomed, func(s *stage) { s.tell(); s.turnTo(pageSharing); s.beat(); s.askDelete(held[0]) }},
	{"sharing locked by policy", welcomed, func(s *stage) {
		s.service.policy = []api.Effective{{Name: "sharing", Locked: true, Origin: "/etc/tributary/policy.d/10-office.json"}}
		s.tell()
		s.turnTo(pageSharing)
		s.beat()
	}},
	{"settings", welcomed, func(s *stage) { s.tell(); s.turnTo(pageSettings); s.beat() }},
	{"locked by policy", welcomed, func(s *stage) {
		s.service.policy = []api.Effective{{Name: "dir", Locked: true, Origin: "/etc/tributary/policy.d/10-office.json"}, {Name: "sharing", Locked: true, Origin: "/etc/tributary/policy.d/10-office.json"}}
		s.tell()
		s.turnTo(pageSettings)
		s.beat()
	}},
	{"not an administrator", welcomed, func(s *stage) {
		s.service.status.Machine = true
		s.service.policy = []api.Effective{{Name: "dir", Origin: "default"}, {Name: "sharing", Locked: true, Origin: "/etc/tributary/policy.d/10-office.json"}}
		s.tell()
		s.turnTo(pageSettings)
		s.beat()
	}},
}

// checked are the states that are looked at: under the race detector, where all takes ten times as long and one
// goroutine draws, only those that the service's answers change most.
func checked() []state {
	if !raceDetector {
		return states
	}
	return slices.DeleteFunc(slices.Clone(states), func(s state) bool { return s.name != "active" && s.name != "sharing on" })
}

// TestGoldens compares each view in each state with how it was when somebody looked at it. After a change, look at the
// window, then copy testdata/failed over testdata.
func TestGoldens(t *testing.T) {
	for _, state := range checked() {
		t.Run(state.name, func(t *testing.T) {
			s := newStage(t, large, state.prefs)
			state.play(s)
			s.frame()
			test.AssertRendersToMarkup(t, strings.ReplaceAll(state.name, " ", "_")+".xml", s.window.Canvas())
		})
	}
}

// TestNothingIsClipped lays out each view in each language at the smallest and the usual size: a button is as wide as its
// text, and no text of ours is cut. Names of files may be.
func TestNothingIsClipped(t *testing.T) {
	sizes := map[string][]fyne.Size{"de": {small, large}, "fr": {small}, "es": {small}, "zh": {small}, "ja": {small}}
	for language, sizes := range sizes {
		ours := textsOf(t, language)
		for _, size := range sizes {
			for _, state := range checked() {
				if state.name == "ten thousand" {
					continue // the same texts as in "paused"
				}
				prefs := state.prefs
				prefs.Language = language
				s := newStage(t, size, prefs)
				state.play(s)
				s.frame()
				where := fmt.Sprintf("%s, %s, %v", state.name, language, size.Width)
				for _, root := range append([]fyne.CanvasObject{s.window.Canvas().Content()}, s.window.Canvas().Overlays().List()...) {
					checkClipping(t, where, root, ours)
				}
			}
		}
	}
}

func checkClipping(t *testing.T, where string, root fyne.CanvasObject, ours map[string]bool) {
	visit(root, func(o fyne.CanvasObject) {
		switch o := o.(type) {
		case *kit.Button:
			if o.Size().Width+0.5 < o.MinSize().Width {
				t.Errorf("%s: the button %q is %.0f wide and needs %.0f", where, o.Text, o.Size().Width, o.MinSize().Width)
			}
		case *kit.Text:
			line, ok := test.WidgetRenderer(o).Objects()[0].(*canvas.Text)
			if ok && strings.HasSuffix(line.Text, "…") && ours[o.Content()] {
				t.Errorf("%s: %q is cut to %q", where, o.Content(), line.Text)
			}
		}
	})
}

// textsOf returns the texts of a language that hold no values.
func textsOf(t *testing.T, language string) map[string]bool {
	t.Helper()
	raw, err := translations.Files.ReadFile(language + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var table map[string]any
	if err := json.Unmarshal(raw, &table); err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	for _, v := range table {
		if text, ok := v.(string); ok {
			texts[text] = true
		}
	}
	return texts
}

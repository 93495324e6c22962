package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/app/config"
	"github.com/tributary-dl/tributary/app/tributaryctl/internal/command"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/localapi/localapitest"
)

var update = flag.Bool("update", false, "write the golden files anew")

var finished = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// running, complete and failed are three downloads as the engine would show them.
var (
	running = api.Detail{Download: api.Download{ID: "3f2a000000000001", Name: "debian.iso", URL: "https://a.example/debian.iso", Path: "/home/ann/debian.iso",
		State: api.StateDownloading, Want: api.WantRun, Note: "from the edge and 4 peers", TotalBytes: 1000e6, VerifiedBytes: 620e6,
		BytesFromEdge: 200e6, BytesFromPeers: 420e6, Rate: 9.8e6, EdgeRate: 2.1e6, PeerRate: 7.7e6, Peers: 4, Edges: 1, ETASeconds: 39},
		Pieces: "EPP.", Why: "the edge's rate",
		Sources: []api.Source{
			{Kind: "edge", Name: "a.example", Received: 200e6, Rate: 2.1e6, State: "sending"},
			{Kind: "peer", Name: "K7Q2", Path: api.PathDirect, Received: 420e6, Rate: 7.7e6, State: "sending\x1b[2J"},
		}}
	complete = api.Detail{Download: api.Download{ID: "3f2b000000000002", Name: "a.zip", Path: "/home/ann/a.zip", State: api.StateComplete, Want: api.WantRun,
		TotalBytes: 5e6, VerifiedBytes: 5e6, BytesFromEdge: 5e6, ETASeconds: -1, Finished: &finished, SHA256: strings.Repeat("ab", 32)}}
	failed = api.Detail{Download: api.Download{ID: "c0de000000000003", Name: "b.zip", URL: "https://b.example/b.zip", State: api.StateFailed, Want: api.WantRun,
		TotalBytes: -1, ETASeconds: -1, Problem: &api.Problem{Code: api.CodeEdgeRefused, Title: "Not found", Text: "b.example has no such file (404).",
			Remedy: "Check the address.", Severity: api.SeverityError}}}
)

// TestMain shows times in UTC, wherever the tests run.
func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

// run is one run of the program against a service.
type run struct {
	code     int
	out, err string
}

// ctl runs the program with fake behind a real socket.
func ctl(t *testing.T, fake *localapitest.Fake, args ...string) run {
	t.Helper()
	socket, _ := localapitest.Serve(t, fake)
	return ctlAt(t.Context(), socket, nil, args...)
}

func ctlAt(ctx context.Context, socket string, change func(*command.Terminal), args ...string) run {
	var out, err bytes.Buffer
	terminal := command.Terminal{
		In: strings.NewReader(""), Out: &out, Err: &err,
		Size:      func() (int, int, bool) { return 0, 0, false },
		AskSecret: func(string) (string, error) { return "", command.ErrNoTerminal },
	}
	if change != nil {
		change(&terminal)
	}
	code := command.Main(ctx, append([]string{"--socket", socket}, args...), terminal)
	return run{code, out.String(), err.String()}
}

func three() *localapitest.Fake {
	fake := localapitest.NewFake(running, complete, failed)
	fake.Policy = []api.Effective{{Name: "sharing", Value: "off", Origin: "/etc/tributary/policy.d/site.json:3", Locked: true, Note: "the user's own choice waits until the lock goes"},
		{Name: "max_active", Value: "3", Origin: "user"}, {Name: "proxy", Origin: "default"}}
	fake.Checks = []api.Check{{Name: "disk", OK: true, Detail: "12 GB free"}}
	fake.LogLines = []string{"level=INFO msg=ready", "level=WARN msg=\x1b[31mred"}
	fake.SharingNow = api.SharingStatus{Sharing: api.SharingLAN, PausedWhy: "on battery", Today: 1e6, Week: 2e6, Month: 3e9, HeldBytes: 5e6, HeldObjects: 1,
		Ledger: []api.LedgerEntry{{Day: "2026-11-22", Name: "a.zip", Bytes: 1e6, Peers: 2}}}
	fake.HeldNow = []api.Held{{Download: running.ID, ContentID: "c0ffee00c0ffee", Name: "a.zip", Bytes: 5e6, Sent: 1e6, LastSent: "2026-11-22", Shared: true, Path: "/data/a.zip"},
		{Download: failed.ID, ContentID: "beef00", Name: "b.zip", Bytes: 7e6},
		{Download: complete.ID, ContentID: "c0ffee00c0ffee", Name: "copy of a.zip", Bytes: 5e6, Sent: 1e6, LastSent: "2026-11-22", Path: "/data/copy of a.zip"}}
	fake.Probes = map[string]api.Probe{"https://c.example/c": {URL: "https://c.example/c", Name: "c\x1b[31m", TotalBytes: 7e9, Verdict: api.VerdictPublisher, Publisher: "Site", Resumable: true}}
	fake.Linked = []api.LinkedFile{{Request: api.AddRequest{URL: "https://a.example/a", Out: "a"}}, {Request: api.AddRequest{URL: "https://a.example/b", Out: "b"}, Folder: "sub"}}
	fake.StatusNow = api.Status{Version: "1.2.3", API: 1, PID: 7, DataDir: "/data", Started: finished,
		Sharing: api.SharingStatus{Sharing: api.SharingLAN, PausedWhy: "on battery"}, Peers: api.PeerNetStatus{Listen: "0.0.0.0:4500", NAT: "easy"},
		Control: []api.ControlStatus{{URL: "https://c.example", Connected: true, Detail: "connected since 11:00:00, 2 objects offered"},
			{URL: "https://d.example", Detail: `dial https://d.example: Get "https://d.example/session": dial tcp 192.0.2.1:443: connect: connection refused`},
			{URL: "https://e.example", Detail: "not connected yet"},
			{URL: "https://f.example", Detail: `failed to get reader: received close frame: status = StatusGoingAway and reason = "the node is shutting down"`}}}
	return fake
}

// An object is named by the beginning of its ID, by either command, and all its files are meant.
func TestObjectsAreNamedByPrefix(t *testing.T) {
	tests := []struct {
		line  string
		code  int
		says  string
		calls []string
	}{
		{"held stop c0ff", 0, "a.zip, copy of a.zip (5.0 MB) is no longer offered to peers\n", []string{"forget c0ffee00c0ffee"}},
		{"sharing forget c0ff beef", 0, "a.zip, copy of a.zip (5.0 MB) is no longer offered to peers\nb.zip (7.0 MB) is no longer offered to peers\n", []string{"forget c0ffee00c0ffee", "forget beef00"}},
		{"held delete C0FF", 0, "a.zip, copy of a.zip (5.0 MB) is deleted from the disk\n", []string{"delete " + running.ID, "delete " + complete.ID}},
		{"sharing forget c0ff dead", 1, "tributaryctl: no object \"dead\" is held\n", nil},
	}
	for _, tt := range tests {
		fake := three()
		got := ctl(t, fake, strings.Fields(tt.line)...)
		if got.code != tt.code || got.out+got.err != tt.says {
			t.Errorf("%s: exit %d, %q %q; want %q", tt.line, got.code, got.out, got.err, tt.says)
		}
		if diff := cmp.Diff(tt.calls, fake.Calls()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.line, diff)
		}
	}
	under := running // way
	under.ContentID = "abad1dea"
	fake := localapitest.NewFake(under)
	if got := ctl(t, fake, "sharing", "forget", "abad"); got.code != 0 || got.out != "debian.iso (1.0 GB) is no longer offered to peers\n" {
		t.Errorf("exit %d, %q, %q", got.code, got.out, got.err)
	}
	fake = three()
	fake.HeldNow[1].ContentID = "c0ffee01"
	if got := ctl(t, fake, "held", "stop", "c0ffee0"); got.code != command.ExitUsage || !strings.Contains(got.err, "beginning of several objects") {
		t.Errorf("exit %d, %q", got.code, got.err)
	}
}

// What people and scripts see is kept in testdata/, one file a command line.
func TestOutput(t *testing.T) {
	tests := []struct{ golden, line string }{
		{"list", "list"},
		{"list-json", "list --json"},
		{"show", "show 3f2a"},
		{"show-json", "show 3f2a --json"},
		{"show-failed", "show c0de"},
		{"peers", "peers 3f2a"},
		{"peers-json", "peers 3f2a --json"},
		{"limits", "limits"},
		{"limits-set", "limits --down 10M --up none"},
		{"limits-json", "limits --json"},
		{"sharing", "sharing"},
		{"sharing-json", "sharing --json"},
		{"ledger", "ledger"},
		{"ledger-json", "ledger --json"},
		{"policy", "policy explain"},
		{"policy-json", "policy explain --json"},
		{"policy-reload", "policy reload"},
		{"settings", "settings get"},
		{"settings-one", "settings get max_active"},
		{"settings-set", "settings set max_active=3 download_limit=1.5M"},
		{"settings-json", "settings get --json"},
		{"status", "status"},
		{"status-json", "status --json"},
		{"doctor", "doctor"},
		{"doctor-json", "doctor --json"},
		{"diagnostics", "diagnostics"},
		{"diagnostics-json", "diagnostics --json"},
		{"add-json", "add https://c.example/c --out c --json"},
		{"pause", "pause 3f2a"},
		{"pause-json", "pause 3f2a --json"},
		{"move", "move 3f2a 4"},
		{"forget", "sharing forget c0ffee"},
		{"held", "held"},
		{"held-json", "held --json"},
		{"held-stop", "held stop c0ff"},
		{"held-delete", "held delete c0ffee"},
		{"probe", "probe https://c.example/c"},
		{"probe-json", "probe https://c.example/c --json"},
		{"add-file", "add testdata/two.meta4 --dir /data"},
	}
	for _, tt := range tests {
		t.Run(tt.golden, func(t *testing.T) {
			got := ctl(t, three(), strings.Fields(tt.line)...)
			if got.code != command.ExitDone || got.err != "" {
				t.Errorf("%s exits with %d and says %q", tt.line, got.code, got.err)
			}
			if strings.Contains(got.out, "\x1b") {
				t.Errorf("%s lets an escape sequence from the network through: %q", tt.line, got.out)
			}
			compareGolden(t, filepath.Join("testdata", tt.golden+".txt"), got.out)
			if strings.Contains(tt.line, "--json") {
				for line := range strings.Lines(got.out) {
					if !json.Valid([]byte(line)) || line[0] != '{' {
						t.Errorf("%s prints a line that is no JSON object: %q", tt.line, line)
					}
				}
			}
		})
	}
}

func TestHelp(t *testing.T) {
	for _, line := range []string{"", "add", "list", "show", "watch", "pause", "resume", "cancel", "remove", "move", "peers", "limits", "sharing", "sharing forget", "probe", "held", "held stop", "held delete",
		"ledger", "policy", "policy explain", "policy reload", "policy check", "settings", "settings get", "settings set", "status", "doctor", "diagnostics", "version"} {
		t.Run(line, func(t *testing.T) {
			got := ctlAt(t.Context(), "nowhere", nil, append(strings.Fields(line), "--help")...)
			if got.code != command.ExitDone || got.err != "" {
				t.Errorf("%s --help exits with %d and says %q", line, got.code, got.err)
			}
			name := strings.ReplaceAll(strings.TrimSpace("help "+line), " ", "-")
			compareGolden(t, filepath.Join("testdata", name+".txt"), got.out)
		})
	}
}

// Every slip gets a sentence and exit code 2, and the service is not asked for anything.
func TestUsageErrors(t *testing.T) {
	tests := []struct {
		args []string
		says string
	}{
		{[]string{"lst"}, `there is no command "lst"; did you mean "list"?`},
		{[]string{"frobnicate"}, `there is no command "frobnicate"`},
		{[]string{"list", "--frob"}, "unknown flag: --frob"},
		{[]string{"list", "x"}, `it is "tributaryctl list"`},
		{[]string{"add"}, `it is "tributaryctl add URL|FILE..."`},
		{[]string{"add", "u", "--limit", "fast"}, `--limit: "fast" is not a number of bytes`},
		{[]string{"add", "u", "--limit", "-1"}, `--limit: "-1" is not a number of bytes`},
		{[]string{"add", "u", "--header", "nonsense"}, `--header: "nonsense" is not "NAME: VALUE"`},
		{[]string{"add", "u", "--header", "A: 1\r\nB: 2"}, "--header:"},
		{[]string{"add", "u", "--header", "A: 1", "--header", "a: 2"}, "--header: a is given twice"},
		{[]string{"add", "u", "--cookie", "nonsense"}, `--cookie: "nonsense" is not NAME=VALUE`},
		{[]string{"add", "u", "--user", "ann:secret"}, "--user takes the name alone"},
		{[]string{"add", "u", "--user", "ann"}, "the password of ann is needed"},
		{[]string{"add", "u", "--password-file", "f"}, "--password-file needs --user"},
		{[]string{"add", "u", "--wait", "--paused"}, "contradict"},
		{[]string{"add", "u", "--tries", "-1"}, "negative"},
		{[]string{"add", "u", "v", "--out", "f"}, "belong to one URL"},
		{[]string{"add", "u", "v", "--checksum", "sha-256:00"}, "belong to one URL"},
		{[]string{"add", "u", "--out", "../f"}, `--out: "../f" is not the name of a file; --dir says in which folder it is`},
		{[]string{"add", "u", "--mirror", "xx"}, `--mirror: "xx" is not a complete web address`},
		{[]string{"add", "u", "--proxy", "foo"}, "--proxy: not a URL with a host"},
		{[]string{"probe", "u", "--proxy", "ftp://foo"}, `--proxy: scheme "ftp" is not one of http, https, socks5`},
		{[]string{"help", "foo"}, `there is no command "tributaryctl foo" to help with`},
		{[]string{"help", "held", "foo"}, `there is no command "tributaryctl held foo" to help with`},
		{[]string{"completion", "tcsh"}, `there is no completion for "tcsh"; there are bash`},
		{[]string{"version", "x"}, `tributaryctl version does not know "x"`},
		{[]string{"show"}, `it is "tributaryctl show ID"`},
		{[]string{"pause"}, "pause takes either IDs or --all"},
		{[]string{"remove", "3f2a", "--all"}, "remove takes either IDs, --finished or --all"},
		{[]string{"remove", "--finished", "--all"}, "remove takes either IDs, --finished or --all"},
		{[]string{"move", "3f2a", "first"}, `the priority "first" is not a whole number`},
		{[]string{"limits", "--down", "x"}, `--down: "x" is not a number of bytes`},
		{[]string{"sharing", "wan"}, `sharing is one of off, lan, on; "wan" is not`},
		{[]string{"policy"}, "policy needs one of its commands"},
		{[]string{"policy", "explian"}, `there is no command "explian"; did you mean "explain"?`},
		{[]string{"settings", "get", "speed"}, `there is no setting "speed"; there are dir,`},
		{[]string{"settings", "set", "speed=1"}, `there is no setting "speed"`},
		{[]string{"settings", "set", "max_active"}, `"max_active" is not NAME=VALUE`},
		{[]string{"settings", "set", "max_active=0"}, "max_active: 0 is not between 1 and 100"},
		{[]string{"settings", "set", "max_active=1", "max_active=2"}, "max_active is given twice"},
		{[]string{"settings", "set", "max_active=many"}, `max_active: "many" is not a whole number`},
		{[]string{"settings", "set", "sharing=wan"}, "off, lan, on"},
		{[]string{"settings", "set", "dir="}, "dir: a folder is missing; dir=default takes the service's own"},
		{[]string{"settings", "set", "share_vpn=maybe"}, `share_vpn: "maybe" is neither yes nor no`},
		{[]string{"settings", "set", "max_active=default", "max_active=2"}, "max_active is given twice"},
		{[]string{"settings", "set", "speed=default"}, `there is no setting "speed"`},
		{[]string{"settings", "set", "max_active=unlimited"}, `max_active: "unlimited" is not a whole number`},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			fake := three()
			got := ctl(t, fake, tt.args...)
			if got.code != command.ExitUsage || !strings.Contains(got.err, tt.says) || got.out != "" {
				t.Errorf("exit %d, out %q, err %q; want exit 2 and %q", got.code, got.out, got.err, tt.says)
			}
			if len(fake.Calls()) > 0 {
				t.Errorf("the service was asked to %q", fake.Calls())
			}
		})
	}
}

// What the service finds wrong with the words that were typed is a slip as well, if nothing else has come of them.
func TestWhatTheServiceFindsWrong(t *testing.T) {
	notAddress := &api.Error{Code: api.ErrInvalid, Message: `"nowhere" is not a complete web address.`}
	full := &api.Error{Code: api.ErrDenied, Message: "the list is full"}
	tests := []struct {
		line   string
		refuse error
		want   run
	}{
		{"add nowhere", notAddress, run{2, "", "tributaryctl: \"nowhere\" is not a complete web address.\nTry \"tributaryctl add --help\".\n"}},
		{"add nowhere nowhere --wait", notAddress, run{2, "", "tributaryctl: nowhere: \"nowhere\" is not a complete web address.\n" +
			"tributaryctl: nowhere: \"nowhere\" is not a complete web address.\nTry \"tributaryctl add --help\".\n"}},
		{"add https://a.example/f", full, run{1, "", "tributaryctl: the list is full\n"}},
		{"add missing.torrent", nil, run{1, "", "tributaryctl: there is no file missing.torrent\n"}},
		{"add https://a.example/f missing.meta4", nil, run{1, "d1  https://a.example/f\n", "tributaryctl: missing.meta4: there is no file missing.meta4\n"}},
		{"probe nowhere", nil, run{2, "", "tributaryctl: \"nowhere\" is not a web address\nTry \"tributaryctl probe --help\".\n"}},
		{"probe nowhere neither", nil, run{2, "", "tributaryctl: nowhere: \"nowhere\" is not a web address\n" +
			"tributaryctl: neither: \"neither\" is not a web address\nTry \"tributaryctl probe --help\".\n"}},
	}
	for _, tt := range tests {
		fake := localapitest.NewFake()
		fake.Refuse(tt.refuse)
		got := ctl(t, fake, strings.Fields(tt.line)...)
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(run{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.line, diff)
		}
	}
}

// A refusal does not get lost behind the wait for what was taken.
func TestWaitTellsWhatWasRefused(t *testing.T) {
	fake := localapitest.NewFake()
	socket, _ := localapitest.Serve(t, fake)
	go completeWhenAdded(fake)
	got := ctlAt(t.Context(), socket, nil, "add", "https://a.example/f", "missing.torrent", "--wait", "--json")
	if got.code != command.ExitFailed || got.err != "tributaryctl: missing.torrent: there is no file missing.torrent\n" {
		t.Errorf("exit %d, err %q", got.code, got.err)
	}
}

func TestVersion(t *testing.T) {
	for _, word := range []string{"version", "--version"} {
		got := ctlAt(t.Context(), "nowhere", nil, word)
		if got.code != command.ExitDone || got.out != "tributaryctl "+config.Version()+"\n" || got.err != "" {
			t.Errorf("%s: exit %d, %q, %q", word, got.code, got.out, got.err)
		}
	}
}

func TestServiceNotReachable(t *testing.T) {
	socket := localapitest.Socket(t)
	for _, line := range []string{"list", "add https://a.example/f", "show x", "watch", "pause --all", "limits", "doctor", "sharing on", "list --json"} {
		got := ctlAt(t.Context(), socket, nil, strings.Fields(line)...)
		want := "tributaryctl: tributaryd is not running at " + socket + "; start it with"
		if got.code != command.ExitUnreachable || !strings.HasPrefix(got.err, want) || got.out != "" {
			t.Errorf("%s: exit %d, out %q, err %q; want exit 3 and %q", line, got.code, got.out, got.err, want)
		}
	}
}

func TestRefusalsAreShown(t *testing.T) {
	fake := three()
	fake.Refuse(&api.Error{Code: api.ErrDenied, Message: "sharing is locked by the administrator\x1b[2J"})
	got := ctl(t, fake, "sharing", "on")
	if got.code != command.ExitFailed || got.err != "tributaryctl: sharing is locked by the administrator?[2J\n" {
		t.Errorf("exit %d, %q", got.code, got.err)
	}
}

func TestIDPrefixes(t *testing.T) {
	tests := []struct {
		word string
		code int
		want string // the call, or the message
	}{
		{"3f2a", 0, "pause 3f2a000000000001"},
		{"3f2a000000000001", 0, "pause 3f2a000000000001"},
		{"3f2", 1, "several downloads begin with 3f2; give more of the ID"},
		{"dead", 1, "there is no download dead"},
	}
	for _, tt := range tests {
		fake := three()
		got := ctl(t, fake, "pause", tt.word)
		said := strings.Join(fake.Calls(), ", ") + strings.TrimPrefix(strings.TrimSpace(got.err), "tributaryctl: ")
		if got.code != tt.code || said != tt.want {
			t.Errorf("pause %s: exit %d, %q; want %d, %q", tt.word, got.code, said, tt.code, tt.want)
		}
	}
}

func TestAll(t *testing.T) {
	for line, want := range map[string][]string{
		"pause --all":                   {"pause 3f2a000000000001"},
		"resume --all":                  {"resume c0de000000000003"},
		"cancel --all":                  {"cancel 3f2a000000000001", "cancel c0de000000000003"},
		"remove --all":                  nil, // one of them is not finished
		"remove --finished":             {"remove 3f2b000000000002"},
		"remove --all --discard":        {"remove 3f2a000000000001", "remove 3f2b000000000002", "remove c0de000000000003"},
		"remove --all --file --discard": {"delete 3f2a000000000001", "delete 3f2b000000000002", "delete c0de000000000003"},
		"remove 3f2b c0de":              {"remove 3f2b000000000002", "remove c0de000000000003"}, // the failed one has nothing to lose
		"pause 3f2a dead":               nil,                                                    // a slip in one word changes nothing
	} {
		fake := three()
		ctl(t, fake, strings.Fields(line)...)
		if diff := cmp.Diff(want, fake.Calls()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
}

// What has been fetched is not deleted by a word that only speaks of the list.
func TestRemoveKeepsWhatIsNotFinished(t *testing.T) {
	queued := api.Detail{Download: api.Download{ID: "beef000000000005", Name: "c.zip", State: api.StateQueued, Want: api.WantRun, TotalBytes: -1, ETASeconds: -1}}
	paused := running
	paused.ID, paused.State, paused.Want = "dddd000000000004", api.StatePaused, api.WantPause
	tests := []struct {
		line string
		want run
	}{
		{"remove 3f2a", run{1, "", "tributaryctl: debian.iso is not finished, and the 620 MB it has would be deleted: give --discard for that; pause keeps it\n"}},
		{"remove beef", run{1, "", "tributaryctl: c.zip is not finished: give --discard to drop it all the same; pause keeps it for later\n"}},
		{"remove --all", run{1, "", "tributaryctl: 3 downloads are not finished, and what they have would be deleted: give --discard for that, or --finished to leave them alone\n"}},
		{"remove 3f2a --discard", run{0, "discarded 3f2a000000000001  debian.iso\n", ""}},
		{"remove 3f2b", run{0, "removed 3f2b000000000002  a.zip\n", ""}},
		{"remove --finished --json", run{0, `{"id":"3f2b000000000002","done":"removed"}` + "\n", ""}},
		{"cancel 3f2a", run{0, "cancelled 3f2a000000000001  debian.iso\n", ""}},
	}
	for _, tt := range tests {
		got := ctl(t, localapitest.NewFake(running, complete, failed, paused, queued), strings.Fields(tt.line)...)
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(run{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.line, diff)
		}
	}
}

func TestMoveOfACompleteDownload(t *testing.T) {
	fake := three()
	got := ctl(t, fake, "move", "3f2b", "1")
	if got.code != command.ExitFailed || got.err != "tributaryctl: a.zip is complete; it has no place in the queue any more\n" || len(fake.Calls()) > 0 {
		t.Errorf("exit %d, %q, calls %q", got.code, got.err, fake.Calls())
	}
}

func TestAddSendsWhatWasTyped(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("secret", []byte("pass word\r\nsecond line"), 0o600); err != nil {
		t.Fatal(err)
	}
	fake := localapitest.NewFake()
	got := ctl(t, fake, "add", "https://a.example/f", "--dir", "isos", "--out", "f.iso", "--checksum", "sha-256:00", "--mirror", "https://b.example/f",
		"--mirror", "https://c.example/f", "--header", "X-Token:  a:b ", "--cookie", "a=1", "--cookie", "b=2", "--user", "ann", "--password-file", "secret",
		"--proxy", "socks5://p:1080", "--limit", "1.5M", "--paused", "--allow-local")
	if got.code != 0 {
		t.Fatalf("exit %d: %s", got.code, got.err)
	}
	want := []api.AddRequest{{URL: "https://a.example/f", Mirrors: []string{"https://b.example/f", "https://c.example/f"}, Dir: filepath.Join(dir, "isos"), Out: "f.iso",
		Checksum: "sha-256:00", User: "ann", Password: "pass word", Headers: map[string]string{"X-Token": "a:b"}, Cookies: "a=1; b=2",
		Proxy: "socks5://p:1080", Paused: true, RateLimit: 1_500_000, AllowLocal: true}}
	if diff := cmp.Diff(want, fake.Requests()); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestPasswordIsAskedForOnTheTerminal(t *testing.T) {
	fake := localapitest.NewFake()
	socket, _ := localapitest.Serve(t, fake)
	got := ctlAt(t.Context(), socket, func(terminal *command.Terminal) {
		terminal.AskSecret = func(prompt string) (string, error) {
			if prompt != "Password for ann: " {
				t.Errorf("prompt is %q", prompt)
			}
			return "secret", nil
		}
	}, "add", "https://a.example/f", "--user", "ann")
	if got.code != 0 || fake.Requests()[0].Password != "secret" {
		t.Errorf("exit %d, request %+v", got.code, fake.Requests())
	}
	got = ctlAt(t.Context(), socket, func(terminal *command.Terminal) { terminal.In = strings.NewReader("piped\n") },
		"add", "https://a.example/f", "--user", "ann", "--password-file", "-")
	if got.code != 0 || fake.Requests()[1].Password != "piped" {
		t.Errorf("exit %d, request %+v", got.code, fake.Requests())
	}
}

// One refused URL does not keep the others from being added, but the exit code tells.
func TestAddSeveral(t *testing.T) {
	got := ctl(t, localapitest.NewFake(), "add", "https://a.example/f", "https://b.example/g")
	if got.code != 0 || got.out != "d1  https://a.example/f\nd2  https://b.example/g\n" {
		t.Errorf("exit %d, %q", got.code, got.out)
	}
}

func TestWait(t *testing.T) {
	complete := func(d *api.Download) {
		*d = api.Download{ID: d.ID, Name: "f", Path: "/home/ann/f", State: api.StateComplete, TotalBytes: 10e6, VerifiedBytes: 10e6,
			BytesFromEdge: 4e6, BytesFromPeers: 6e6, Active: 8.2, Verdict: api.VerdictPublisher}
	}
	fail := func(d *api.Download) {
		d.State, d.Problem = api.StateFailed, &api.Problem{Title: "Not found", Text: "a.example has no such file (404).", Remedy: "Check the address."}
	}
	tests := []struct {
		name, line string
		happens    []func(fake *localapitest.Fake)
		want       run
	}{
		{"complete", "add https://a.example/f --wait", []func(*localapitest.Fake){progressTo(3e6), func(fake *localapitest.Fake) {
			progressTo(3.5e6)(fake) // the same tenth: not worth a line
			progressTo(7e6)(fake)
		}, finish(complete)},
			run{0, "https://a.example/f  0 B  queued\nhttps://a.example/f  30%  [eeeeeeeee.....................]  1.0 MB/s  edge 1.0 MB/s\n" +
				"https://a.example/f  70%  [eeeeeeeeeeeeeeeeeeeee.........]  1.0 MB/s  edge 1.0 MB/s\nf  10 MB  complete, 40% from the edge, 60% from peers\n" +
				"/home/ann/f\n10 MB in 8 s, 40% from the edge, 60% from peers; every piece is as the publisher signed it\n", ""}},
		{"failed", "add https://a.example/f --wait", []func(*localapitest.Fake){finish(fail)},
			run{1, "https://a.example/f  0 B  queued\nhttps://a.example/f  0 B  failed: Not found\n",
				"tributaryctl: https://a.example/f failed\na.example has no such file (404).\nCheck the address.\n"}},
		{"tried again and again", "add https://a.example/f --wait --tries 9", []func(*localapitest.Fake){hinder("is busy"), func(fake *localapitest.Fake) {
			for _, s := range []api.State{api.StateQueued, api.StateResolving, api.StateWaiting} {
				finish(func(d *api.Download) { d.State = s })(fake) // the same trouble: not worth a line
			}
			hinder("cannot be reached")(fake)
		}, func(fake *localapitest.Fake) {
			hinder("is busy")(fake) // known already
			progressTo(3e6)(fake)
		}, hinder("is busy"), finish(fail)},
			run{1, "https://a.example/f  0 B  queued\nhttps://a.example/f  0 B  waiting: Trouble, next try at 12:00:00\n  a.example is busy. Next try at 12:00:00.\n" +
				"https://a.example/f  0 B  waiting: Trouble, next try at 12:00:00\n  a.example cannot be reached. Next try at 12:00:00.\n" +
				"https://a.example/f  30%  [eeeeeeeee.....................]  1.0 MB/s  edge 1.0 MB/s\n" +
				"https://a.example/f  30%  [eeeeeeeee.....................]  waiting: Trouble, next try at 12:00:00\n  a.example is busy. Next try at 12:00:00.\n" +
				"https://a.example/f  30%  [eeeeeeeee.....................]  failed: Not found\n",
				"tributaryctl: https://a.example/f failed\na.example has no such file (404).\nCheck the address.\n"}},
		{"removed meanwhile", "add https://a.example/f --wait", []func(*localapitest.Fake){func(f *localapitest.Fake) { _ = f.Remove(context.Background(), "d1", false) }},
			run{1, "https://a.example/f  0 B  queued\n", "tributaryctl: d1 was removed before it was complete\n"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fake := localapitest.NewFake()
			socket, _ := localapitest.Serve(t, fake)
			steps := slices.Clone(tt.happens)
			got := ctlAt(t.Context(), socket, func(terminal *command.Terminal) {
				terminal.Out = &stepper{out: terminal.Out.(*bytes.Buffer), step: func() {
					if len(steps) > 0 {
						next := steps[0]
						steps = steps[1:]
						go next(fake) // the program is still writing
					}
				}}
			}, strings.Fields(tt.line)...)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(run{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.line, diff)
			}
		})
	}
}

// hinder makes a download wait, as if its server were in trouble.
func hinder(how string) func(*localapitest.Fake) {
	return finish(func(d *api.Download) {
		d.State, d.Problem = api.StateWaiting, &api.Problem{Code: api.CodeEdgeBusy, Title: "Trouble", Text: "a.example " + how + ".", RetryAt: &finished}
	})
}

func progressTo(bytes int64) func(*localapitest.Fake) {
	return func(fake *localapitest.Fake) {
		fake.Update("d1", func(d *api.Download) {
			d.State, d.Problem = api.StateDownloading, nil
			d.TotalBytes, d.VerifiedBytes, d.BytesFromEdge, d.Rate, d.EdgeRate = 10e6, bytes, bytes, 1e6, 1e6
		})
	}
}

func finish(change func(*api.Download)) func(*localapitest.Fake) {
	return func(fake *localapitest.Fake) { fake.Update("d1", change) }
}

// stepper lets the next thing happen when the program has printed a line.
type stepper struct {
	out  *bytes.Buffer
	step func()
}

func (s *stepper) Write(b []byte) (int, error) {
	defer s.step()
	return s.out.Write(b)
}

func TestWaitJSONPrintsOnlyTheEnd(t *testing.T) {
	fake := localapitest.NewFake()
	socket, _ := localapitest.Serve(t, fake)
	told := make(chan struct{})
	go func() {
		hinderWhenAdded(fake)
		<-told
		finish(func(d *api.Download) { d.State = api.StateComplete })(fake)
	}()
	got := ctlAt(t.Context(), socket, func(terminal *command.Terminal) {
		terminal.Err = &stepper{out: terminal.Err.(*bytes.Buffer), step: func() { close(told) }}
	}, "add", "https://a.example/f", "--wait", "--json")
	if want := "tributaryctl: https://a.example/f: a.example is busy. Next try at 12:00:00.\n"; got.err != want {
		t.Errorf("beside it: %q; want %q", got.err, want)
	}
	var d api.Download
	if err := json.Unmarshal([]byte(got.out), &d); err != nil || d.State != api.StateComplete || got.code != 0 {
		t.Errorf("exit %d, out %q, %v", got.code, got.out, err)
	}
}

// completeWhenAdded ends download d1 as soon as it is there.
func completeWhenAdded(fake *localapitest.Fake) {
	for events := range fake.Watch(context.Background(), 0) {
		if slices.ContainsFunc(events, func(e api.Event) bool { return e.Download != nil }) {
			fake.Update("d1", func(d *api.Download) { d.State = api.StateComplete })
			return
		}
	}
}

// hinderWhenAdded makes download d1 wait as soon as it is there.
func hinderWhenAdded(fake *localapitest.Fake) {
	for events := range fake.Watch(context.Background(), 0) {
		if slices.ContainsFunc(events, func(e api.Event) bool { return e.Download != nil }) {
			hinder("is busy")(fake)
			return
		}
	}
}

// Whoever interrupts the wait has not stopped the download, and is told so.
func TestInterruptedWait(t *testing.T) {
	fake := localapitest.NewFake()
	socket, _ := localapitest.Serve(t, fake)
	ctx, interrupt := context.WithCancel(t.Context())
	got := ctlAt(ctx, socket, func(terminal *command.Terminal) {
		terminal.Out = &stepper{out: terminal.Out.(*bytes.Buffer), step: interrupt}
	}, "add", "https://a.example/f", "--wait")
	if got.code != command.ExitInterrupted || got.err != "No longer waiting. The download goes on; see \"tributaryctl show d1\".\n" {
		t.Errorf("exit %d, err %q", got.code, got.err)
	}
	if diff := cmp.Diff([]string{"add https://a.example/f"}, fake.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// On a terminal the block is redrawn in place, in colour if wanted, and is gone at the end.
func TestPicture(t *testing.T) {
	for _, colour := range []bool{true, false} {
		fake := localapitest.NewFake(running)
		socket, _ := localapitest.Serve(t, fake)
		ctx, stop := context.WithCancel(t.Context())
		got := ctlAt(ctx, socket, func(terminal *command.Terminal) {
			terminal.Size = func() (int, int, bool) { return 100, 24, true }
			terminal.Colour = colour
			terminal.Out = &stepper{out: terminal.Out.(*bytes.Buffer), step: stop}
		}, "watch")
		if got.code != 0 || !strings.Contains(got.out, "9.8 MB/s  edge 2.1 · 4 peers 7.7 MB/s  ETA 39 s\n") || !strings.HasSuffix(got.out, "\x1b[1A\r\x1b[J") {
			t.Errorf("watch: exit %d, %q", got.code, got.out)
		}
		if coloured := strings.Contains(got.out, "\x1b[34m█"); coloured != colour {
			t.Errorf("watch with colour %v prints %q", colour, got.out)
		}
	}
}

func TestWatchJSON(t *testing.T) {
	fake := localapitest.NewFake(running)
	socket, _ := localapitest.Serve(t, fake)
	ctx, stop := context.WithCancel(t.Context())
	got := ctlAt(ctx, socket, func(terminal *command.Terminal) {
		terminal.Out = writerFunc(func(b []byte) (int, error) {
			var e api.Event
			if err := json.Unmarshal(b, &e); err != nil {
				t.Errorf("%q: %v", b, err)
			}
			if e.Synced {
				stop()
			}
			return len(b), nil
		})
	}, "watch", "--json")
	if got.code != 0 {
		t.Errorf("exit %d: %s", got.code, got.err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestDoctorFailsWhenSomethingIsWrong(t *testing.T) {
	fake := localapitest.NewFake()
	fake.Checks = []api.Check{{Name: "disk", OK: true, Detail: "12 GB free"}, {Name: "peers", Detail: "UDP is blocked", Remedy: "Ask for UDP."}}
	got := ctl(t, fake, "doctor")
	if got.code != command.ExitFailed || got.out != "ok   disk   12 GB free\nBAD  peers  UDP is blocked\n            Ask for UDP.\n" || got.err != "" {
		t.Errorf("exit %d, %q, %q", got.code, got.out, got.err)
	}
}

// A service that stops while it is watched is not reachable any more.
func TestServiceStopsDuringWait(t *testing.T) {
	fake := localapitest.NewFake()
	socket, stop := localapitest.Serve(t, fake)
	got := ctlAt(t.Context(), socket, func(terminal *command.Terminal) {
		terminal.Out = &stepper{out: terminal.Out.(*bytes.Buffer), step: stop}
	}, "add", "https://a.example/f", "--wait")
	if got.code != command.ExitUnreachable || !strings.Contains(got.err, "has stopped") {
		t.Errorf("exit %d, %q", got.code, got.err)
	}
}

func TestIDsAreOfferedToTheShell(t *testing.T) {
	socket, _ := localapitest.Serve(t, three())
	got := ctlAt(t.Context(), "", nil, "__complete", "--socket", socket, "show", "3f")
	if want := "3f2a000000000001\tdebian.iso\n3f2b000000000002\ta.zip\n"; !strings.HasPrefix(got.out, want) {
		t.Errorf("completion is %q; want %q first", got.out, want)
	}
}

// What get prints, set takes, and it means the same; every setting has a line in the help.
func TestSettingsRoundTrip(t *testing.T) {
	help := ctlAt(t.Context(), "nowhere", nil, "settings", "--help").out
	zero := api.SettingsPatch{Dir: new("/srv"), Sharing: new(api.SharingOff), DownloadLimit: new(int64(0)), UploadLimit: new(int64(0)), MonthlyUpload: new(int64(0)),
		UploadsPerObject: new(0), ShareHours: new(""), KeepShared: new(int64(0)), ShareDays: new(0), BatteryLevel: new(0), ShareMetered: new(false), ShareVPN: new(false),
		MaxActive: new(1), Connections: new(1), Proxy: new("")}
	other := api.SettingsPatch{Dir: new("/srv/my isos"), Sharing: new(api.SharingLAN), DownloadLimit: new(int64(1_500_000)), UploadLimit: new(int64(123_457)), MonthlyUpload: new(int64(100e9)),
		UploadsPerObject: new(2), ShareHours: new("22:00-07:00"), KeepShared: new(int64(7 << 30)), ShareDays: new(3), BatteryLevel: new(40), ShareMetered: new(true), ShareVPN: new(true),
		MaxActive: new(7), Connections: new(3), Proxy: new("socks5://ann@p.example:1080")}
	for _, patch := range []api.SettingsPatch{{}, zero, other} {
		fake := localapitest.NewFake()
		want, err := fake.SetSettings(t.Context(), patch)
		if err != nil {
			t.Fatal(err)
		}
		socket, _ := localapitest.Serve(t, fake)
		words := []string{"settings", "set"}
		for line := range strings.Lines(ctlAt(t.Context(), socket, nil, "settings", "get").out) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			words = append(words, name+"="+strings.TrimSpace(value))
			if !strings.Contains(help, "\n  "+name+" ") {
				t.Errorf("the help does not say what %s is", name)
			}
		}
		if fields := reflect.TypeFor[api.Settings]().NumField(); len(words)-2 != fields {
			t.Errorf("get prints %q; want %d settings", words[2:], fields)
		}
		for _, first := range []api.SettingsPatch{zero, other} { // whatever was there before
			if _, err := fake.SetSettings(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			got := ctlAt(t.Context(), socket, nil, words...)
			if diff := cmp.Diff(want, fake.Settings()); diff != "" || got.code != 0 {
				t.Errorf("%q: exit %d, %s (-want +got):\n%s", words, got.code, got.err, diff)
			}
		}
	}
}

func TestSettingsTakeWords(t *testing.T) {
	fake := localapitest.NewFake()
	socket, _ := localapitest.Serve(t, fake)
	for _, step := range []struct{ line, out string }{
		{"settings set max_active=3 download_limit=10M share_hours=22:00-07:00", "download_limit  10M\nshare_hours     22:00-07:00\nmax_active      3\n"},
		{"settings set download_limit=none share_hours=always", "download_limit  unlimited\nshare_hours     always\n"},
		{"settings set max_active=default share_days=none", "share_days  unlimited\nmax_active  5\n"},
		{"settings set share_metered=on proxy=http://p.example", "share_metered  yes\nproxy          http://p.example\n"},
		{"settings set share_metered=default proxy=none", "share_metered  no\nproxy          none\n"},
		{"limits --down unlimited", "download  none\nupload    none\n"},
	} {
		if got := ctlAt(t.Context(), socket, nil, strings.Fields(step.line)...); got.code != 0 || got.out != step.out {
			t.Errorf("%s: exit %d, %q, %s; want %q", step.line, got.code, got.out, got.err, step.out)
		}
	}
}

func TestSettingsAreOfferedToTheShell(t *testing.T) {
	for words, want := range map[string]string{
		"get sha":           "sharing\twho is",
		"get max_active ":   ":4\n",
		"set max":           "max_active=\tdownloads at a time; the others wait\n:6\n",
		"set sharing=":      "sharing=default\nsharing=off\nsharing=lan\nsharing=on\n:4\n",
		"set share_h":       "share_hours=\t",
		"set dir=d proxy=n": "proxy=none\n:4\n",
	} {
		args := append([]string{"__complete", "settings"}, strings.Split(words, " ")...)
		if got := ctlAt(t.Context(), "", nil, args...); !strings.HasPrefix(got.out, want) {
			t.Errorf("settings %s: completion is %q; want %q first", words, got.out, want)
		}
	}
}

func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", path, diff)
	}
}

package policy

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "10-site.json"), filepath.Join(dir, "20-office.json")
	write(t, first, "{\"settings\": {\n\"sharing\": \"lan\",\n\"upload_limit\": 1000000}, \"lock\": [\"upload_limit\"]}")
	write(t, second, "\ufeff"+`{"lock": ["sharing", "proxy", "sharing"], "settings": {"sharing": "off", "control_url": "https://c.example/"}}`)
	write(t, filepath.Join(dir, "README"), `not a policy`)

	got, err := (&Reader{Paths: []string{dir}}).Load()
	if err != nil {
		t.Fatal(err)
	}
	if *got.Settings.Sharing != "off" || *got.Settings.UploadLimit != 1_000_000 || got.Settings.Dir != nil || got.ControlURL != "https://c.example" {
		t.Errorf("it decides %+v", got)
	}
	if diff := cmp.Diff(map[string]bool{"proxy": true, "sharing": true, "upload_limit": true}, got.Locked); diff != "" {
		t.Errorf("locked (-want +got):\n%s", diff)
	}
	origin := map[string]string{"sharing": second + ":1", "proxy": second + ":1", "upload_limit": first + ":3", "control_url": second + ":1"}
	if diff := cmp.Diff(origin, got.Origin); diff != "" {
		t.Errorf("origin (-want +got):\n%s", diff)
	}
	conflicts := []string{"sharing is decided by " + second + ":1, but " + first + ":2 says lan; the last one read holds"}
	if diff := cmp.Diff(conflicts, got.Conflicts()); diff != "" {
		t.Errorf("conflicts (-want +got):\n%s", diff)
	}
}

// Each setting there is can be decided and locked, wherever a system keeps policies.
func TestEverySetting(t *testing.T) {
	for _, name := range names() {
		json, plist, registry, want := "5", "<integer>5</integer>", any(uint64(5)), "5"
		switch text := map[string]string{"dir": t.TempDir(), "sharing": "lan", "share_hours": "22:00-07:00", "proxy": "http://p.example:1", controlURL: "https://c.example"}[name]; {
		case text != "":
			json, plist, registry, want = strconv.Quote(text), "<string>"+text+"</string>", text, text
		case typeOf(name).Kind() == reflect.Bool:
			json, plist, registry, want = "true", "<true/>", uint64(1), "true"
		}
		forms := map[string]source{
			"JSON":     {name: "p", text: fmt.Appendf(nil, `{"settings": {%q: %s}, "lock": [%q]}`, name, json, name), parse: parseJSON},
			"plist":    {name: "p", text: fmt.Appendf(nil, `<plist version="1.0"><dict><key>settings</key><dict><key>%s</key>%s</dict><key>lock</key><array><string>%s</string></array></dict></plist>`, name, plist, name), parse: parsePlist},
			"registry": registrySource("p", map[string]any{strings.ToUpper(name): registry}, true),
		}
		for form, s := range forms {
			d, err := s.parse(s.name, s.text)
			if err != nil {
				t.Fatalf("%s as %s: %v", name, form, err)
			}
			decisions, err := d.decisions()
			if err != nil {
				t.Errorf("%s as %s: %v", name, form, err)
				continue
			}
			if p := merge(decisions); shownOf(p, name) != want || !p.Locked[name] {
				t.Errorf("%s as %s: it is %q, locked: %v; want %q, locked", name, form, shownOf(p, name), p.Locked[name], want)
			}
		}
	}
}

// shownOf returns the value that a policy has for a setting.
func shownOf(p Policy, name string) string {
	if name == controlURL {
		return p.ControlURL
	}
	return fmt.Sprint(reflect.ValueOf(p.Settings).Field(fieldOf(name)).Elem())
}

// Values that agree, or that nobody has locked, are no conflict; a password is shown to nobody.
func TestConflicts(t *testing.T) {
	proxy := func(host string) decision {
		return decision{name: "proxy", at: Position{File: host}, value: "http://u:secret@" + host}
	}
	lock := decision{name: "proxy", at: Position{File: "l", Line: 2}}
	for name, tt := range map[string]struct {
		decisions []decision
		note      string
	}{
		"not locked":       {[]decision{proxy("a"), proxy("b")}, ""},
		"agree":            {[]decision{proxy("a"), lock, proxy("a")}, ""},
		"locked later":     {[]decision{proxy("a"), proxy("b"), lock}, "a says http://u:xxxxx@a; the last one read holds"},
		"locked at first":  {[]decision{lock, proxy("a"), proxy("b")}, "a says http://u:xxxxx@a; the last one read holds"},
		"only locks":       {[]decision{lock, lock}, ""},
		"one of them sole": {[]decision{lock, proxy("a")}, ""},
	} {
		p := merge(tt.decisions)
		if p.Notes["proxy"] != tt.note {
			t.Errorf("%s: %q; want %q", name, p.Notes["proxy"], tt.note)
		}
	}
}

// Every fault says where it is, why, and what to do if that can be known.
func TestFaults(t *testing.T) {
	tests := []struct{ name, text, says string }{
		{"empty", " \n", ":1:1: the file is empty; write {}"},
		{"cut short", "{\n\"settings\": {", ":2:14: the file ends in the middle; a } or ]"},
		{"a comma too many", "{\n \"settings\": {\n  \"sharing\": \"off\",\n }\n}", ":4:2: invalid character '}' looking for beginning of object key string; take away the comma before it"},
		{"a comma missing", "{\"lock\": [\"dir\"]\n \"settings\": {}}", ":2:2: invalid character '\"' after object key:value pair; a comma or colon is missing"},
		{"single quotes", `{'lock': []}`, ":1:2: invalid character '\\'' looking for beginning of object key string; write texts between double quotes"},
		{"a comment", "// mine\n{}", ":1:1: invalid character '/' looking for beginning of value; JSON has no comments"},
		{"two policies", "{}\n{}", ":2:1: invalid character '{' after top-level value; a file holds one policy"},
		{"Latin-1", "{\"settings\": {\"dir\": \"/Gr\xf6\xdfe\"}}", ":1:1: this is not UTF-8 text; save it as UTF-8"},
		{"unknown part", "{\n\n\"setings\": {}}", `:3:1: a policy has no part "setings"; did you mean "settings"?`},
		{"a setting as part", `{"sharing": "off"}`, `:1:2: a policy has no part "sharing"; put it inside "settings"`},
		{"a part twice", `{"lock": [], "lock": []}`, `:1:14: "lock" stands here twice`},
		{"unknown setting", "{\n\"settings\": {\n\t\"sharring\": \"off\"}}", `:3:2: there is no setting "sharring"; did you mean "sharing"?`},
		{"nothing like it", `{"settings": {"colour": 1}}`, `:1:15: there is no setting "colour"; there are dir, sharing, `},
		{"another case", `{"settings": {"Sharing": "off"}}`, `:1:15: there is no setting "Sharing"; did you mean "sharing"?`},
		{"a setting twice", `{"settings": {"sharing": "off", "sharing": "on"}}`, `:1:33: sharing is set twice; keep one`},
		{"in another unit", "{\"settings\": {\n\"upload_limit\": \"1M\"}}", ":2:17: upload_limit: a string where a whole number belongs; write 1000000"},
		{"fraction", `{"settings": {"max_active": 1.5}}`, ":1:29: max_active: 1.5 is not a whole number"},
		{"beyond 64 bits", `{"settings": {"keep_shared": 99999999999999999999}}`, ":1:30: keep_shared: 99999999999999999999 is not a whole number of 64 bits"},
		{"a number for a choice", `{"settings": {"share_vpn": 1}}`, ":1:28: share_vpn: a number where true or false belongs"},
		{"a choice for a number", `{"settings": {"max_active": true}}`, ":1:29: max_active: true where a whole number belongs"},
		{"null", `{"settings": {"sharing": null}}`, ":1:26: sharing: null is no value; leave the setting out"},
		{"a list for a text", `{"settings": {"sharing": []}}`, ":1:26: sharing: a list where a string belongs"},
		{"after an umlaut", `{"settings": {"dir": "/ä", "sharing": 1}}`, ":1:39: sharing: a number where a string belongs"},
		{"bad value", "{\"settings\": {\n\"sharing\": \"wan\"}}", `:2:12: sharing: "wan" is not one of off, lan, on`},
		{"bad control plane", `{"settings": {"control_url": "http://c.example"}}`, ":1:30: control_url: "},
		{"control plane of no kind", `{"settings": {"control_url": true}}`, ":1:30: control_url: true where a string belongs"},
		{"unknown lock", "{\"lock\": [\n\"shaaring\"]}", `:2:1: lock: there is no setting "shaaring"; did you mean "sharing"?`},
		{"lock is no list", `{"lock": "sharing"}`, `:1:10: lock: a string where a list of settings belongs; write ["sharing"]`},
		{"lock of no name", `{"lock": [{}]}`, ":1:11: lock: an object where the name of a setting belongs"},
		{"settings are no object", `{"settings": false}`, ":1:14: settings: false where an object belongs"},
		{"a list", `[]`, `:1:1: a list where an object with "settings" and "lock" belongs`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "p.json")
			write(t, path, tt.text)
			_, err := (&Reader{Paths: []string{path}}).Load()
			if _, ok := errors.AsType[*FaultError](err); !ok || !strings.HasPrefix(err.Error(), path+tt.says) {
				t.Errorf("Load() = %v; want %s%s", err, path, tt.says)
			}
		})
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	long := filepath.Join(dir, "long.json")
	write(t, long, strings.Repeat(" ", maxFile+1))
	for path, says := range map[string]string{
		filepath.Join(dir, "none"): ": cannot stat it: no such file",
		os.DevNull:                 ": it is not a regular file",
		long:                       ": it is longer than 1048576 bytes",
	} {
		_, err := (&Reader{Paths: []string{path}}).Load()
		if _, ok := errors.AsType[*FaultError](err); !ok || !strings.HasPrefix(err.Error(), path+says) {
			t.Errorf("Load() = %v; want %s%s", err, path, says)
		}
	}
	if got := readFolder(filepath.Join(dir, "none")); got != nil {
		t.Errorf("a folder that need not exist holds %v", got)
	}
}

// What holds is what was read last; what may be written below weighs less.
func TestRegistry(t *testing.T) {
	installer := registrySource(registryInstaller, onlyInstallers(map[string]any{"SHARING": "on", "CONTROL_URL": "https://c.example", "InstallDir": `C:\`}), false)
	enforced := registrySource(registryPolicies, map[string]any{"Sharing": "off", "upload_limit": uint64(7)}, true)
	var all []decision
	for _, s := range []source{installer, enforced} {
		d, err := s.parse(s.name, s.text)
		if err != nil {
			t.Fatal(err)
		}
		some, err := d.decisions()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, some...)
	}
	p := merge(all)
	if *p.Settings.Sharing != "off" || *p.Settings.UploadLimit != 7 || p.ControlURL != "https://c.example" || p.Locked[controlURL] || !p.Locked["upload_limit"] {
		t.Errorf("the registry decides %+v", p)
	}
	if p.Origin["sharing"] != `HKLM\Software\Policies\Tributary` || p.Notes["sharing"] != `HKLM\Software\Tributary says on; the last one read holds` {
		t.Errorf("sharing is decided by %s (%s)", p.Origin["sharing"], p.Notes["sharing"])
	}
	wrong := registrySource(registryPolicies, map[string]any{"sharing": uint64(1)}, true)
	d, err := wrong.parse(wrong.name, wrong.text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.decisions(); err == nil || err.Error() != `HKLM\Software\Policies\Tributary: sharing: a number where a string belongs` {
		t.Errorf("a number for a text: %v", err)
	}
}

// A change is told once, when two looks have seen the same; what Load has read is no change.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "p.json")
	synctest.Test(t, func(t *testing.T) {
		r := &Reader{Paths: []string{dir}}
		if _, err := r.Load(); err != nil {
			t.Fatal(err)
		}
		var changed atomic.Int64
		go r.Watch(t.Context(), time.Second, func() {
			changed.Add(1)
			_, _ = r.Load()
		})
		look := func(after time.Duration) int64 {
			time.Sleep(after)
			synctest.Wait()
			return changed.Load()
		}
		if look(5500*time.Millisecond) != 0 {
			t.Error("nothing has changed, and it says so")
		}
		write(t, path, `{"lock": [`)
		if look(time.Second) != 0 {
			t.Error("a file that is being written is taken for a change")
		}
		write(t, path, `{"lock": ["dir"]}`)
		if look(time.Second) != 0 || look(time.Second) != 1 || look(10*time.Second) != 1 {
			t.Errorf("after a change: told %d times", changed.Load())
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if look(3*time.Second) != 2 {
			t.Error("a file that went away is no change")
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"settings": {"sharing": "off", "upload_limit": 1000000}, "lock": ["sharing"]}`))
	f.Add([]byte(`{"settings": {"sharing": null, "control_url": "https://c"}}`))
	f.Add([]byte("\ufeff{\n\"lock\": [1]}"))
	f.Add([]byte("{} '"))
	f.Add([]byte(`{"settings": {"share_vpn": 1, "share_metered": true}}`))
	f.Fuzz(func(t *testing.T, text []byte) { checkParsed(t, parseJSON, text) })
}

// checkParsed holds a parser to what must be true of any bytes: a fault that stands in the file, or a policy whose
// settings are right.
func checkParsed(t *testing.T, parse func(string, []byte) (document, error), text []byte) {
	d, err := parse("p", text)
	var decisions []decision
	if err == nil {
		decisions, err = d.decisions()
	}
	if err != nil {
		fault, ok := errors.AsType[*FaultError](err)
		if !ok || fault.At.File != "p" || fault.At.Line > 1+strings.Count(string(text), "\n") || fault.Reason == "" {
			t.Errorf("the fault is %#v", err)
		}
		return
	}
	p := merge(decisions)
	if _, err := p.Settings.Check(); err != nil {
		t.Errorf("a policy passes with a setting that does not: %v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

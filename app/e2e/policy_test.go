package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/engine/api"
)

// A service does not start on a malformed policy, and says where it is wrong; one that runs keeps the last good one.
func TestAdministratorsPolicy(t *testing.T) {
	w := newWorld(t)
	site, office := filepath.Join(w.folder, "10-site.json"), filepath.Join(w.folder, "20-office.json")
	decree := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	decree(site, "{\"settings\": {\n  \"max_active\": 2,\n  \"shering\": \"off\"\n}}")
	decree(office, `{"settings": {"upload_limit": 1000000}, "lock": ["upload_limit", "sharing"]}`)
	options := fleet.DaemonOptions{Data: filepath.Join(w.folder, "amelie", "service"), Policies: []string{site, office}}

	_, err := programs.Daemon(fleet.ThisMachine{}, options)
	const exitPolicy = 78
	exit, ok := errors.AsType[*fleet.ExitError](err)
	if !ok || exit.Code != exitPolicy || !strings.Contains(exit.Complaint, site+`:3:3: there is no setting "shering"; did you mean "sharing"?`) {
		t.Fatalf("a service with a malformed policy: %v", err)
	}
	if _, err := os.Stat(options.Data); !os.IsNotExist(err) {
		t.Errorf("it has made its data folder all the same: %v", err)
	}

	decree(site, "{\"settings\": {\n  \"max_active\": 2,\n  \"sharing\": \"lan\"\n}}")
	u := newUser(t, "amelie", filepath.Join(w.folder, "amelie"), fleet.ThisMachine{}, options)
	explains := func(lines ...string) {
		t.Helper()
		out, err := u.Ctl(w.ctx, "policy", "explain")
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if !strings.Contains(strings.Join(strings.Fields(string(out)), " "), line) {
				t.Errorf("explain lacks %q:\n%s", line, out)
			}
		}
	}
	explains("sharing lan administrator, "+site+":3 yes", "max_active 2 administrator, "+site+":2 no",
		"upload_limit 1000000 administrator, "+office+":1 yes", "connections 8 default no")
	if _, err := u.Ctl(w.ctx, "sharing", "on"); exitCode(t, err) != 1 || !strings.Contains(err.Error(), "locked by the administrator ("+site+":3)") {
		t.Errorf("sharing on: %v", err)
	}
	if _, err := u.Ctl(w.ctx, "settings", "set", "max_active=7"); err != nil {
		t.Error(err)
	}
	explains("max_active 7 user no")

	// It notices a change by itself.
	decree(office, `{"settings": {"sharing": "off"}, "lock": ["sharing"]}`)
	u.eventually("the new policy holds", func(s api.Status) bool { return s.Settings.Sharing == api.SharingOff && s.Settings.UploadLimit == 0 })
	explains("sharing off administrator, "+office+":1 yes", "sharing: "+site+":3 says lan; the last one read holds")

	// A broken one changes nothing, whoever asks for it.
	decree(office, `{"settings": {"sharing": "on"}`)
	if _, err := u.Ctl(w.ctx, "policy", "reload"); exitCode(t, err) != 1 || !strings.Contains(err.Error(), office+":1:31: the file ends in the middle") {
		t.Errorf("reload of a broken policy: %v", err)
	}
	status, err := u.Status(w.ctx)
	if err != nil || status.Settings.Sharing != api.SharingOff || len(status.Problems) != 1 || status.Problems[0].Code != api.CodePolicy {
		t.Errorf("with a broken policy: %+v, %v", status, err)
	}
	explains("sharing off administrator, " + office + ":1 yes")

	decree(office, `{"settings": {"sharing": "on"}}`)
	hangup(t, u.Process)
	u.eventually("the mended policy holds", func(s api.Status) bool { return s.Settings.Sharing == api.SharingOn && len(s.Problems) == 0 })
}

// eventually asks the service for its status until it is as wanted.
func (u *user) eventually(what string, want func(api.Status) bool) {
	u.t.Helper()
	deadline := time.Now().Add(patience / 3)
	for {
		s, err := u.Status(u.t.Context())
		if err != nil {
			u.t.Fatal(err)
		}
		if want(s) {
			return
		}
		if time.Now().After(deadline) {
			u.t.Fatalf("%s: waited in vain until %s; the settings are %+v, the problems %+v", u.name, what, s.Settings, s.Problems)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

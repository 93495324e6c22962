//go:build linux

package linux_test

import (
	"strings"
	"testing"
)

// manager is how one kind of package is installed and removed. Nobody is there to answer questions.
type manager struct {
	format  string
	install func(*site, string) // installs, or upgrades to, a file
	back    func(*site, string) // goes back to an older one
	remove  func(*site)
}

const policyFile = "/etc/tributary/policy.d/50-company.json"

// live leads the whole life of the service's package, up to its removal.
func (s *site) live(t *testing.T, pm manager) {
	first, second := s.bring(pm.format, older), s.bring(pm.format, newer)
	pm.install(s, first)
	took := s.untilAnswers(answers + slack)
	t.Logf("the service answers an ordinary user %d ms after the installation has ended", took.Milliseconds())
	s.want("ActiveState", "active")
	s.want("UnitFileState", "enabled")
	if owner := s.shell("stat -c %U /proc/" + s.show("MainPID")); owner != "tributary" {
		t.Errorf("the service runs as %q", owner)
	}
	if failed := s.shell("systemctl --failed --no-legend"); failed != "" {
		t.Errorf("units have failed: %s", failed)
	}
	if origin := s.shell("cat /usr/lib/tributary/install-source"); origin != pm.format {
		t.Errorf("the package says that it was installed from a %q", origin)
	}

	t.Run("comes back after kill -9", func(t *testing.T) {
		s.killService()
		took := s.untilAnswers(longestGap + slack)
		t.Logf("it answers again %d ms after kill -9", took.Milliseconds())
		s.want("NRestarts", "1")
	})
	t.Run("stops and starts", func(t *testing.T) {
		s.shell("systemctl stop " + unit)
		s.want("ActiveState", "inactive")
		s.want("Result", "success")
		s.shell("systemctl start " + unit)
		s.untilAnswers(answers + slack)
	})
	s.shell(`echo '{"settings": {"sharing": "off"}, "lock": ["sharing"]}' >` + policyFile)
	t.Run("an upgrade keeps the policy and runs", func(t *testing.T) {
		pm.install(s, second)
		s.runs(t, newer)
	})
	t.Run("a downgrade is a roll-back", func(t *testing.T) {
		pm.back(s, first)
		s.runs(t, older)
	})
	t.Run("an upgrade respects systemctl disable", func(t *testing.T) {
		s.shell("systemctl disable --now " + unit)
		pm.install(s, second)
		s.want("UnitFileState", "disabled")
		s.shell("systemctl enable --now " + unit)
	})
	t.Run("a policy that makes no sense is not tried again", func(t *testing.T) {
		s.shell("echo '{' >" + policyFile + "; systemctl restart " + unit + " || true")
		s.until(patience, "the service has failed", func() bool { return s.show("ActiveState") == "failed" })
		s.want("NRestarts", "0")
		if said := s.journal(); !strings.Contains(said, policyFile+":2:") {
			t.Errorf("the journal does not name file, line and reason:\n%s", said)
		}
	})
	t.Run("removal stops the service and keeps what was set", func(t *testing.T) {
		pm.remove(s)
		s.shell("test -s " + policyFile + "; test -d /var/lib/tributary; getent passwd tributary; ! pgrep -u tributary")
	})
}

// runs makes sure that the service of a version runs, with the administrator's policy.
func (s *site) runs(t *testing.T, version string) {
	t.Helper()
	s.untilAnswers(answers + slack)
	if said := s.shell("/proc/" + s.show("MainPID") + "/exe version"); said != "tributaryd "+version {
		t.Errorf("the service that runs says %q; want %s", said, version)
	}
	s.shell("test -s " + policyFile)
}

// forgotten makes sure that neither systemd nor a temporary folder remembers the service.
func (s *site) forgotten(t *testing.T) {
	t.Helper()
	if known := s.shell("systemctl list-units --all --no-legend --plain 'tributary*'; systemctl list-unit-files --no-legend 'tributary*' || true"); known != "" {
		t.Errorf("systemd still knows: %s", known)
	}
	if left := s.shell("find /run /tmp /var/tmp /var/log -name '*tributary*'"); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

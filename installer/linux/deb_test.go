package linux_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The whole life of the service's package on Debian, as an administrator's script leads it: nobody answers questions.
func TestDeb(t *testing.T) {
	s := newSite(t, "deb")
	first, second := s.bring("deb", older), s.bring("deb", newer)
	before := s.files()

	s.apt("install", first)
	took := s.untilAnswers(answers + slack)
	t.Logf("the service answers an ordinary user %d ms after apt has ended", took.Milliseconds())
	s.want("ActiveState", "active")
	s.want("UnitFileState", "enabled")
	if owner := s.shell("stat -c %U /proc/" + s.show("MainPID")); owner != "tributary" {
		t.Errorf("the service runs as %q", owner)
	}
	if failed := s.shell("systemctl --failed --no-legend"); failed != "" {
		t.Errorf("units have failed: %s", failed)
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

	const policy = "/etc/tributary/policy.d/50-company.json"
	s.shell(`echo '{"settings": {"sharing": "off"}, "lock": ["sharing"]}' >` + policy)
	t.Run("an upgrade keeps the policy and runs", func(t *testing.T) {
		pid := s.show("MainPID")
		s.apt("install", second)
		s.untilAnswers(answers + slack)
		if s.show("MainPID") == pid || !strings.Contains(s.version(), newer) {
			t.Errorf("after the upgrade %s runs as process %s, before it was %s", s.version(), s.show("MainPID"), pid)
		}
		s.shell("test -s " + policy)
	})
	t.Run("a downgrade is a roll-back", func(t *testing.T) {
		s.apt("install", "--allow-downgrades", first)
		s.untilAnswers(answers + slack)
		if !strings.Contains(s.version(), older) {
			t.Errorf("after the downgrade %s runs", s.version())
		}
	})
	t.Run("an upgrade respects systemctl disable", func(t *testing.T) {
		s.shell("systemctl disable --now " + unit)
		s.apt("install", second)
		s.want("UnitFileState", "disabled")
		s.shell("systemctl enable --now " + unit)
	})
	t.Run("a policy that makes no sense is not tried again", func(t *testing.T) {
		s.shell("echo '{' >" + policy + "; systemctl restart " + unit + " || true")
		s.until(patience, "the service has failed", func() bool { return s.show("ActiveState") == "failed" })
		s.want("NRestarts", "0")
		if said := s.journal(); !strings.Contains(said, policy+":2: ") {
			t.Errorf("the journal does not name file, line and reason:\n%s", said)
		}
	})

	t.Run("removal keeps what purge removes", func(t *testing.T) {
		s.apt("remove", "tributary-service")
		s.shell("test -s " + policy + " && test -d /var/lib/tributary && getent passwd tributary && ! pgrep -u tributary")
		s.apt("purge", "tributary-service")
		if diff := cmp.Diff(before, s.files()); diff != "" {
			t.Errorf("what is left (-before +after):\n%s", diff)
		}
		if known := s.shell("systemctl list-units --all --no-legend --plain 'tributary*'; systemctl list-unit-files --no-legend 'tributary*' || true"); known != "" {
			t.Errorf("systemd still knows: %s", known)
		}
		if left := s.shell("find /run /tmp /var/tmp /var/log -name '*tributary*'"); left != "" {
			t.Errorf("left behind: %s", left)
		}
	})
}

// A computer whose administrator lets nothing start, an image being built for instance.
func TestPolicyRcD(t *testing.T) {
	s := newSite(t, "quiet")
	s.shell("printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d")
	s.apt("install", s.bring("deb", older))
	s.want("ActiveState", "inactive")
	s.want("UnitFileState", "enabled")
}

// apt runs apt-get as scripts do: silent, with standard input closed.
func (s *site) apt(words ...string) {
	s.t.Helper()
	start := time.Now()
	out := s.shell("exec <&-; DEBIAN_FRONTEND=noninteractive apt-get -y -q " + strings.Join(words, " ") + " 2>&1")
	s.t.Logf("apt-get %s: %s", strings.Join(words, " "), time.Since(start).Round(time.Millisecond))
	if strings.Contains(out, "rror") {
		s.t.Logf("%s", out)
	}
}

// version is what the service that runs says it is.
func (s *site) version() string {
	s.t.Helper()
	return s.shell("/proc/" + s.show("MainPID") + "/exe version")
}

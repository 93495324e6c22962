//go:build linux

package linux_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/installer/machine/machinetest"
)

// rpms installs with Debian's rpm, whose database knows no other package.
var rpms = manager{
	format:  "rpm",
	install: func(s *site, file string) { s.rpm("--upgrade " + file) },
	back:    func(s *site, file string) { s.rpm("--upgrade --oldpackage " + file) },
	remove:  func(s *site) { s.rpm("--erase tributary-service") },
}

func (s *site) rpm(words string) {
	s.t.Helper()
	s.shell("exec <&-; rpm --force-debian --nodeps " + words + " 2>&1")
}

func TestRpm(t *testing.T) {
	if !machinetest.Full() {
		t.Skip("the same life as of the .deb, with rpm; set FULL=1 for it")
	}
	s := newSite(t, "rpm")
	before := s.files()
	s.live(t, rpms)

	t.Run("an erased package leaves state, policy and account", func(t *testing.T) {
		s.forgotten(t)
		s.shell("rm -r /var/lib/tributary /etc/tributary; userdel tributary; groupdel tributary-admin")
		if diff := cmp.Diff(before, s.files()); diff != "" {
			t.Errorf("what else is left (-before +after):\n%s", diff)
		}
		if _, err := s.Shell(s.ctx, "rpm --query tributary-service"); err == nil {
			t.Error("rpm still knows the package")
		}
	})
}

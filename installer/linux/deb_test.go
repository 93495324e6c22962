//go:build linux

package linux_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// debs installs with apt, as administrators' scripts do: silent, with standard input closed.
var debs = manager{
	format:  "deb",
	install: func(s *site, file string) { s.apt("install", file) },
	back:    func(s *site, file string) { s.apt("install", "--allow-downgrades", file) },
	remove:  func(s *site) { s.apt("remove", "tributary-service") },
}

func (s *site) apt(words ...string) {
	s.t.Helper()
	s.shell("exec <&-; DEBIAN_FRONTEND=noninteractive apt-get -y -q " + strings.Join(words, " ") + " 2>&1")
}

func TestDeb(t *testing.T) {
	s := newSite(t, "deb")
	before := s.files()
	s.live(t, debs)

	t.Run("purge leaves nothing", func(t *testing.T) {
		s.apt("purge", "tributary-service")
		if diff := cmp.Diff(before, s.files()); diff != "" {
			t.Errorf("what is left (-before +after):\n%s", diff)
		}
		s.forgotten(t)
		if known := s.shell("dpkg-query --list 'tributary*' 2>/dev/null || true"); known != "" {
			t.Errorf("dpkg still knows: %s", known)
		}
	})
}

// A computer whose administrator lets nothing start: an image that is being built, for instance.
func TestPolicyRcD(t *testing.T) {
	s := newSite(t, "quiet")
	s.shell("printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d")
	s.apt("install", s.bring("deb", older))
	s.want("ActiveState", "inactive")
	s.want("UnitFileState", "enabled")
}

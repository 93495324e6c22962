//go:build linux

package linux_test

import (
	"strings"
	"testing"
)

// The service of one user, in a session that logind opened, on a machine whose administrator did away with the service of
// all.
func TestUserService(t *testing.T) {
	s := newSite(t, "user")
	edge := s.edge("203.0.113.10", 4<<20)
	url, sum := edge.publish("large.bin", 24<<20)
	s.apt("install", s.bring("deb", older))
	s.shell("systemctl disable --now " + unit)

	s.login()
	if state := s.inSession("systemctl --user is-enabled tributaryd || true"); state != "disabled" {
		t.Errorf("the package leaves the user's service %q; want it to be the user's choice", state)
	}
	s.inSession("systemctl --user enable tributaryd")
	s.shell("systemctl stop login-alice")
	s.until(patience, "alice's session has ended", func() bool { return s.shell("pgrep -u alice || true") == "" })

	s.login()
	ctl := func(words ...string) string { return s.inSession("tributaryctl " + strings.Join(words, " ")) }
	s.until(answers+slack, "the service has started at login", func() bool {
		_, err := s.session("tributaryctl list")
		return err == nil
	})
	if owner := s.inSession("stat -c '%U %a' $XDG_RUNTIME_DIR/tributary/tributaryd.sock"); owner != "alice 600" {
		t.Errorf("the socket is %q", owner)
	}
	d := s.add(ctl, url)
	s.halfway(ctl, d.ID)
	s.shell("kill -9 $(systemctl --user -M alice@ show --value -p MainPID tributaryd)")
	s.until(longestGap+slack, "the service has come back", func() bool {
		_, err := s.session("tributaryctl list")
		return err == nil
	})
	if d = s.completes(ctl, d.ID, sum); d.BytesFromEdge > 2*d.TotalBytes {
		t.Errorf("%d bytes came from the edge for a file of %d", d.BytesFromEdge, d.TotalBytes)
	}
}

// login opens a session for alice, as a display manager does, which lasts until the unit is stopped.
func (s *site) login() {
	s.t.Helper()
	s.shell("systemd-run --quiet --collect --unit=login-alice --property=User=alice --property=PAMName=login sleep infinity")
	s.until(patience, "alice's own systemd is up", func() bool {
		state, _ := s.session("systemctl --user is-system-running")
		return state == "running"
	})
}

// session runs a script in alice's session.
func (s *site) session(script string) (string, error) {
	return s.As(s.ctx, "alice", "env", "XDG_RUNTIME_DIR=/run/user/1000", "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus",
		"sh", "-euc", script)
}

func (s *site) inSession(script string) string {
	s.t.Helper()
	out, err := s.session(script)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

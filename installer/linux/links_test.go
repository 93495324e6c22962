//go:build linux

package linux_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/tributary-dl/tributary/installer/machine/machinetest"
)

// Whoever took over the service's account swaps folders for links while root's scripts and systemd work on them, on a
// machine where everything else is at stake.
func TestLinksInPlaceOfFolders(t *testing.T) {
	if !machinetest.Full() {
		t.Skip("this installs a package seven times; set FULL=1 for it")
	}
	s := newSite(t, "links")
	first, second := s.bring("deb", older), s.bring("deb", newer)
	s.apt("install", first)
	// What the account cannot write to, it cannot exchange.
	if writable := s.shell("runuser -u tributary -- find $(dpkg --listfiles tributary-service) /etc/tributary -maxdepth 0 -type d -writable"); writable != "" {
		t.Errorf("the service's account may write to %s", writable)
	}
	const victim = "/opt/victim"
	s.shell("mkdir -p " + victim + "/policy.d; echo precious >" + victim + "/file; echo precious >" + victim + "/policy.d/file; chmod -R o-w " + victim)
	before := s.shell("find " + victim + " -printf '%p %y %m %U:%G %s\\n' | sort; cat " + victim + "/file")

	// Each flip takes a name away and puts a link or a folder there. The state is swapped below its own folder, which
	// root made; the socket's folder likewise. Whatever else the package has is in folders where root alone may do so.
	const flips = 10_000
	s.shell(fmt.Sprintf(`cat >/opt/flip <<'END'
my ($folder, $victim) = @ARGV;
my $flips = 0;
while ($flips < %d || -e '/opt/go-on') {
	for my $name ('store', 'run', 'ctl.sock', 'tributaryd.log', 'lock', 'policy.d') {
		rename("$folder/$name", "$folder/.aside$$");
		symlink($flips %% 3 ? $victim : "$victim/file", "$folder/$name");
		unlink("$folder/$name") if $flips %% 2;
		mkdir("$folder/$name") if $flips %% 5 == 0;
		rmdir("$folder/.aside$$") || unlink("$folder/.aside$$");
		$flips++;
	}
	open(my $count, '>', '/tmp/flips' . $folder =~ tr{/}{-}r); print $count $flips; close($count);
}
END
touch /opt/go-on
for folder in /var/lib/tributary /run/tributary; do
	setsid runuser -u tributary -- perl /opt/flip $folder %s >/dev/null 2>&1 </dev/null &
done`, flips, victim))
	for range 3 {
		s.shell("systemctl restart " + unit + " || true; systemctl stop " + unit + "; systemctl reset-failed " + unit + " || true")
		s.apt("install", second)
		s.apt("install", "--allow-downgrades", first)
	}
	s.shell("rm /opt/go-on")
	s.until(patience, "the links have been swapped often enough", func() bool { return s.shell("pgrep -x perl || true") == "" })
	s.apt("purge", "tributary-service")

	total := 0
	for _, folder := range []string{"var-lib-tributary", "run-tributary"} {
		n, err := strconv.Atoi(s.shell("cat /tmp/flips-" + folder))
		if err != nil {
			t.Fatal(err)
		}
		if n < flips {
			t.Errorf("only %d flips in %s", n, folder)
		}
		total += n
	}
	if after := s.shell("find " + victim + " -printf '%p %y %m %U:%G %s\\n' | sort; cat " + victim + "/file"); after != before {
		t.Errorf("after %d flips what was at stake is\n%s\nbefore it was\n%s", total, after, before)
	}
	if left := s.shell("find /var/lib/tributary /run/tributary 2>/dev/null || true; getent passwd tributary || true"); left != "" {
		t.Errorf("purge leaves %s", left)
	}
	t.Logf("%d flips", total)
}

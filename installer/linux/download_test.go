//go:build linux

package linux_test

import (
	"strconv"
	"testing"
)

// alice runs tributaryctl as an ordinary user, without a session.
func (s *site) alice(words ...string) string {
	s.t.Helper()
	return s.as("alice", append([]string{"tributaryctl"}, words...)...)
}

// What an ordinary user downloads through the service of the machine, which sees no home, is hers, and goes on whatever
// happens to the service.
func TestDownloads(t *testing.T) {
	s := newSite(t, "downloads")
	fast, slow := s.edge("203.0.113.10", 0), s.edge("203.0.113.11", 4<<20)
	first, second := s.bring("deb", older), s.bring("deb", newer)
	s.apt("install", first)
	s.untilAnswers(answers + slack)
	s.shell("install -d -m 700 -o alice -g alice /home/alice/Downloads")
	const large = 32 << 20

	t.Run("into a home that the service cannot enter", func(t *testing.T) {
		url, sum := fast.publish("small.bin", 5<<20)
		s.completes(s.alice, s.add(s.alice, url).ID, sum)
		if out, err := s.Shell(s.ctx, "runuser -u tributary -- ls /home/alice"); err == nil {
			t.Errorf("the service's account reads alice's home: %s", out)
		}
	})
	t.Run("over kill -9, with no client there", func(t *testing.T) {
		url, sum := slow.publish("killed.bin", large)
		d := s.add(s.alice, url)
		s.halfway(s.alice, d.ID)
		s.killService()
		s.until(longestGap+slack, "the service is back", func() bool { return s.show("NRestarts") != "0" && s.show("ActiveState") == "active" })
		// The file itself says so; nobody asks the service.
		before := s.written()
		s.until(patience, "the download goes on by itself", func() bool { return s.written() > before+large/8 })
		if d = s.completes(s.alice, d.ID, sum); d.BytesFromEdge > 2*large {
			t.Errorf("%d bytes came from the edge for a file of %d", d.BytesFromEdge, d.TotalBytes)
		}
	})
	t.Run("over an upgrade", func(t *testing.T) {
		url, sum := slow.publish("upgraded.bin", large)
		d := s.add(s.alice, url)
		s.halfway(s.alice, d.ID)
		s.apt("install", second)
		s.completes(s.alice, d.ID, sum)
	})
	t.Run("over a power cut", func(t *testing.T) {
		url, sum := slow.publish("cut.bin", large)
		d := s.add(s.alice, url)
		s.halfway(s.alice, d.ID)
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := s.Boot(s.ctx); err != nil {
			t.Fatal(err)
		}
		s.want("ActiveState", "active")
		slow.start()
		// A descriptor does not outlive a boot: alice's programs hand the file over again.
		s.completes(s.alice, d.ID, sum)
	})
	t.Run("another user sees none of it", func(t *testing.T) {
		s.shell("useradd --create-home bob")
		if seen := s.as("bob", "tributaryctl", "list", "--json"); seen != "" {
			t.Errorf("bob sees %s", seen)
		}
	})
}

// written returns how many bytes of alice's unfinished file have room on the disk.
func (s *site) written() int {
	s.t.Helper()
	text := s.shell("du --block-size=1 --total /home/alice/Downloads/*killed* | tail -1 | cut -f1")
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

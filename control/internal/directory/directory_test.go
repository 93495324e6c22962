package directory

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/control/internal/selection"
	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

var (
	film  = protocol.ContentID{1}
	song  = protocol.ContentID{2}
	noon  = time.Unix(1_800_000_000, 0)
	later = noon.Add(time.Hour)
)

// holder makes a device; the first letter of its name is its network.
func holder(name string, i int) *Holder {
	return NewHolder(selection.End{
		Peer: selection.PeerID([]byte(fmt.Sprintf("%-16s", name))), Network: selection.Network{Name: name[:1]},
		Address: netip.AddrFrom4([4]byte{10, byte(i), byte(i >> 8), 1}), Sharing: wire.Sharing_SHARING_ON,
	})
}

func asker(network string) selection.End { return holder(network+"?", 999).End() }

// pick looks up and returns the names of who was picked.
func pick(d *Directory, network string, content protocol.ContentID, want int, now time.Time) string {
	picked, _ := d.Select(asker(network), content, nil, want, 0, now)
	var names []string
	for _, end := range picked {
		names = append(names, strings.TrimSpace(string(end.Peer[:])))
	}
	return strings.Join(names, " ")
}

func announceAll(d *Directory, content protocol.ContentID, names string) map[string]*Holder {
	all := make(map[string]*Holder)
	for i, name := range strings.Fields(names) {
		all[name] = holder(name, i)
		d.Announce(all[name], content, 100, later)
	}
	return all
}

func TestWhoWasPickedGoesToTheEndOfTheLine(t *testing.T) {
	d := New()
	announceAll(d, film, "a1 a2 a3 a4 a5")
	for i, want := range []string{"a1 a2", "a3 a4", "a5 a1", "a2 a3", "a4 a5"} {
		if got := pick(d, "a", film, 2, noon); got != want {
			t.Errorf("look-up %d picked %q; want %q", i, got, want)
		}
	}
}

func TestLinesOfOtherNetworksRotateToo(t *testing.T) {
	d := New()
	announceAll(d, film, "b1 b2 b3")
	for i, want := range []string{"b1", "b2", "b3", "b1"} {
		if got := pick(d, "a", film, 1, noon); got != want {
			t.Errorf("look-up %d picked %q; want %q", i, got, want)
		}
	}
}

func TestAnnounceTellsWhoBeginsToHaveSomething(t *testing.T) {
	d := New()
	h := holder("a1", 0)
	for i, c := range []struct {
		percent uint8
		begins  bool
	}{{0, false}, {0, false}, {1, true}, {50, false}, {0, false}, {100, true}, {100, false}} {
		if begins := d.Announce(h, film, c.percent, later); begins != c.begins {
			t.Errorf("announce %d, %d percent: begins %v; want %v", i, c.percent, begins, c.begins)
		}
	}
	d.Withdraw(h, film)
	if d.Announce(h, film, 0, later) || !d.Announce(holder("a2", 1), film, 7, later) {
		t.Error("who begins with nothing has begun, or who begins with something has not")
	}
}

func TestHoldersComeAndGo(t *testing.T) {
	d := New()
	all := announceAll(d, film, "a1 a2 a3 a4")
	d.Announce(all["a1"], song, 50, later)
	expect := func(what string, content protocol.ContentID, want string, objects, entries int) {
		t.Helper()
		if got := pick(d, "a", content, 40, noon); got != want {
			t.Errorf("%s: picked %q; want %q", what, got, want)
		}
		if o, e := d.Size(); o != objects || e != entries {
			t.Errorf("%s: %d objects with %d entries; want %d and %d", what, o, e, objects, entries)
		}
	}
	expect("all", film, "a1 a2 a3 a4", 2, 5)
	d.Withdraw(all["a2"], film)
	d.Withdraw(all["a2"], film) // once more does nothing
	d.Withdraw(all["a2"], song) // nor does what was never announced
	expect("one withdraws", film, "a1 a3 a4", 2, 4)
	d.Announce(all["a2"], film, 100, later)
	expect("and comes back, at the end of the line", film, "a1 a3 a4 a2", 2, 5)
	d.Announce(all["a3"], film, 100, later)
	expect("a repeated announce changes nothing", film, "a1 a3 a4 a2", 2, 5)
	d.Leave(all["a1"])
	expect("one leaves", film, "a3 a4 a2", 1, 3)
	expect("with all it had", song, "", 1, 3)
	for _, h := range all {
		d.Leave(h)
	}
	expect("all leave", film, "", 0, 0)
}

func TestWhatIsNotAnnouncedAgainExpires(t *testing.T) {
	d := New()
	all := announceAll(d, film, "a1 a2")
	muchLater := later.Add(time.Hour)
	d.Announce(all["a2"], film, 100, muchLater)
	after := later.Add(time.Second)
	if got := pick(d, "a", film, 40, after); got != "a2" {
		t.Errorf("picked %q; want a2: a1 has expired", got)
	}
	d.Sweep(after)
	if o, e := d.Size(); o != 1 || e != 1 {
		t.Errorf("%d objects with %d entries after the sweep", o, e)
	}
	d.Announce(all["a1"], film, 100, muchLater)
	if got := pick(d, "a", film, 40, after); got != "a2 a1" {
		t.Errorf("picked %q; want a1 to be back", got)
	}
	d.Sweep(muchLater.Add(time.Second))
	if o, e := d.Size(); o != 0 || e != 0 {
		t.Errorf("%d objects with %d entries when all has expired", o, e)
	}
	d.Leave(all["a1"]) // what has expired already
}

func TestUpdateHoldsAtOnce(t *testing.T) {
	d := New()
	all := announceAll(d, film, "a1 a2")
	end := all["a1"].End()
	end.Sharing = wire.Sharing_SHARING_OFF
	end.Network = selection.Network{Name: "elsewhere"}
	all["a1"].Update(end)
	if got := pick(d, "a", film, 40, noon); got != "a2" {
		t.Errorf("picked %q; want a2: a1 does not share any more", got)
	}
	if all["a1"].End().Network.Name != "a" {
		t.Error("an update must not move a holder to another line")
	}
}

func TestOwnNetworkIsFoundInALargeSwarm(t *testing.T) {
	d := New()
	for i := range 20_000 {
		d.Announce(holder(fmt.Sprintf("%c%d", 'b'+i%20, i), i), film, 100, later)
	}
	announceAll(d, film, "a1 a2 a3")
	picked, holders := d.Select(asker("a"), film, nil, 40, 5, noon)
	if holders != 20_003 || len(picked) != 40 {
		t.Errorf("picked %d of %d", len(picked), holders)
	}
	for i, want := range []string{"a1", "a2", "a3"} {
		if got := strings.TrimSpace(string(picked[i].Peer[:])); got != want {
			t.Errorf("pick %d is %s; want %s", i, got, want)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	d := New()
	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			h := holder(fmt.Sprintf("a%d", i), i)
			for n := range 300 {
				content := protocol.ContentID{byte(n % 5)}
				d.Announce(h, content, 100, later)
				d.Select(h.End(), content, nil, 40, uint64(n), noon)
				h.Update(h.End())
				if n%7 == 0 {
					d.Withdraw(h, content)
				}
				if n%50 == 0 {
					d.Sweep(noon)
				}
			}
			d.Leave(h)
		})
	}
	work.Wait()
	if o, e := d.Size(); o != 0 || e != 0 {
		t.Errorf("%d objects with %d entries are left", o, e)
	}
}

// An entry must stay small: the directory of a large installation has a hundred million.
func TestEntriesAreLean(t *testing.T) {
	const holders, each = 1000, 200
	all := make([]*Holder, holders)
	for i := range all {
		all[i] = holder(fmt.Sprintf("a%d", i), i)
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	d := New()
	for _, h := range all {
		for c := range each {
			d.Announce(h, protocol.ContentID{byte(c), byte(c >> 8)}, 100, later)
		}
	}
	perEntry := float64(heap()-before) / (holders * each)
	runtime.KeepAlive(all)
	if _, entries := d.Size(); entries != holders*each {
		t.Fatalf("%d entries", entries)
	}
	if perEntry > 56 {
		t.Errorf("%.0f bytes an entry; want at most 56", perEntry)
	}
	t.Logf("%.0f bytes an entry", perEntry)
}

func BenchmarkSelect(b *testing.B) {
	d := New()
	for i := range 10_000 {
		d.Announce(holder(fmt.Sprintf("%c%d", 'a'+i%20, i), i), film, 100, later)
	}
	who := asker("a")
	for i := range b.N {
		d.Select(who, film, nil, 40, uint64(i), noon)
	}
}

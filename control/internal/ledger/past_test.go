package ledger

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"github.com/tributary-dl/tributary/control/protocol"
)

var now = time.Unix(1_800_000_000, 0).UTC()

// fill writes n accounts of a device, each reported a second after the one before, the last one now.
func fill(t *testing.T, l *Ledger, device protocol.DeviceKey, n int) {
	t.Helper()
	err := l.db.Update(func(tx *bolt.Tx) error {
		for i := range n {
			a := account
			a.Device, a.Received = device, now.Add(time.Duration(i-n+1)*time.Second)
			binary.BigEndian.PutUint64(a.Download[8:], uint64(n-i)) // not in the order of time
			value, err := json.Marshal(a)
			if err != nil {
				return err
			}
			if err := tx.Bucket(downloadsBucket).Put(accountKey(a), value); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func past(t *testing.T, l *Ledger) (all []Past) {
	t.Helper()
	if err := l.Past(func(p Past) error { all = append(all, p); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func count(t *testing.T, l *Ledger) map[protocol.DeviceKey]int {
	t.Helper()
	n := make(map[protocol.DeviceKey]int)
	for _, a := range accounts(t, l) {
		n[a.Device]++
	}
	return n
}

// A device that has too many accounts loses its own oldest ones, nobody else's, and none from the sums.
func TestDeviceCrowdsOutOnlyItself(t *testing.T) {
	l := openAt(t, filepath.Join(t.TempDir(), FileName))
	before, greedy, after := protocol.DeviceKey{1}, protocol.DeviceKey{2}, protocol.DeviceKey{3}
	for _, neighbour := range []protocol.DeviceKey{before, after} {
		a := account
		a.Device, a.Received = neighbour, now.Add(-AccountLife/2) // older than all of the greedy one's
		if err := l.Record(a, welcome); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, l, greedy, MaxAccounts)
	a := account
	a.Device, a.Download, a.Received = greedy, [16]byte{0xff}, now
	if err := l.Record(a, welcome); err != nil {
		t.Fatal(err)
	}
	want := map[protocol.DeviceKey]int{before: 1, greedy: MaxAccounts - makeRoom + 1, after: 1}
	if got := count(t, l); !maps.Equal(got, want) {
		t.Errorf("accounts of each device = %v; want %v", got, want)
	}
	oldest := now.Add(-time.Duration(MaxAccounts-makeRoom-1) * time.Second)
	for _, a := range accounts(t, l) {
		if a.Device == greedy && a.Received.Before(oldest) {
			t.Fatalf("an account of %v was kept, though younger ones went", a.Received)
		}
	}
	sums := []Past{{
		Device: greedy, Content: account.Content, Last: oldest.Add(-time.Second), Outcomes: map[protocol.Outcome]int{protocol.OutcomeFailed: makeRoom},
		Edge: 30 * makeRoom, Peers: 60 * makeRoom, Wasted: 4 * makeRoom, Uploaded: 7 * makeRoom,
	}}
	if diff := cmp.Diff(sums, past(t, l)); diff != "" || l.Folded() != makeRoom {
		t.Errorf("%d went; sums (-want +got):\n%s", l.Folded(), diff)
	}
	a.Sequence++
	if err := l.Record(a, welcome); err != nil || l.Folded() != makeRoom {
		t.Errorf("another report of a known download: %v, %d accounts went", err, l.Folded())
	}
	// In their time the device's sums go into those over all devices, which are older than anything is kept of one.
	if _, _, err := l.Expire(t.Context(), now.Add(AccountLife+time.Second)); err != nil {
		t.Fatal(err)
	}
	all := past(t, l)
	if len(all) != 1 || all[0].Device != (protocol.DeviceKey{}) || all[0].Outcomes[protocol.OutcomeFailed] != MaxAccounts+3 || all[0].Edge != 30*(MaxAccounts+3) {
		t.Errorf("sums of all = %+v", all)
	}
}

func TestOldAccountsBecomeSums(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	l := openAt(t, path)
	const many = 2*expireStep + 500 // several steps
	fill(t, l, protocol.DeviceKey{1}, many)
	young := account
	young.Device, young.Received = protocol.DeviceKey{2}, now.Add(time.Hour)
	if err := l.Record(young, welcome); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		at           time.Time
		accounts     int
		left, summed int
	}{
		{now.Add(AccountLife - many*time.Second), 0, many + 1, 0},
		{now.Add(AccountLife - 99*time.Second), many - 100, 101, many - 100},
		{now.Add(AccountLife + time.Second), 100, 1, many},
	} {
		got, chains, err := l.Expire(t.Context(), step.at)
		if err != nil || got != step.accounts || chains != 0 || len(accounts(t, l)) != step.left {
			t.Errorf("Expire() = %d, %d, %v and %d accounts are left; want %d and %d", got, chains, err, len(accounts(t, l)), step.accounts, step.left)
		}
		summed := 0
		for _, p := range past(t, l) {
			summed += p.Outcomes[protocol.OutcomeFailed]
			if p.Device != (protocol.DeviceKey{}) || p.Peers != uint64(60*summed) {
				t.Errorf("sums = %+v", p)
			}
		}
		if summed != step.summed {
			t.Errorf("sums of %d accounts; want %d", summed, step.summed)
		}
	}
	l.Close()
	l, err := OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if sums := past(t, l); len(sums) != 1 || sums[0].Edge != 30*many {
		t.Errorf("after a restart: %+v", sums)
	}
}

func TestOnlyUnknownDownloadsAreAsked(t *testing.T) {
	l := openAt(t, filepath.Join(t.TempDir(), FileName))
	no := errors.New("no")
	asked := 0
	refuse := func() error { asked++; return no }
	if err := l.Record(account, refuse); !errors.Is(err, no) || asked != 1 || len(accounts(t, l)) != 0 {
		t.Errorf("Record() = %v, asked %d times", err, asked)
	}
	if err := l.Record(account, welcome); err != nil {
		t.Fatal(err)
	}
	more := account
	more.Sequence++
	if err := l.Record(more, refuse); err != nil || asked != 1 {
		t.Errorf("another report of a known download: %v, asked %d times", err, asked)
	}
	other := more
	other.Sequence, other.Content = more.Sequence+1, protocol.ContentID{9}
	if err := l.Record(other, refuse); !errors.Is(err, no) || asked != 2 {
		t.Errorf("the same download of another object: %v, asked %d times", err, asked)
	}
	if diff := cmp.Diff([]Account{more}, accounts(t, l)); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
}

func TestChainsAreForgottenAndRemembered(t *testing.T) {
	l := openAt(t, filepath.Join(t.TempDir(), FileName))
	absent, regular := protocol.DeviceKey{1}, protocol.DeviceKey{2}
	login := func(device protocol.DeviceKey, guids string, at time.Time) (quarantined bool) {
		t.Helper()
		quarantined, err := l.Login(device, chainOf(guids), at, func() bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		return quarantined
	}
	login(absent, "ba", now)
	for day := range int(ChainLife/(24*time.Hour)) + 2 { // it never restarts, and so reports the same each day
		login(regular, "ba", now.Add(time.Duration(day)*24*time.Hour))
	}
	if _, chains, err := l.Expire(t.Context(), now.Add(ChainLife-time.Hour)); err != nil || chains != 0 {
		t.Errorf("Expire() = %d, %v before the time", chains, err)
	}
	later := now.Add(ChainLife + time.Hour)
	if _, chains, err := l.Expire(t.Context(), later); err != nil || chains != 1 {
		t.Errorf("Expire() = %d, %v; want one forgotten", chains, err)
	}
	if login(absent, "ca", later) {
		t.Error("a device that was forgotten is in quarantine for what it did then")
	}
	if !login(regular, "ca", later) {
		t.Error("the chain of a device that logs in every day was forgotten")
	}
}

func TestDeviceThatIsNotAdmittedIsNotRemembered(t *testing.T) {
	l := openAt(t, filepath.Join(t.TempDir(), FileName))
	device := protocol.DeviceKey{1}
	for _, step := range []struct {
		guids              string
		admit, quarantined bool
	}{{"ba", false, false}, {"ca", false, false}, {"da", true, false}, {"ea", false, true}} {
		got, err := l.Login(device, chainOf(step.guids), now, func() bool { return step.admit })
		if err != nil || got != step.quarantined {
			t.Errorf("%s: quarantined %v, %v", step.guids, got, err)
		}
	}
}

// A ledger of a version that knew neither sums nor last logins is good for this one.
func TestOlderLedgerIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	device := protocol.DeviceKey{1}
	err = db.Update(func(tx *bolt.Tx) error {
		chains, err := tx.CreateBucket([]byte("chains"))
		if err != nil {
			return err
		}
		downloads, err := tx.CreateBucket([]byte("downloads"))
		if err != nil {
			return err
		}
		return errors.Join(
			chains.Put(device[:], []byte(`{"guids":["62000000000000000000000000000000","61000000000000000000000000000000"]}`)),
			downloads.Put(append(device[:], make([]byte, 16)...), []byte(`{"content":"0300000000000000000000000000000000000000000000000000000000000000",`+
				`"sequence":1,"total":9,"edge":9,"peers":0,"wasted":0,"uploaded":0,"active":1,"outcome":"completed","network":"AS1","received":"2027-01-15T08:00:00Z"}`)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	old, err := OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(accounts(t, old)) != 1 || len(past(t, old)) != 0 {
		t.Error("an older ledger is read otherwise than it was written")
	}
	old.Close()
	l := openAt(t, path)
	if _, chains, err := l.Expire(t.Context(), now); err != nil || chains != 0 {
		t.Errorf("Expire() = %d, %v; want chains whose last login is not known to be kept", chains, err)
	}
	if forked, err := l.Login(device, chainOf("ca"), now, func() bool { return false }); err != nil || !forked {
		t.Errorf("Login() = %v, %v; want the fork of the older chain to be seen", forked, err)
	}
	if _, chains, err := l.Expire(t.Context(), now.Add(ChainLife+time.Hour)); err != nil || chains != 1 {
		t.Errorf("Expire() = %d, %v; want the chain to be forgotten in its turn", chains, err)
	}
	if n := len(accounts(t, l)); n != 1 {
		t.Errorf("%d accounts; want the older one", n)
	}
}

func TestSumsDoNotOverflow(t *testing.T) {
	var p Past
	p.add(Past{Peers: math.MaxUint64 - 5})
	p.add(Past{Peers: 10})
	if p.Peers != math.MaxUint64 {
		t.Errorf("peers = %d", p.Peers)
	}
}

func TestExpireEndsWithItsContext(t *testing.T) {
	l := openAt(t, filepath.Join(t.TempDir(), FileName))
	fill(t, l, protocol.DeviceKey{1}, 10)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n, _, err := l.Expire(ctx, now.Add(2*AccountLife)); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("Expire() = %d, %v", n, err)
	}
}

package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/control/protocol"
)

func openAt(t *testing.T, path string) *Ledger {
	t.Helper()
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func accounts(t *testing.T, l *Ledger) (all []Account) {
	t.Helper()
	if err := l.Accounts(func(a Account) error { all = append(all, a); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// welcome admits everybody.
func welcome() error { return nil }

var account = Account{
	Device: protocol.DeviceKey{1}, Download: [16]byte{2}, Content: protocol.ContentID{3},
	Sequence: 5, Total: 100, Edge: 30, Peers: 60, Wasted: 4, Uploaded: 7, Active: 1500 * time.Millisecond,
	Outcome: protocol.OutcomeFailed, Reason: "disk full", Network: "AS1", Country: "DE", Received: time.Unix(1_800_000_000, 0).UTC(),
}

func TestLatestReportWinsAndSurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	l := openAt(t, path)
	late, repeated, newer := account, account, account
	late.Sequence, late.Peers = 4, 1
	repeated.Peers = 2
	newer.Sequence, newer.Peers, newer.Outcome, newer.Reason = 6, 70, protocol.OutcomeCompleted, ""
	other := account
	other.Download = [16]byte{3}
	for _, step := range []struct {
		a    Account
		want []Account
	}{
		{account, []Account{account}},
		{late, []Account{account}},
		{repeated, []Account{account}},
		{newer, []Account{newer}},
		{other, []Account{newer, other}},
	} {
		if err := l.Record(step.a, welcome); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, accounts(t, l)); diff != "" {
			t.Errorf("after sequence %d (-want +got):\n%s", step.a.Sequence, diff)
		}
	}
	l.Close()
	if diff := cmp.Diff([]Account{newer, other}, accounts(t, openAt(t, path))); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
}

func TestAccountsAreChecked(t *testing.T) {
	if err := account.Check(); err != nil {
		t.Errorf("Check() = %v", err)
	}
	for name, change := range map[string]func(*Account){
		"unknown outcome":    func(a *Account) { a.Outcome = "won" },
		"impossible amount":  func(a *Account) { a.Uploaded = 1 << 60 },
		"reason like a book": func(a *Account) { a.Reason = string(make([]byte, 257)) },
	} {
		bad := account
		change(&bad)
		if bad.Check() == nil {
			t.Errorf("%s passed", name)
		}
	}
}

func TestLedgerHasOneWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	l := openAt(t, path)
	if err := l.Record(account, welcome); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenReadOnly(path); !errors.Is(err, ErrInUse) {
		t.Errorf("OpenReadOnly() = %v; want ErrInUse", err)
	}
	var text bytes.Buffer
	if _, err := l.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(copied, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := OpenReadOnly(copied)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if diff := cmp.Diff([]Account{account}, accounts(t, c)); diff != "" {
		t.Errorf("in the copy (-want +got):\n%s", diff)
	}
}

func TestDamagedFileIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(path, bytes.Repeat([]byte("garbage!"), 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := Open(path); err == nil {
		l.Close()
		t.Error("garbage was opened as a ledger")
	}
}

// A chain is drawn with one letter for each start, newest first.
func chainOf(picture string) (guids []SecondaryGUID) {
	for _, letter := range picture {
		guids = append(guids, SecondaryGUID{byte(letter)})
	}
	return guids
}

func TestForksAreFound(t *testing.T) {
	for _, test := range []struct {
		name, stored, reported string
		forked                 bool
	}{
		{"first login", "", "a", false},
		{"reconnect", "cba", "cba", false},
		{"one start later", "cba", "dcba", false},
		{"the window moves on", "edcba", "fedcb", false},
		{"four starts without a session", "edcba", "ihgfe", false},
		{"five or more: nothing is known", "edcba", "jihgf", false},
		{"lost its state", "edcba", "x", false},
		{"rolled back to an earlier start", "edcba", "dcba", true},
		{"rolled back and started", "edcba", "xdcba", true},
		{"a clone of a running machine", "dcba", "ecba", true},
		{"a clone far ahead", "edcba", "zyxwa", true},
		{"a made-up past", "edcba", "fexyz", true},
		{"out of order", "edcba", "edbca", true},
	} {
		if got := forks(chainOf(test.stored), chainOf(test.reported)); got != test.forked {
			t.Errorf("%s: %s after %s: forked %v", test.name, test.reported, test.stored, got)
		}
	}
}

func TestQuarantineEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	l := openAt(t, path)
	device := protocol.DeviceKey{9}
	now := time.Unix(1_800_000_000, 0)
	for _, step := range []struct {
		what  string
		after time.Duration
		guids string
		want  bool
	}{
		{"enrolled", 0, "ba", false},
		{"forked", time.Hour, "ca", true},
		{"connects again", time.Hour, "ca", true},
		{"starts again", 2 * time.Hour, "dca", true},
		{"a day later", 26 * time.Hour, "dca", false},
		{"its clone shows up", 27 * time.Hour, "xba", true},
	} {
		got, err := l.Login(device, chainOf(step.guids), now.Add(step.after), func() bool { return true })
		if err != nil || got != step.want {
			t.Errorf("%s: quarantined %v, %v", step.what, got, err)
		}
		l.Close()
		l = openAt(t, path) // all of it survives a restart
	}
}

func TestManyWriteAtOnce(t *testing.T) {
	l := openAt(t, filepath.Join(t.TempDir(), FileName))
	var work sync.WaitGroup
	for i := range 50 {
		work.Go(func() {
			a := account
			a.Device = protocol.DeviceKey{byte(i)}
			if err := l.Record(a, welcome); err != nil {
				t.Error(err)
			}
			if _, err := l.Login(a.Device, chainOf(fmt.Sprint(i)), time.Now(), func() bool { return true }); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	if n := len(accounts(t, l)); n != 50 {
		t.Errorf("%d accounts", n)
	}
}

package node

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/control/internal/ledger"
	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/wire"
)

var errDisk = errors.New("disk")

// kept returns how many accounts the place's ledger has.
func (p *place) kept() (n int) {
	p.ledger.Accounts(func(ledger.Account) error { n++; return nil })
	return n
}

// report sends a report of the n-th download.
func (d *device) report(content protocol.ContentID, n, sequence int) {
	d.t.Helper()
	download := make([]byte, 16)
	binary.BigEndian.PutUint32(download, uint32(n))
	d.send(&wire.ClientMessage{Body: &wire.ClientMessage_Report{Report: &wire.Report{
		Content: content[:], Download: download, Sequence: uint32(sequence), EdgeBytes: 1,
	}}})
}

// Only what was published here is accounted for. A report of anything else is dropped for good, and is no offence.
func TestReportOfAnUnknownObjectIsRefused(t *testing.T) {
	p := start(t)
	anna := newDevice(t, "anna")
	anna.login(p)
	for n := range maxMalformed + 5 {
		anna.report(protocol.ContentID{9}, n, 1)
		r := want[*wire.NodeMessage_Refused](anna).Refused
		if r.Code != "invalid" || r.Sequence != 1 || len(r.Download) != 16 || binary.BigEndian.Uint32(r.Download) != uint32(n) {
			t.Fatalf("answer to report %d: %v; want one that has the client drop it", n, r)
		}
	}
	anna.report(film, 1, 1)
	want[*wire.NodeMessage_Recorded](anna)
	if n := p.kept(); n != 1 {
		t.Errorf("%d accounts; want that of the film", n)
	}
	if r := p.node.Refusals(); r != (Refusals{UnknownObject: maxMalformed + 5}) {
		t.Errorf("refusals = %+v", r)
	}
}

// An object may be withdrawn while it is downloaded: what was begun is accounted for to its end.
func TestKnownDownloadIsReportedToItsEnd(t *testing.T) {
	p := start(t)
	anna := newDevice(t, "anna")
	anna.login(p)
	anna.report(film, 1, 1)
	want[*wire.NodeMessage_Recorded](anna)
	p.node.cfg.Known = func(protocol.ContentID) (bool, error) { return false, nil }
	anna.report(film, 1, 2)
	want[*wire.NodeMessage_Recorded](anna)
	p.node.cfg.Known = func(protocol.ContentID) (bool, error) { return false, errDisk }
	anna.report(film, 2, 1)
	if r := want[*wire.NodeMessage_Refused](anna).Refused; r.Code != "busy" {
		t.Errorf("answer while the store cannot be read: %v; want the report to be kept", r)
	}
}

// Whoever reports ever new downloads is slowed down, across sessions; what is known already can still be reported.
func TestNewDownloadsAreReportedAtARate(t *testing.T) {
	p := start(t)
	anna := newDevice(t, "anna")
	anna.login(p)
	for range accountBurst { // as if it had reported so many
		p.node.newcomers.byDevice.Take(string(keyOf(anna)), time.Now())
	}
	anna.report(film, 1, 1)
	r := want[*wire.NodeMessage_Refused](anna).Refused
	if r.Code != "busy" || r.RetryAfterS == 0 || len(r.Download) != 16 {
		t.Errorf("answer = %v; want one that has the client repeat the report later", r)
	}
	again := newDevice(t, "anna")
	again.login(p)
	again.report(film, 2, 1)
	if r := want[*wire.NodeMessage_Refused](again).Refused; r.Code != "busy" {
		t.Errorf("answer in another session of the device: %v", r)
	}
	bert := newDevice(t, "bert")
	bert.login(p)
	bert.report(film, 1, 1)
	want[*wire.NodeMessage_Recorded](bert)
	for range accountBurst {
		p.node.newcomers.byDevice.Take(string(keyOf(bert)), time.Now())
	}
	bert.report(film, 1, 2)
	want[*wire.NodeMessage_Recorded](bert)
	if r := p.node.Refusals(); r != (Refusals{TooMany: 2}) {
		t.Errorf("refusals = %+v", r)
	}
}

func keyOf(d *device) []byte { key := d.public(); return key[:] }

// Device keys cost nothing: an address that makes ever new ones must not get a new allowance with each.
func TestManyDevicesOfOneAddressShareItsAllowance(t *testing.T) {
	c := newNewcomers()
	now := time.Now()
	here, elsewhere := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	account := func(n int, address netip.Addr) error {
		a := ledger.Account{Content: film}
		binary.BigEndian.PutUint32(a.Device[:], uint32(n))
		return c.account(published, a, address, now)
	}
	for n := range addressBurst {
		if err := account(n, here); err != nil {
			t.Fatalf("account %d: %v", n, err)
		}
	}
	if wait, ok := errors.AsType[tooManyError](account(addressBurst, here)); !ok || wait.retry <= 0 {
		t.Errorf("one over the burst: %v", wait)
	}
	if err := account(addressBurst, elsewhere); err != nil {
		t.Errorf("at another address: %v", err)
	}
	for n := range chainBurst {
		if !c.device(here, now) {
			t.Fatalf("device %d was refused", n)
		}
	}
	if c.device(here, now) || !c.device(elsewhere, now) {
		t.Error("new devices have no allowance for each address")
	}
}

// A new device is let in and served like any other, even where so many have come that it is not remembered.
func TestDeviceThatIsNotRememberedIsServed(t *testing.T) {
	p := start(t)
	for range chainBurst {
		p.node.newcomers.device(netip.MustParseAddr("127.0.0.1"), time.Now())
	}
	anna := newDevice(t, "anna")
	if w := anna.login(p); w.EdgeOnly {
		t.Error("a device that is not remembered is in quarantine")
	}
	anna.lookup(film, p.grant(anna, film, nil))
	want[*wire.NodeMessage_Found](anna)
	if r := p.node.Refusals(); r.Devices != 1 {
		t.Errorf("refusals = %+v", r)
	}
}

func TestRefusalsAreLoggedOnce(t *testing.T) {
	p := start(t)
	var log bytes.Buffer
	p.node.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	p.node.tellRefused()
	p.node.newcomers.refused.objects.Add(7)
	p.node.tellRefused()
	p.node.tellRefused()
	p.node.newcomers.refused.reports.Add(3)
	p.node.tellRefused()
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "reports_of_unknown_objects=7") || !strings.Contains(lines[1], "reports_of_unknown_objects=0 too_many_reports=3") {
		t.Errorf("log:\n%s", log.String())
	}
}

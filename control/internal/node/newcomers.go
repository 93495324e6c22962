package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/tributary-dl/tributary/control/internal/allowance"
	"github.com/tributary-dl/tributary/control/internal/ledger"
	"github.com/tributary-dl/tributary/control/protocol"
)

// How fast strangers can make the ledger grow. What is known already may be reported as often as a session
// may speak. A device key costs nothing, so a limit for each device is not enough without one for each address.
const (
	// A new download every five seconds, day and night, is more than a machine has that builds software all
	// day. The burst is what one brings along that could not reach us for a long time.
	accountRate, accountBurst = 0.2, 2000

	// An address may be that of a whole town behind its provider's router.
	addressRate, addressBurst = 2, 20_000

	// Devices are installed less often than they download. One that is not remembered is let in all the same.
	chainRate, chainBurst = 0.1, 2000
)

// errUnknownObject is the refusal of a report that cannot concern anything published here.
var errUnknownObject = errors.New("no such object was published here")

// tooManyError is the refusal of a report that may be repeated.
type tooManyError struct{ retry time.Duration }

func (t tooManyError) Error() string {
	return fmt.Sprintf("too many new downloads are reported; this one may be in %s", t.retry)
}

// newcomers decides which devices and accounts the ledger is to remember beyond those that it knows.
type newcomers struct {
	devices   *allowance.Allowances // by address
	byDevice  *allowance.Allowances // of accounts
	byAddress *allowance.Allowances // of accounts

	refused refusals // since the start
	told    Refusals // those that the log knows of; used by the sweeper only
}

type refusals struct{ objects, reports, devices atomic.Int64 }

// Refusals is what the ledger was not given, or did not keep, since the start.
type Refusals struct {
	UnknownObject int64 // reports of objects that were not published here
	TooMany       int64 // reports of new downloads, too many from one device or address; they may come again
	Devices       int64 // logins of new devices from an address that has too many; they were let in
	Folded        int64 // accounts that went into the sums because their device had too many
}

func newNewcomers() *newcomers {
	return &newcomers{
		devices:   allowance.New(chainRate, chainBurst),
		byDevice:  allowance.New(accountRate, accountBurst),
		byAddress: allowance.New(addressRate, addressBurst),
	}
}

// device reports whether a device that logs in for the first time is to be remembered.
func (c *newcomers) device(address netip.Addr, now time.Time) bool {
	if c.devices.Take(allowance.Network(address), now) > 0 {
		c.refused.devices.Add(1)
		return false
	}
	return true
}

// account returns why an account of a download that the ledger does not know is not taken, nil if it is.
func (c *newcomers) account(known func(protocol.ContentID) (bool, error), a ledger.Account, address netip.Addr, now time.Time) error {
	ours, err := known(a.Content)
	switch {
	case err != nil:
		return fmt.Errorf("look for object %s: %w", a.Content, err)
	case !ours:
		c.refused.objects.Add(1)
		return errUnknownObject
	}
	wait := c.byDevice.Take(string(a.Device[:]), now) // first: one that floods must not use up what its neighbours have
	if wait == 0 {
		wait = c.byAddress.Take(allowance.Network(address), now)
	}
	if wait > 0 {
		c.refused.reports.Add(1)
		return tooManyError{retry: wait.Truncate(time.Second) + time.Second}
	}
	return nil
}

// Refusals returns the totals since the start.
func (n *Node) Refusals() Refusals {
	r := &n.newcomers.refused
	return Refusals{UnknownObject: r.objects.Load(), TooMany: r.reports.Load(), Devices: r.devices.Load(), Folded: n.cfg.Ledger.Folded()}
}

// tellRefused logs what is new of Refusals: a line a minute at most, however many there are.
func (n *Node) tellRefused() {
	now, told := n.Refusals(), n.newcomers.told
	if now == told {
		return
	}
	n.newcomers.told = now
	n.cfg.Log.Warn("clients asked for more of the ledger than they may",
		"reports_of_unknown_objects", now.UnknownObject-told.UnknownObject, "too_many_reports", now.TooMany-told.TooMany,
		"devices_not_remembered", now.Devices-told.Devices, "accounts_summed", now.Folded-told.Folded)
}

// expire has the ledger drop what is old, at once and every day.
func (n *Node) expire(ctx context.Context) {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for now := time.Now(); ; {
		accounts, chains, err := n.cfg.Ledger.Expire(ctx, now)
		if accounts+chains > 0 {
			n.cfg.Log.Info("what was old in the ledger went", "accounts_summed", accounts, "devices_forgotten", chains)
		}
		if err != nil && ctx.Err() == nil {
			n.cfg.Log.Error("ledger could not be looked through", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case now = <-tick.C:
		}
	}
}

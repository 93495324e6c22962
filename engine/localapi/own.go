package localapi

import (
	"slices"
	"strings"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// This file narrows answers to what is the caller's own, where a service works for every user of a machine.

// sees tells whether a download may be shown to the caller.
func (c caller) sees(d api.Download) bool { return c.owner == "" || d.Owner == c.owner }

// own returns the caller's downloads.
func (c caller) own(list []api.Download) []api.Download {
	return slices.DeleteFunc(list, func(d api.Download) bool { return !c.sees(d) })
}

// sharing keeps of what was sent and is offered the objects that the caller has downloaded. Sums are over those.
func (c caller) sharing(s api.SharingStatus, list []api.Download) api.SharingStatus {
	if c.owner == "" {
		return s
	}
	s.HeldBytes, s.HeldObjects, s.Rate, s.Today, s.Week, s.Month = 0, 0, 0, 0, 0, 0
	now := time.Now()
	today, week, month := now.Format(time.DateOnly), now.AddDate(0, 0, -6).Format(time.DateOnly), now.Format("2006-01")
	mine := map[string]bool{}
	for _, d := range c.own(list) {
		if d.ContentID != "" {
			mine[d.ContentID] = true
		}
		if d.Shared {
			s.HeldObjects++
			s.HeldBytes += d.TotalBytes
		}
		s.Rate += d.UploadRate
	}
	s.Ledger = slices.DeleteFunc(s.Ledger, func(e api.LedgerEntry) bool { return !mine[e.ContentID] })
	for _, e := range s.Ledger {
		if e.Day == today {
			s.Today += e.Bytes
		}
		if e.Day >= week {
			s.Week += e.Bytes
		}
		if strings.HasPrefix(e.Day, month) {
			s.Month += e.Bytes
		}
	}
	return s
}

// held returns those of the caller's downloads.
func (c caller) held(held []api.Held, list []api.Download) []api.Held {
	if c.owner == "" {
		return held
	}
	mine := map[string]bool{}
	for _, d := range c.own(list) {
		mine[d.ID] = true
	}
	return slices.DeleteFunc(held, func(h api.Held) bool { return !mine[h.Download] })
}

// watched remembers which downloads a caller has been shown, so that the end of others' is not told.
type watched struct {
	who   caller
	shown map[string]bool
}

func (w watched) sees(e api.Event) bool {
	switch {
	case w.who.owner == "" || e.Synced:
		return true
	case e.Download != nil && w.who.sees(*e.Download):
		w.shown[e.Download.ID] = true
		return true
	case e.Removed != "" && w.shown[e.Removed]:
		delete(w.shown, e.Removed)
		return true
	}
	return false
}

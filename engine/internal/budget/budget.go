// Package budget says how much may be sent and taken, when, and if not, why not. It decides from what it
// is shown and must never do I/O; the limiter's clock is the only time it knows.
package budget

import (
	"fmt"
	"strconv"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// MaySend tells whether the user's choice lets payload go to a peer on this path.
func MaySend(s api.Settings, path api.PathKind) bool {
	switch s.Sharing {
	case api.SharingOn:
		return true
	case api.SharingLAN:
		return path == api.PathLAN
	}
	return false
}

// Surroundings is what this computer runs on and is connected through.
type Surroundings struct {
	OnBattery bool
	Charge    int // of the battery, in percent
	Metered   bool
	VPN       bool
}

// Paused says why nothing is sent at the moment although sharing is on; nil if it is. month is what was sent in this
// calendar month, in bytes.
func Paused(s api.Settings, month int64, around Surroundings, now time.Time) *api.Phrase {
	say := func(code string, args ...string) *api.Phrase { return new(api.Say(code, args...)) }
	switch {
	case s.Sharing == api.SharingOff:
		return nil
	case s.MonthlyUpload > 0 && month >= s.MonthlyUpload:
		return say(api.SayRestsMonth)
	case !within(s.ShareHours, now):
		return say(api.SayRestsHours, "hours", s.ShareHours)
	case around.OnBattery && (around.Charge < s.BatteryLevel || s.BatteryLevel >= 100):
		return say(api.SayRestsBattery, "percent", strconv.Itoa(around.Charge))
	case around.Metered && !s.ShareMetered:
		return say(api.SayRestsMetered)
	case around.VPN && !s.ShareVPN:
		return say(api.SayRestsVPN)
	}
	return nil
}

// Copies is how many full copies of an object may be given, when the user allows one number and the
// publisher another: the smaller. 0 is no limit.
func Copies(user, publisher int) int {
	if user <= 0 || publisher <= 0 {
		return max(user, publisher, 0)
	}
	return min(user, publisher)
}

// Spent tells whether as many copies of an object have been given as are allowed; 0 copies is no limit.
func Spent(copies int, size, sent int64) bool {
	return copies > 0 && sent >= int64(copies)*size
}

// within tells whether now lies in hours, "22:00-07:00" in local time. Empty or unreadable hours are all day.
func within(hours string, now time.Time) bool {
	var h1, m1, h2, m2 int
	if n, err := fmt.Sscanf(hours, "%d:%d-%d:%d", &h1, &m1, &h2, &m2); n != 4 || err != nil {
		return true
	}
	from, until, at := h1*60+m1, h2*60+m2, now.Hour()*60+now.Minute()
	if from <= until {
		return from <= at && at < until
	}
	return at >= from || at < until
}

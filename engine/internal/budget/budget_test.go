package budget

import (
	"testing"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

func TestWhoMayBeSentTo(t *testing.T) {
	paths := []api.PathKind{api.PathLAN, api.PathDirect, api.PathIPv6, api.PathRelayed, ""}
	tests := []struct {
		sharing api.Sharing
		want    []bool
	}{
		{api.SharingOff, []bool{false, false, false, false, false}},
		{api.SharingLAN, []bool{true, false, false, false, false}},
		{api.SharingOn, []bool{true, true, true, true, true}},
		{"", []bool{false, false, false, false, false}},
		{"ON", []bool{false, false, false, false, false}},
	}
	for _, tt := range tests {
		for i, path := range paths {
			if got := MaySend(api.Settings{Sharing: tt.sharing}, path); got != tt.want[i] {
				t.Errorf("sharing %q, path %q: %v; want %v", tt.sharing, path, got, tt.want[i])
			}
		}
	}
}

func TestWhereSharingRests(t *testing.T) {
	battery := func(charge int) Surroundings { return Surroundings{OnBattery: true, Charge: charge} }
	tests := []struct {
		name     string
		settings api.Settings
		around   Surroundings
		want     string // code; empty: it does not rest
	}{
		{"mains", api.Settings{BatteryLevel: 100}, Surroundings{Charge: 3}, ""},
		{"battery below the level", api.Settings{BatteryLevel: 40}, battery(39), api.SayRestsBattery},
		{"battery at the level", api.Settings{BatteryLevel: 40}, battery(40), ""},
		{"battery, never", api.Settings{}, battery(1), ""},
		{"battery, always", api.Settings{BatteryLevel: 100}, battery(100), api.SayRestsBattery},
		{"metered", api.Settings{}, Surroundings{Metered: true}, api.SayRestsMetered},
		{"metered, allowed", api.Settings{ShareMetered: true}, Surroundings{Metered: true}, ""},
		{"VPN", api.Settings{}, Surroundings{VPN: true}, api.SayRestsVPN},
		{"VPN, allowed", api.Settings{ShareVPN: true}, Surroundings{VPN: true}, ""},
	}
	for _, tt := range tests {
		for _, sharing := range []api.Sharing{api.SharingOff, api.SharingLAN, api.SharingOn} {
			tt.settings.Sharing = sharing
			got, want := "", tt.want
			if rest := Paused(tt.settings, 0, tt.around, time.Now()); rest != nil {
				got = rest.Code
			}
			if sharing == api.SharingOff {
				want = ""
			}
			if got != want {
				t.Errorf("%s, sharing %s: %q; want %q", tt.name, sharing, got, want)
			}
		}
	}
}

func TestWhenSharingRests(t *testing.T) {
	at := func(clock string) time.Time {
		moment, err := time.ParseInLocation("2006-01-02 15:04", "2026-11-22 "+clock, time.Local)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	tests := []struct {
		name   string
		limit  int64
		hours  string
		month  int64
		clock  string
		paused bool
	}{
		{"no limits", 0, "", 1 << 50, "12:00", false},
		{"volume left", 100, "", 99, "12:00", false},
		{"volume used up", 100, "", 100, "12:00", true},
		{"in the hours", 0, "08:00-20:00", 0, "08:00", false},
		{"the end does not belong to them", 0, "08:00-20:00", 0, "20:00", true},
		{"over midnight, before", 0, "22:00-07:00", 0, "23:59", false},
		{"over midnight, after", 0, "22:00-07:00", 0, "06:59", false},
		{"over midnight, by day", 0, "22:00-07:00", 0, "12:00", true},
		{"in the hours, volume used up", 100, "08:00-20:00", 100, "12:00", true},
	}
	for _, tt := range tests {
		s := api.Settings{Sharing: api.SharingOn, MonthlyUpload: tt.limit, ShareHours: tt.hours}
		if got := Paused(s, tt.month, Surroundings{}, at(tt.clock)); (got != nil) != tt.paused {
			t.Errorf("%s: %+v; want paused %v", tt.name, got, tt.paused)
		}
	}
}

func TestTheTighterNumberOfCopiesWins(t *testing.T) {
	tests := []struct{ user, publisher, want int }{
		{0, 0, 0}, {3, 0, 3}, {0, 3, 3}, {2, 3, 2}, {3, 2, 2}, {1, 1, 1},
	}
	for _, tt := range tests {
		if got := Copies(tt.user, tt.publisher); got != tt.want {
			t.Errorf("Copies(%d, %d) = %d; want %d", tt.user, tt.publisher, got, tt.want)
		}
	}
	for _, tt := range []struct {
		copies int
		sent   int64
		want   bool
	}{{0, 1 << 50, false}, {1, 99, false}, {1, 100, true}, {2, 199, false}, {2, 200, true}} {
		if got := Spent(tt.copies, 100, tt.sent); got != tt.want {
			t.Errorf("%d copies of 100 bytes, %d sent: %v; want %v", tt.copies, tt.sent, got, tt.want)
		}
	}
}

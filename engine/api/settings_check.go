package api

import (
	"fmt"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
)

// Bounds of the settings that count something. A value outside them is a slip, not a wish.
const (
	maxActive      = 100
	maxConnections = 32
	maxShareDays   = 3650

	// MostTries is the highest number of tries that may be asked for; without end is 0.
	MostTries = 1_000_000
)

// shareHours is the form of Settings.ShareHours. The two ends may be on different days.
var shareHours = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$`)

// Check says what is wrong with the present fields: the JSON name of the first bad one and an *Error
// with code ErrInvalid whose message begins with that name. It returns "" and nil when all are usable.
func (p SettingsPatch) Check() (field string, err error) {
	checks := []struct {
		field string
		fault string
	}{
		{"dir", ifPresent(p.Dir, dirFault)},
		{"sharing", ifPresent(p.Sharing, sharingFault)},
		{"download_limit", ifPresent(p.DownloadLimit, negativeFault)},
		{"upload_limit", ifPresent(p.UploadLimit, negativeFault)},
		{"monthly_upload", ifPresent(p.MonthlyUpload, negativeFault)},
		{"uploads_per_object", ifPresent(p.UploadsPerObject, within(0, 1<<20))},
		{"share_hours", ifPresent(p.ShareHours, hoursFault)},
		{"keep_shared", ifPresent(p.KeepShared, negativeFault)},
		{"share_days", ifPresent(p.ShareDays, within(0, maxShareDays))},
		{"battery_level", ifPresent(p.BatteryLevel, within(0, 100))},
		{"max_active", ifPresent(p.MaxActive, within(1, maxActive))},
		{"connections", ifPresent(p.Connections, within(1, maxConnections))},
		{"tries", ifPresent(p.Tries, within(0, MostTries))},
		{"proxy", ifPresent(p.Proxy, proxyFault)},
	}
	for _, c := range checks {
		if c.fault != "" {
			return c.field, &Error{Code: ErrInvalid, Message: c.field + ": " + c.fault}
		}
	}
	return "", nil
}

// Check is that of the patch, and refuses to take back what does not exist or is set in the same breath.
func (c SettingsChange) Check() (field string, err error) {
	if field, err := c.SettingsPatch.Check(); err != nil {
		return field, err
	}
	patch := reflect.ValueOf(c.SettingsPatch)
	for _, name := range c.Reset {
		i := settingOf(patch.Type(), name)
		switch {
		case i < 0:
			return name, &Error{Code: ErrInvalid, Message: fmt.Sprintf("there is no setting %q", name)}
		case !patch.Field(i).IsNil():
			return name, &Error{Code: ErrInvalid, Message: name + ": it is both set and taken back"}
		}
	}
	return "", nil
}

// settingOf returns the index of the field with a JSON name, -1 if there is none.
func settingOf(patch reflect.Type, name string) int {
	for i := range patch.NumField() {
		if json, _, _ := strings.Cut(patch.Field(i).Tag.Get("json"), ","); json == name {
			return i
		}
	}
	return -1
}

func ifPresent[T any](value *T, fault func(T) string) string {
	if value == nil {
		return ""
	}
	return fault(*value)
}

func dirFault(dir string) string {
	if !filepath.IsAbs(dir) {
		return fmt.Sprintf("%q is not an absolute path", dir)
	}
	return ""
}

func sharingFault(s Sharing) string {
	switch s {
	case SharingOff, SharingLAN, SharingOn:
		return ""
	}
	return fmt.Sprintf("%q is not one of off, lan, on", string(s))
}

func negativeFault(n int64) string {
	if n < 0 {
		return fmt.Sprintf("%d is negative; 0 means no limit", n)
	}
	return ""
}

func within(lowest, highest int) func(int) string {
	return func(n int) string {
		if n < lowest || n > highest {
			return fmt.Sprintf("%d is not between %d and %d", n, lowest, highest)
		}
		return ""
	}
}

func hoursFault(hours string) string {
	if hours != "" && !shareHours.MatchString(hours) {
		return fmt.Sprintf("%q is not of the form 22:00-07:00", hours)
	}
	return ""
}

func proxyFault(proxy string) string {
	if proxy == "" {
		return ""
	}
	u, err := url.Parse(proxy)
	if err != nil || u.Hostname() == "" {
		// The URL may hold a password, so it is not repeated.
		return "not a URL with a host"
	}
	switch u.Scheme {
	case "http", "https", "socks5":
		return ""
	}
	return fmt.Sprintf("scheme %q is not one of http, https, socks5", u.Scheme)
}

package api

import "time"

// Sharing is the user's choice about uploads.
type Sharing string

const (
	SharingOff Sharing = "off" // no payload byte leaves
	SharingLAN Sharing = "lan" // only to peers on the same network
	SharingOn  Sharing = "on"
)

// Settings is what the user decides. A zero limit means no limit.
type Settings struct {
	Dir              string  `json:"dir"` // where files go
	Sharing          Sharing `json:"sharing"`
	DownloadLimit    int64   `json:"download_limit"`     // bytes a second over all downloads
	UploadLimit      int64   `json:"upload_limit"`       // bytes a second over all peers
	MonthlyUpload    int64   `json:"monthly_upload"`     // payload bytes in a calendar month
	UploadsPerObject int     `json:"uploads_per_object"` // full copies given of one object
	ShareHours       string  `json:"share_hours"`        // "22:00-07:00", local time; empty: always
	KeepShared       int64   `json:"keep_shared"`        // bytes of finished objects offered at most
	ShareDays        int     `json:"share_days"`         // a finished object is offered this long
	BatteryLevel     int     `json:"battery_level"`      // percent; on battery sharing rests below it: 0 never, 100 always
	ShareMetered     bool    `json:"share_metered"`      // also on a network that is paid for by volume
	ShareVPN         bool    `json:"share_vpn"`          // also through a VPN, which may be an employer's
	MaxActive        int     `json:"max_active"`         // downloads at a time; the rest queue
	Connections      int     `json:"connections"`        // to an edge, per download
	Tries            int     `json:"tries"`              // of a server in a row that bring nothing, after which a download has failed; 0: without end
	Proxy            string  `json:"proxy"`              // http, https or socks5 URL for edges
}

// DefaultSettings is what holds before the user or an administrator decides. Sharing is off until
// the user is asked.
func DefaultSettings() Settings {
	return Settings{Sharing: SharingOff, KeepShared: 50 << 30, ShareDays: 30, BatteryLevel: 100, MaxActive: 5, Connections: 8, UploadsPerObject: 0}
}

// SettingsPatch changes the settings whose fields are present.
type SettingsPatch struct {
	Dir              *string  `json:"dir,omitempty"`
	Sharing          *Sharing `json:"sharing,omitempty"`
	DownloadLimit    *int64   `json:"download_limit,omitempty"`
	UploadLimit      *int64   `json:"upload_limit,omitempty"`
	MonthlyUpload    *int64   `json:"monthly_upload,omitempty"`
	UploadsPerObject *int     `json:"uploads_per_object,omitempty"`
	ShareHours       *string  `json:"share_hours,omitempty"`
	KeepShared       *int64   `json:"keep_shared,omitempty"`
	ShareDays        *int     `json:"share_days,omitempty"`
	BatteryLevel     *int     `json:"battery_level,omitempty"`
	ShareMetered     *bool    `json:"share_metered,omitempty"`
	ShareVPN         *bool    `json:"share_vpn,omitempty"`
	MaxActive        *int     `json:"max_active,omitempty"`
	Connections      *int     `json:"connections,omitempty"`
	Tries            *int     `json:"tries,omitempty"`
	Proxy            *string  `json:"proxy,omitempty"`
}

// SettingsChange is a patch that can also take choices back.
type SettingsChange struct {
	SettingsPatch
	// Reset names settings about which the user says nothing any more: the administrator's value holds, or the default.
	Reset []string `json:"reset,omitempty"`
}

// Effective is one setting with the value in force and who set it.
type Effective struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin string `json:"origin"` // "default", "user", "command line", or the administrator's file and line
	Locked bool   `json:"locked"`
	Note   string `json:"note,omitempty"` // who else wanted to set it, and did not
}

// SharingStatus is what the sharing page shows.
type SharingStatus struct {
	Sharing     Sharing       `json:"sharing"`
	PausedWhy   string        `json:"paused_why,omitempty"` // sharing is on, but rests, and why
	Paused      *Phrase       `json:"paused,omitempty"`     // PausedWhy for other languages
	Today       int64         `json:"today"`                // payload bytes sent
	Week        int64         `json:"week"`
	Month       int64         `json:"month"`
	Rate        int64         `json:"rate"`
	HeldBytes   int64         `json:"held_bytes"`
	HeldObjects int           `json:"held_objects"`
	Ledger      []LedgerEntry `json:"ledger,omitempty"`
}

// LedgerEntry is what left this computer of one object on one day (local time).
type LedgerEntry struct {
	Day       string `json:"day"` // 2026-11-22
	ContentID string `json:"content_id"`
	Name      string `json:"name"`
	Publisher string `json:"publisher,omitempty"`
	Bytes     int64  `json:"bytes"`
	Peers     int    `json:"peers"`
}

// Status is what the service says of itself.
type Status struct {
	Version string    `json:"version"`
	API     int       `json:"api"` // version of this vocabulary: 1
	Started time.Time `json:"started"`
	PID     int       `json:"pid"`
	Machine bool      `json:"machine,omitempty"` // it works for every user of the machine
	// Administrator: the caller may change what holds for all: settings, sharing, others' downloads.
	Administrator bool `json:"administrator,omitempty"`

	DataDir  string          `json:"data_dir"`
	GUID     string          `json:"guid"`
	Settings Settings        `json:"settings"`
	Sharing  SharingStatus   `json:"sharing"`
	Control  []ControlStatus `json:"control"`
	Peers    PeerNetStatus   `json:"peers"`
	Problems []Problem       `json:"problems"`
}

// ControlStatus is the state of the session with one control plane.
type ControlStatus struct {
	URL       string `json:"url"`
	Connected bool   `json:"connected"`
	Detail    string `json:"detail"`
}

// PeerNetStatus says how this machine can be reached by peers.
type PeerNetStatus struct {
	Listen string `json:"listen"`
	NAT    string `json:"nat"`
	Public string `json:"public,omitempty"`
}

// Check is one line of `tributaryctl doctor`.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// Event is one line of a watch. A watch begins with every download and a line with Synced, then brings the newest
// snapshot of each download that changed; what was not read in time is replaced, never queued.
type Event struct {
	Download *Download `json:"download,omitempty"`
	Removed  string    `json:"removed,omitempty"` // ID of a download that is gone
	Status   *Status   `json:"status,omitempty"`
	Synced   bool      `json:"synced,omitempty"` // everything that stood at the beginning has been sent
}

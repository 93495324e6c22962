package api_test

import (
	"strings"
	"testing"

	"github.com/tributary-dl/tributary/engine/api"
)

func TestSettingsPatchCheck(t *testing.T) {
	tests := []struct {
		name  string
		patch api.SettingsPatch
		field string // "": usable
		says  string
	}{
		{"nothing changes", api.SettingsPatch{}, "", ""},
		{"relative folder", api.SettingsPatch{Dir: new("downloads")}, "dir", "not an absolute path"},
		{"unknown sharing", api.SettingsPatch{Sharing: new(api.Sharing("wan"))}, "sharing", "off, lan, on"},
		{"sharing on the LAN", api.SettingsPatch{Sharing: new(api.SharingLAN)}, "", ""},
		{"no limit", api.SettingsPatch{DownloadLimit: new(int64(0))}, "", ""},
		{"negative limit", api.SettingsPatch{UploadLimit: new(int64(-1))}, "upload_limit", "negative"},
		{"over midnight", api.SettingsPatch{ShareHours: new("22:00-07:00")}, "", ""},
		{"always", api.SettingsPatch{ShareHours: new("")}, "", ""},
		{"hour 24", api.SettingsPatch{ShareHours: new("22:00-24:00")}, "share_hours", "22:00-07:00"},
		{"nothing at a time", api.SettingsPatch{MaxActive: new(0)}, "max_active", "between 1 and 100"},
		{"a thousand connections", api.SettingsPatch{Connections: new(1000)}, "connections", "between 1 and 32"},
		{"SOCKS proxy", api.SettingsPatch{Proxy: new("socks5://127.0.0.1:1080")}, "", ""},
		{"FTP proxy", api.SettingsPatch{Proxy: new("ftp://proxy")}, "proxy", "http, https, socks5"},
		{"proxy without host", api.SettingsPatch{Proxy: new("http://user:secret@")}, "proxy", "with a host"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			field, err := tt.patch.Check()
			if field != tt.field || (err == nil) != (tt.field == "") {
				t.Fatalf("Check() = %q, %v; want field %q", field, err, tt.field)
			}
			if err == nil {
				return
			}
			if api.CodeOf(err) != api.ErrInvalid || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Check() says %q (%s); want %q in it", err, api.CodeOf(err), tt.says)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("Check() repeats a password: %q", err)
			}
		})
	}
}

func TestSettingsChangeCheck(t *testing.T) {
	tests := []struct {
		change api.SettingsChange
		field  string // "": usable
	}{
		{api.SettingsChange{Reset: []string{"dir", "share_vpn"}}, ""},
		{api.SettingsChange{SettingsPatch: api.SettingsPatch{MaxActive: new(3)}, Reset: []string{"dir"}}, ""},
		{api.SettingsChange{SettingsPatch: api.SettingsPatch{MaxActive: new(0)}, Reset: []string{"dir"}}, "max_active"},
		{api.SettingsChange{SettingsPatch: api.SettingsPatch{MaxActive: new(3)}, Reset: []string{"max_active"}}, "max_active"},
		{api.SettingsChange{Reset: []string{"colour"}}, "colour"},
	}
	for _, tt := range tests {
		field, err := tt.change.Check()
		if field != tt.field || (err == nil) != (tt.field == "") || err != nil && api.CodeOf(err) != api.ErrInvalid {
			t.Errorf("Check(%+v) = %q, %v; want field %q", tt.change, field, err, tt.field)
		}
	}
}

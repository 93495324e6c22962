package engine

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/peering"
)

// A laptop that is unplugged stops giving, says why, and goes on when it is plugged in again.
func TestSharingRestsOnBattery(t *testing.T) {
	root := t.TempDir()
	supply := filepath.Join(root, "sys/class/power_supply/BAT0")
	if err := os.MkdirAll(supply, 0o700); err != nil {
		t.Fatal(err)
	}
	set := func(file, value string) {
		if err := os.WriteFile(filepath.Join(supply, file), []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	set("type", "Battery")
	set("capacity", "43")
	set("status", "Discharging")
	e, err := Open(t.Context(), Config{DataDir: t.TempDir(), NoPeers: true, SystemRoot: root, Version: "test", Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	on, half, never := api.SharingOn, 50, 0
	maySend := func() bool {
		return e.ledger.maySend(e.Settings(), peering.Upload{ContentID: "f1", Size: 1000}, api.PathDirect)
	}
	steps := []struct {
		name   string
		do     func()
		patch  api.SettingsPatch
		says   string
		phrase *api.Phrase
	}{
		{"off", nil, api.SettingsPatch{}, "", nil},
		{"on, on the battery", nil, api.SettingsPatch{Sharing: &on, BatteryLevel: &half, ShareVPN: new(true)}, "this computer runs on its battery (43%)",
			&api.Phrase{Code: api.SayRestsBattery, Args: map[string]string{"percent": "43"}}},
		{"charged above the level", func() { set("capacity", "50") }, api.SettingsPatch{}, "", nil},
		{"below it again", func() { set("capacity", "49") }, api.SettingsPatch{}, "this computer runs on its battery (49%)",
			&api.Phrase{Code: api.SayRestsBattery, Args: map[string]string{"percent": "49"}}},
		{"the user does not mind", nil, api.SettingsPatch{BatteryLevel: &never}, "", nil},
		{"always", func() { set("capacity", "100") }, api.SettingsPatch{BatteryLevel: new(100)}, "this computer runs on its battery (100%)",
			&api.Phrase{Code: api.SayRestsBattery, Args: map[string]string{"percent": "100"}}},
		{"plugged in", func() { set("status", "Charging") }, api.SettingsPatch{}, "", nil},
	}
	for _, step := range steps {
		if step.do != nil {
			step.do()
		}
		if _, err := e.SetSettings(t.Context(), step.patch); err != nil {
			t.Fatal(err)
		}
		e.around.look(t.Context())
		s := e.Sharing()
		if s.PausedWhy != step.says || !cmp.Equal(s.Paused, step.phrase) {
			t.Errorf("%s: rests because of %q, %+v; want %q, %+v", step.name, s.PausedWhy, s.Paused, step.says, step.phrase)
		}
		if want := s.Sharing == api.SharingOn && step.says == ""; maySend() != want {
			t.Errorf("%s: a block may be sent: %v; want %v", step.name, maySend(), want)
		}
	}
}

package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/store"
)

const settingsKey = "user"

// Settings returns the values in force.
func (e *Engine) Settings() api.Settings {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.inForce
}

func (e *Engine) loadSettings() error {
	raw, err := e.store.Get(store.BucketSettings, settingsKey)
	if err != nil {
		return err
	}
	if raw != nil {
		if err := json.Unmarshal(raw, &e.settings); err != nil {
			e.log.Error("the settings could not be read; the defaults hold", "err", err)
			e.settings = api.SettingsPatch{}
		}
	}
	e.apply()
	return nil
}

// apply works out the values in force: the administrator's locked ones, the user's, the administrator's
// others, the defaults. e.mu is held, or nobody else knows e yet.
func (e *Engine) apply() {
	s := api.DefaultSettings()
	if !e.cfg.Machine { // otherwise each user has their own
		s.Dir = defaultDir()
	}
	patch(&s, e.policy.Settings, nil)
	patch(&s, e.settings, e.policy.Locked)
	e.inForce = s
	e.download.SetRate(unlimitedIfZero(s.DownloadLimit))
	e.upload.SetRate(unlimitedIfZero(s.UploadLimit))
}

func unlimitedIfZero(n int64) float64 {
	if n == 0 {
		return -1
	}
	return float64(n)
}

// patch copies the present fields of p into s, save the locked ones.
func patch(s *api.Settings, p api.SettingsPatch, locked map[string]bool) {
	to, from := reflect.ValueOf(s).Elem(), reflect.ValueOf(p)
	for i := range from.NumField() {
		if f := from.Field(i); !f.IsNil() && !locked[settingName(i)] {
			to.FieldByName(from.Type().Field(i).Name).Set(f.Elem())
		}
	}
}

// settingName returns the JSON name of a patch's field.
func settingName(i int) string {
	name, _, _ := strings.Cut(reflect.TypeFor[api.SettingsPatch]().Field(i).Tag.Get("json"), ",")
	return name
}

func defaultDir() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return os.TempDir()
	}
	return filepath.Join(home, "Downloads")
}

// SetSettings changes the settings whose fields are present, and takes back what the user has said of those in reset; all
// of them or, with an error, none. Once they are written they reach every download, whether the caller waits or not.
func (e *Engine) SetSettings(_ context.Context, p api.SettingsPatch, reset ...string) (api.Settings, error) {
	s, err := e.changeSettings(p, reset)
	if err == nil {
		e.tellDownloads()
	}
	return s, err
}

func (e *Engine) changeSettings(p api.SettingsPatch, reset []string) (api.Settings, error) {
	if _, err := (api.SettingsChange{SettingsPatch: p, Reset: reset}).Check(); err != nil {
		return api.Settings{}, err
	}
	e.changing.Lock()
	defer e.changing.Unlock()
	e.mu.Lock()
	if p.Proxy != nil {
		proxy, ok := api.UnmaskProxy(*p.Proxy, e.inForce.Proxy)
		if !ok {
			e.mu.Unlock()
			return api.Settings{}, &api.Error{Code: api.ErrInvalid, Message: "proxy: type the password as well; the old one is for another server or user"}
		}
		p.Proxy = &proxy
	}
	merged := e.settings
	to, from := reflect.ValueOf(&merged).Elem(), reflect.ValueOf(p)
	for i := range from.NumField() {
		f, name := from.Field(i), settingName(i)
		if f.IsNil() && !slices.Contains(reset, name) {
			continue
		}
		if e.policy.Locked[name] {
			e.mu.Unlock()
			return api.Settings{}, &api.Error{Code: api.ErrDenied,
				Message: fmt.Sprintf("%s is locked by the administrator (%s)", name, e.policy.Origin[name])}
		}
		to.Field(i).Set(f)
	}
	e.mu.Unlock()
	raw, err := json.Marshal(merged)
	if err != nil {
		return api.Settings{}, err
	}
	if err := e.store.Put(store.BucketSettings, settingsKey, raw); err != nil {
		return api.Settings{}, err
	}
	e.mu.Lock()
	e.settings = merged
	e.apply()
	s := e.inForce
	e.mu.Unlock()
	e.tellPeers()
	return s, nil
}

// tellPeers makes what is sent to peers keep to the settings in force. e.changing is held.
func (e *Engine) tellPeers() {
	if e.peers != nil {
		e.peers.SettingsChanged()
	}
}

// tellDownloads brings the settings in force to all downloads, and returns when they keep to them. One that hangs with its disk
// keeps no other from hearing of them, and nobody from changing settings again: e.changing must not be held.
func (e *Engine) tellDownloads() {
	var told sync.WaitGroup
	for _, d := range e.all() {
		told.Go(func() { e.noteUntold(d, d.SettingsChanged(e.ctx)) })
	}
	told.Wait()
	e.look()
}

// Effective lists each setting with its value and who set it.
func (e *Engine) Effective() []api.Effective {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []api.Effective
	values := reflect.ValueOf(e.inForce.Redacted())
	user, admin := reflect.ValueOf(e.settings), reflect.ValueOf(e.policy.Settings)
	for i := range user.NumField() {
		name := settingName(i)
		entry := api.Effective{Name: name, Origin: "default", Locked: e.policy.Locked[name], Note: e.policy.Notes[name],
			Value: fmt.Sprint(values.FieldByName(user.Type().Field(i).Name).Interface())}
		switch {
		case !user.Field(i).IsNil() && !entry.Locked:
			entry.Origin = "user"
		case !admin.Field(i).IsNil() || entry.Locked:
			entry.Origin = e.policy.Origin[name]
		}
		if entry.Note == "" && entry.Locked && !user.Field(i).IsNil() {
			entry.Note = "the user's own choice waits until the lock goes"
		}
		list = append(list, entry)
	}
	return append(list, e.controlInForce())
}

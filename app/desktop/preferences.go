package desktop

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tributary-dl/tributary/ui/model"
)

func (p Place) preferencesFile() string { return filepath.Join(p.dir, "desktop.json") }

// LoadPreferences returns the user's choices about window and tray. A file that is missing or broken means none were
// made: neither program must fail to start because of colours.
func (p Place) LoadPreferences() model.Preferences {
	var prefs model.Preferences
	if raw, err := os.ReadFile(p.preferencesFile()); err == nil && json.Unmarshal(raw, &prefs) != nil {
		return model.Preferences{}
	}
	return prefs
}

// SavePreferences replaces the file as a whole.
func (p Place) SavePreferences(prefs model.Preferences) error {
	raw, err := json.MarshalIndent(prefs, "", "\t")
	if err != nil {
		return err
	}
	half := p.preferencesFile() + ".new"
	if err := os.WriteFile(half, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("save the preferences: %w", err)
	}
	if err := os.Rename(half, p.preferencesFile()); err != nil {
		return fmt.Errorf("save the preferences: %w", err)
	}
	return nil
}

// removeIfThere removes a file; one that is not there is no error.
func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

package say

import (
	"fmt"

	"fyne.io/fyne/v2/lang"

	"github.com/tributary-dl/tributary/assets/translations"
)

// Use makes a language the one of the program: a code such as "de", or "" for the system's. Call it before any view
// is built. Fyne chooses by the system's locale and cannot be told otherwise, so a chosen language is registered as
// that locale's own.
func Use(code string) error {
	if err := lang.AddTranslationsFS(translations.Files, "."); err != nil {
		return fmt.Errorf("read the translations: %w", err)
	}
	if code == "" {
		return nil
	}
	raw, err := translations.Files.ReadFile(code + ".json")
	if err != nil {
		return fmt.Errorf("there is no translation to %q", code)
	}
	if err := lang.AddTranslationsForLocale(raw, lang.SystemLocale()); err != nil {
		return fmt.Errorf("read the translation to %q: %w", code, err)
	}
	return nil
}

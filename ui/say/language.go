package say

import (
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"

	"github.com/tributary-dl/tributary/assets/translations"
)

// Use makes a language the one of the program: a code such as "de", or "" for the system's. Call it before any view
// is built. Fyne chooses by the system's locale and cannot be told otherwise, so a chosen language is registered as
// that locale's own.
func Use(code string) error {
	files, err := translations.Files.ReadDir(".")
	if err != nil {
		return fmt.Errorf("read the translations: %w", err)
	}
	for _, f := range files {
		raw, err := translations.Files.ReadFile(f.Name())
		if err != nil {
			return fmt.Errorf("read the translations: %w", err)
		}
		if err := lang.AddTranslations(fyne.NewStaticResource(f.Name(), raw)); err != nil {
			return fmt.Errorf("read the translation %s: %w", f.Name(), err)
		}
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

package tray

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

// Words looks up the texts of the tray in the files of the window. It knows no plurals: the tray has none, and the
// library for them would be a third of its program.
type Words struct{ table map[string]string }

// LoadWords reads the file of the first language that there is one for. Languages are codes such as "de" or "de-AT".
func LoadWords(files fs.FS, languages ...string) (Words, error) {
	for _, l := range append(languages, "en") {
		code, _, _ := strings.Cut(strings.ReplaceAll(l, "_", "-"), "-")
		raw, err := fs.ReadFile(files, strings.ToLower(code)+".json")
		if code == "" || err != nil {
			continue
		}
		var entries map[string]any
		if err := json.Unmarshal(raw, &entries); err != nil {
			return Words{}, fmt.Errorf("read the translation %s: %w", code, err)
		}
		w := Words{table: map[string]string{}}
		for key, value := range entries {
			if text, ok := value.(string); ok {
				w.table[key] = text
			}
		}
		return w, nil
	}
	return Words{}, nil
}

// L returns the translation of an English text, with pairs of names and values put in.
func (w Words) L(text string, pairs ...string) string {
	if t, ok := w.table[text]; ok {
		text = t
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, "{{."+pairs[i]+"}}", pairs[i+1])
	}
	return text
}

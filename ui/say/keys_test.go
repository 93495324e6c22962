package say_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tributary-dl/tributary/assets/translations"
	"github.com/tributary-dl/tributary/engine/api"
)

// keysInCode finds the texts that views and tray look up: lang.L, lang.N, lang.X, and L of the tray's words.
func keysInCode(t *testing.T) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	for _, root := range []string{"../../ui", "../../app/desktop"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || len(call.Args) == 0 {
					return true
				}
				f, ok := call.Fun.(*ast.SelectorExpr)
				if !ok || !slices.Contains([]string{"L", "N", "X"}, f.Sel.Name) {
					return true
				}
				if filepath.Base(path) == "phrase.go" {
					return true // its keys are the service's phrases
				}
				text, ok := call.Args[0].(*ast.BasicLit)
				if !ok {
					t.Errorf("%s: a key that is not written out cannot be checked", path)
					return true
				}
				key, err := strconv.Unquote(text.Value)
				if err != nil {
					t.Errorf("%s: %v", path, err)
				}
				keys[key] = true
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for code := range api.Phrases {
		keys["service."+code] = true
	}
	return keys
}

// sourceOf is the text that a key stands for: the key itself, unless the text is the service's.
func sourceOf(key string) string {
	if code, ok := strings.CutPrefix(key, "service."); ok {
		return api.Phrases[code]
	}
	return key
}

var placeholder = regexp.MustCompile(`\{\{\.(\w+)\}\}`)

// Every text that the program shows is in every language, with the same values put in, and nothing else is.
func TestTranslationsAreWhole(t *testing.T) {
	used := keysInCode(t)
	for _, language := range []string{"en", "de", "fr", "es", "zh", "ja"} {
		raw, err := translations.Files.ReadFile(language + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var table map[string]any
		if err := json.Unmarshal(raw, &table); err != nil {
			t.Fatalf("%s: %v", language, err)
		}
		for _, key := range slices.Sorted(maps.Keys(used)) {
			if table[key] == nil {
				t.Errorf("%s: no translation of %q", language, key)
			}
		}
		for key, value := range table {
			if !used[key] {
				t.Errorf("%s: %q is not used", language, key)
			}
			forms := map[string]any{"": value}
			if plural, ok := value.(map[string]any); ok {
				forms = plural
				if plural["one"] == nil || plural["other"] == nil {
					t.Errorf("%s: %q needs the forms one and other", language, key)
				}
			}
			for form, text := range forms {
				for _, m := range placeholder.FindAllStringSubmatch(text.(string), -1) {
					if !strings.Contains(sourceOf(key), m[0]) {
						t.Errorf("%s: %q (%s) has %s, which the program does not give", language, key, form, m[0])
					}
				}
				// Details that the service tells are in English and stay there.
				source := strings.ReplaceAll(sourceOf(key), "{{.detail}}", "")
				if got := strings.ReplaceAll(text.(string), "{{.detail}}", ""); form != "one" && strings.Count(got, "{{") != strings.Count(source, "{{") {
					t.Errorf("%s: %q loses a value of %q", language, text, key)
				}
			}
		}
	}
}

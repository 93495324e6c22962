package policy

import (
	"reflect"
	"strings"

	"github.com/tributary-dl/tributary/engine/api"
)

// names lists everything that a policy can decide.
func names() []string {
	var list []string
	for field := range reflect.TypeFor[api.SettingsPatch]().Fields() {
		list = append(list, jsonName(field))
	}
	return append(list, controlURL)
}

// fieldOf returns the index of the setting's field in a patch, -1 if there is none. The name must be exact:
// encoding/json would also take another case.
func fieldOf(name string) int {
	patch := reflect.TypeFor[api.SettingsPatch]()
	for i := range patch.NumField() {
		if jsonName(patch.Field(i)) == name {
			return i
		}
	}
	return -1
}

// typeOf returns the type of a setting's value.
func typeOf(name string) reflect.Type {
	return reflect.TypeFor[api.SettingsPatch]().Field(fieldOf(name)).Type.Elem()
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// suggest returns a fix for a name that does not exist: the nearest that does, or all of them.
func suggest(wrong string, known []string) string {
	const slips = 3 // letters that may be wrong
	best, least := "", min(slips, len(wrong)/2)+1
	for _, name := range known {
		if d := distance(strings.ToLower(wrong), name); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return "there are " + strings.Join(known, ", ")
	}
	return `did you mean "` + best + `"?`
}

// distance is the number of letters to insert, remove or replace to turn a into b (Levenshtein). Only as much of a
// counts as could matter.
func distance(a, b string) int {
	if len(a) > 2*len(b)+8 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

package policy

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// The keys of the registry that hold policies. Group Policy writes below Policies, where users may not write: values
// there are locked, save those in Recommended. The installer leaves the properties it was given under its own key.
const (
	registryPolicies    = `Software\Policies\Tributary`
	registryRecommended = registryPolicies + `\Recommended`
	registryInstaller   = `Software\Tributary`
	registryRoot        = `HKLM\`
)

// registrySource writes the values of a key as a policy in JSON, which has no lines. Names of values know no case. The
// registry has no type for what is true or false: Group Policy writes the numbers 1 and 0.
func registrySource(key string, values map[string]any, locked bool) source {
	settings := map[string]any{}
	for name, value := range values {
		name = strings.ToLower(name)
		if number, ok := value.(uint64); ok && number <= 1 && fieldOf(name) >= 0 && typeOf(name).Kind() == reflect.Bool {
			value = number == 1
		}
		settings[name] = value
	}
	form := map[string]any{"settings": settings}
	if locked {
		form["lock"] = slices.Sorted(maps.Keys(settings))
	}
	text, err := json.Marshal(form)
	return source{name: registryRoot + key, text: text, err: err, parse: parseRegistry}
}

// onlyInstallers keeps what the installer writes for policies, among whatever else it keeps under its key.
func onlyInstallers(values map[string]any) map[string]any {
	kept := map[string]any{}
	for name, value := range values {
		if name := strings.ToLower(name); name == "sharing" || name == controlURL {
			kept[name] = value
		}
	}
	return kept
}

func parseRegistry(name string, text []byte) (document, error) {
	d, err := parseJSON(name, text)
	d.text = nil
	return d, err
}

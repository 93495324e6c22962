package policy

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

func systemDefaults() []source {
	return readKey(registryInstaller, false, onlyInstallers)
}

func systemPolicies() []source {
	all := func(values map[string]any) map[string]any { return values }
	return append(readKey(registryRecommended, false, all), readKey(registryPolicies, true, all)...)
}

// readKey reads the values of a key of HKEY_LOCAL_MACHINE, which need not exist.
func readKey(key string, locked bool, keep func(map[string]any) map[string]any) []source {
	values, err := keyValues(key)
	if errors.Is(err, registry.ErrNotExist) {
		return nil
	}
	if err != nil {
		return []source{{name: registryRoot + key, err: err}}
	}
	if values = keep(values); len(values) == 0 {
		return nil
	}
	return []source{registrySource(key, values, locked)}
}

// keyValues reads all values in the view of 64-bit programs, where Group Policy and our installer write.
func keyValues(key string) (map[string]any, error) {
	k, err := registry.OpenKey(registry.LOCAL_MACHINE, key, registry.QUERY_VALUE|registry.WOW64_64KEY)
	if err != nil {
		return nil, err
	}
	defer k.Close()
	names, err := k.ReadValueNames(-1)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	for _, name := range names {
		if name == "" { // the default value of a key is nobody's setting
			continue
		}
		if values[name], err = keyValue(k, name); err != nil {
			return nil, fmt.Errorf("value %s: %w", name, err)
		}
	}
	return values, nil
}

func keyValue(k registry.Key, name string) (any, error) {
	_, kind, err := k.GetValue(name, nil)
	if err != nil && !errors.Is(err, windows.ERROR_MORE_DATA) {
		return nil, err
	}
	switch kind {
	case registry.SZ, registry.EXPAND_SZ:
		text, _, err := k.GetStringValue(name)
		return text, err
	case registry.DWORD, registry.QWORD:
		n, _, err := k.GetIntegerValue(name)
		return n, err
	}
	return nil, errors.New("it is neither a text nor a number")
}

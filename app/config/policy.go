package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/tributary-dl/tributary/engine/api"
)

// maxPolicyFile is the longest policy file that is read, in bytes.
const maxPolicyFile = 1 << 20

// Policy is what an administrator decided. A value that is locked holds whatever the user wants; one that
// is not locked only takes the place of the default.
type Policy struct {
	Settings api.SettingsPatch
	Locked   map[string]bool   // by JSON name of the setting
	Origin   map[string]string // by JSON name of the setting: path of the file that decided it
}

// policyFile is the form of a policy file:
//
//	{"settings": {"sharing": "off", "upload_limit": 1000000}, "lock": ["sharing"]}
//
// A setting that is locked without a value keeps its default.
type policyFile struct {
	Settings map[string]json.RawMessage `json:"settings"`
	Lock     []string                   `json:"lock"`
}

// LoadPolicy reads a policy file, or every *.json of a folder in the order of their names; where two
// decide the same setting, the later file wins. A missing folder or file is an empty policy only if
// optional. Errors name file, line and reason.
func LoadPolicy(path string, optional bool) (Policy, error) {
	files, err := policyFiles(path)
	if errors.Is(err, fs.ErrNotExist) && optional {
		return Policy{}, nil
	}
	if err != nil {
		return Policy{}, fmt.Errorf("read the policy: %w", err)
	}
	policy := Policy{Locked: map[string]bool{}, Origin: map[string]string{}}
	for _, file := range files {
		text, err := readPolicy(file)
		if err != nil {
			return Policy{}, fmt.Errorf("read the policy: %w", err)
		}
		if err := policy.merge(file, text); err != nil {
			return Policy{}, err
		}
	}
	return policy, nil
}

func policyFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path) // sorted by name
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".json" {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	return files, nil
}

func readPolicy(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if info.Size() > maxPolicyFile {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, maxPolicyFile)
	}
	return os.ReadFile(path)
}

// merge adds the decisions of one file to p.
func (p *Policy) merge(path string, text []byte) error {
	var file policyFile
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return jsonFault(path, text, decoder.InputOffset(), err)
	}
	if rest := bytes.TrimSpace(text[decoder.InputOffset():]); len(rest) > 0 {
		return faultAt(path, text, int64(len(text)-len(rest)), "more after the end of the policy")
	}
	names := make([]string, 0, len(file.Settings))
	for name, value := range file.Settings {
		if err := takeSetting(&p.Settings, name, value); err != nil {
			return faultAt(path, text, keyOffset(text, name), err.Error())
		}
		names = append(names, name)
	}
	if field, err := p.Settings.Check(); err != nil {
		return faultAt(path, text, keyOffset(text, field), err.Error())
	}
	for _, name := range file.Lock {
		if !isSetting(name) {
			return faultAt(path, text, keyOffset(text, name), fmt.Sprintf("lock: there is no setting %q", name))
		}
	}
	for _, name := range file.Lock {
		p.Locked[name] = true
	}
	for _, name := range append(names, file.Lock...) {
		p.Origin[name] = path
	}
	return nil
}

// takeSetting decodes one value into the field of patch that has that JSON name.
func takeSetting(patch *api.SettingsPatch, name string, value json.RawMessage) error {
	if !isSetting(name) {
		return fmt.Errorf("there is no setting %q", name)
	}
	if bytes.Equal(value, []byte("null")) {
		return fmt.Errorf("%s: null is no value", name)
	}
	one, err := json.Marshal(map[string]json.RawMessage{name: value})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(one, patch); err != nil {
		if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return fmt.Errorf("%s: %s where a %s belongs", name, kind.Value, kindName(kind.Type))
		}
		return err
	}
	return nil
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "true or false"
	}
	return "whole number"
}

// isSetting says whether a setting has that JSON name, exactly: encoding/json alone would also take
// another case.
func isSetting(name string) bool {
	for field := range reflect.TypeFor[api.SettingsPatch]().Fields() {
		if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); tag == name {
			return true
		}
	}
	return false
}

// keyOffset finds where a file speaks of name; at its beginning if it does not.
func keyOffset(text []byte, name string) int64 {
	return int64(max(0, bytes.Index(text, []byte(`"`+name+`"`))))
}

func jsonFault(path string, text []byte, offset int64, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return faultAt(path, text, syntax.Offset, syntax.Error())
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return faultAt(path, text, kind.Offset, fmt.Sprintf("%s: %s does not belong here", kind.Field, kind.Value))
	}
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return faultAt(path, text, keyOffset(text, strings.Trim(name, `"`)), "unknown field "+name)
	}
	if offset == 0 {
		offset = int64(len(text))
	}
	return faultAt(path, text, offset, err.Error())
}

// faultAt is an error in the form of compilers: file, line, reason.
func faultAt(path string, text []byte, offset int64, reason string) error {
	line := 1 + bytes.Count(text[:min(offset, int64(len(text)))], []byte("\n"))
	return fmt.Errorf("%s:%d: %s", path, line, reason)
}

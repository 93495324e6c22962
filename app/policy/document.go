package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tributary-dl/tributary/app/config"
	"github.com/tributary-dl/tributary/engine/api/bytesize"
)

// document is one policy as it was written, in whatever form. Its parts all have the shape
//
//	{"settings": {"sharing": "off", "upload_limit": 1000000}, "lock": ["sharing"]}
type document struct {
	name string // path, or key of the registry
	text []byte // nil: it has no lines
	root node
}

// node is a value in a document.
type node struct {
	offset int // of its first byte in the text
	value  any // string, json.Number, bool, nil, []node or []member; other things by what they are called
}

// member is a named value.
type member struct {
	key    string
	offset int
	value  node
}

// foreign is something that no policy holds, such as a date; it says what it is.
type foreign string

// decisions reads what the document decides.
func (d document) decisions() ([]decision, error) {
	parts, ok := d.root.value.([]member)
	if !ok {
		return nil, d.fault(d.root.offset, fmt.Sprintf("%s where an object with \"settings\" and \"lock\" belongs", kind(d.root.value)), "")
	}
	var all []decision
	seen := map[string]bool{}
	for _, part := range parts {
		if seen[part.key] {
			return nil, d.fault(part.offset, fmt.Sprintf("%q stands here twice", part.key), "keep one of them")
		}
		seen[part.key] = true
		var some []decision
		var err error
		switch part.key {
		case "settings":
			some, err = d.settings(part.value)
		case "lock":
			some, err = d.locks(part.value)
		default:
			err = d.unknownPart(part)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func (d document) unknownPart(part member) error {
	fix := suggest(part.key, []string{"settings", "lock"})
	if known(part.key) {
		fix = `put it inside "settings"`
	}
	return d.fault(part.offset, fmt.Sprintf("a policy has no part %q", part.key), fix)
}

func known(name string) bool { return fieldOf(name) >= 0 || name == controlURL }

func (d document) settings(n node) ([]decision, error) {
	members, ok := n.value.([]member)
	if !ok {
		return nil, d.fault(n.offset, fmt.Sprintf("settings: %s where an object belongs", kind(n.value)), "")
	}
	var list []decision
	seen := map[string]bool{}
	for _, m := range members {
		if !known(m.key) {
			return nil, d.fault(m.offset, fmt.Sprintf("there is no setting %q", m.key), suggest(m.key, names()))
		}
		if seen[m.key] {
			return nil, d.fault(m.offset, m.key+" is set twice", "keep one of them")
		}
		seen[m.key] = true
		value, reason, fix := valueOf(m.key, m.value.value)
		if reason != "" {
			return nil, d.fault(m.value.offset, m.key+": "+reason, fix)
		}
		list = append(list, decision{name: m.key, at: d.position(m.offset), value: value})
	}
	return list, nil
}

func (d document) locks(n node) ([]decision, error) {
	items, ok := n.value.([]node)
	if !ok {
		return nil, d.fault(n.offset, fmt.Sprintf("lock: %s where a list of settings belongs", kind(n.value)), `write ["sharing"], say`)
	}
	seen := map[string]bool{}
	var list []decision
	for _, item := range items {
		name, ok := item.value.(string)
		if !ok {
			return nil, d.fault(item.offset, fmt.Sprintf("lock: %s where the name of a setting belongs", kind(item.value)), "")
		}
		if !known(name) {
			return nil, d.fault(item.offset, fmt.Sprintf("lock: there is no setting %q", name), suggest(name, names()))
		}
		if !seen[name] { // to name one twice is harmless
			list = append(list, decision{name: name, at: d.position(item.offset)})
		}
		seen[name] = true
	}
	return list, nil
}

// valueOf turns what was written into the setting's type and checks it.
func valueOf(name string, written any) (value any, reason, fix string) {
	if written == nil {
		return nil, "null is no value", "leave the setting out to keep the default"
	}
	text, isText := written.(string)
	if name == controlURL {
		if !isText {
			return nil, kind(written) + " where a string belongs", ""
		}
		url, err := config.ControlURL(text)
		if err != nil {
			return nil, err.Error(), ""
		}
		return url, "", ""
	}
	target := typeOf(name)
	switch target.Kind() {
	case reflect.String:
		if !isText {
			return nil, kind(written) + " where a string belongs", ""
		}
		value = text
	case reflect.Bool:
		yes, ok := written.(bool)
		if !ok {
			return nil, kind(written) + " where true or false belongs", ""
		}
		value = yes
	default:
		number, ok := written.(json.Number)
		if !ok {
			return nil, kind(written) + " where a whole number belongs", wholeNumber(text)
		}
		n, err := strconv.ParseInt(number.String(), 10, target.Bits())
		if err != nil {
			return nil, fmt.Sprintf("%.40s is not a whole number of %d bits", number, target.Bits()), ""
		}
		value = n
	}
	var p Policy
	p.set(decision{name: name, value: value})
	if _, err := p.Settings.Check(); err != nil {
		return nil, strings.TrimPrefix(err.Error(), name+": "), ""
	}
	return value, "", ""
}

// wholeNumber is the fix for a number that was written as a text, "10M" or "3".
func wholeNumber(text string) string {
	if n, err := bytesize.Parse(text); err == nil {
		return "write " + strconv.FormatInt(n, 10)
	}
	return ""
}

// kind says in plain words what was written.
func kind(value any) string {
	switch v := value.(type) {
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case bool:
		return strconv.FormatBool(v)
	case []node:
		return "a list"
	case []member:
		return "an object"
	case foreign:
		return string(v)
	}
	return "null"
}

func (d document) fault(offset int, reason, fix string) *FaultError {
	return &FaultError{At: d.position(offset), Reason: reason, Fix: fix}
}

// position counts lines and characters up to a byte of the text.
func (d document) position(offset int) Position {
	if d.text == nil {
		return Position{File: d.name}
	}
	before := d.text[:min(max(offset, 0), len(d.text))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return Position{File: d.name, Line: 1 + bytes.Count(before, []byte("\n")), Column: 1 + utf8.RuneCount(before[start:])}
}

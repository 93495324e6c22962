// Package policy reads what an administrator has decided about the settings of a service: files, the registry of
// Windows, managed preferences of macOS. It turns them into one Policy, or says in which file, line and column it cannot.
// It must never guess what a malformed policy means, change anything, or know the engine.
package policy

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/tributary-dl/tributary/engine/api"
)

// Policy is what an administrator decided. A value that is locked holds whatever the user wants; one that is not
// locked only takes the place of the default. A setting that is locked without a value keeps its default.
type Policy struct {
	Settings   api.SettingsPatch
	ControlURL string            // of the control plane; "" leaves it to each manifest
	Locked     map[string]bool   // by name of the setting
	Origin     map[string]string // by name: file and line that decided
	Notes      map[string]string // by name: which other places disagree about a locked setting
}

// controlURL is the one setting that is not the user's: which control plane to use.
const controlURL = "control_url"

// Position is a place in a policy.
type Position struct {
	File         string // or key of the registry
	Line, Column int    // from 1, in characters; 0 where there are no lines
}

// String is the position in the form of compilers, without the column.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// FaultError is what is wrong with a policy.
type FaultError struct {
	At     Position
	Reason string
	Fix    string // what to write instead; "" if nobody can know
}

func (f *FaultError) Error() string {
	at := f.At.String()
	if f.At.Column > 0 {
		at = fmt.Sprintf("%s:%d", at, f.At.Column)
	}
	if f.Fix == "" {
		return at + ": " + f.Reason
	}
	return at + ": " + f.Reason + "; " + f.Fix
}

// decision is what one place says about one setting.
type decision struct {
	name  string
	at    Position
	value any // string, bool or int64; nil: it is only locked
}

// merge puts decisions together, in the order of their weight: the last value wins, and what one has locked stays
// locked. Where they disagree about a locked setting, the policy's notes name the others.
func merge(decisions []decision) Policy {
	p := Policy{Locked: map[string]bool{}, Origin: map[string]string{}, Notes: map[string]string{}}
	values := map[string][]decision{}
	for _, d := range decisions {
		if d.value == nil {
			p.Locked[d.name] = true
			if p.Origin[d.name] == "" {
				p.Origin[d.name] = d.at.String()
			}
			continue
		}
		values[d.name] = append(values[d.name], d)
		p.Origin[d.name] = d.at.String()
		p.set(d)
	}
	for name := range p.Locked {
		if note := overruled(values[name]); note != "" {
			p.Notes[name] = note
		}
	}
	return p
}

// set takes over a value; its name and type have been checked.
func (p *Policy) set(d decision) {
	if d.name == controlURL {
		p.ControlURL = d.value.(string)
		return
	}
	value := reflect.New(typeOf(d.name))
	value.Elem().Set(reflect.ValueOf(d.value).Convert(value.Elem().Type()))
	reflect.ValueOf(&p.Settings).Elem().Field(fieldOf(d.name)).Set(value)
}

// overruled names the values that the last one overrules; "" if all say the same.
func overruled(values []decision) string {
	var others []string
	for _, d := range values[:max(0, len(values)-1)] {
		if d.value != values[len(values)-1].value {
			others = append(others, fmt.Sprintf("%s says %s", d.at, shown(d)))
		}
	}
	if len(others) == 0 {
		return ""
	}
	return strings.Join(others, ", ") + "; the last one read holds"
}

func shown(d decision) string {
	if d.name == "proxy" {
		return api.RedactProxy(fmt.Sprint(d.value))
	}
	return fmt.Sprint(d.value)
}

// Conflicts lists the locked settings about which several places disagree, a sentence each.
func (p Policy) Conflicts() []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(p.Notes)) {
		list = append(list, fmt.Sprintf("%s is decided by %s, but %s", name, p.Origin[name], p.Notes[name]))
	}
	return list
}

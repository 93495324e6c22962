// Package scenario says as data what the laboratory plays: who stands behind which line and router, who holds the file, who
// comes when, who leaves, what breaks, and what the result should be. It reads the files, draws the chances in them from
// a seed, and works out what arithmetic allows. It must never start or measure anything: that is package arena.
package scenario

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/tributary-dl/tributary/app/lab"
)

// Scenario is one file of data. Rates are Mbit/s on the wire, times are seconds.
type Scenario struct {
	Name    string  `json:"name"`  // as the file: lower-case letters, digits and -
	Title   string  `json:"title"` // one line for tables
	About   string  `json:"about"` // what is tried, for people
	SizeMiB float64 `json:"size_mib"`
	Policy  string  `json:"policy"`           // the publisher's: speed or offload
	Edge    Line    `json:"edge"`             // Up is what the edge can send
	Sites   []Site  `json:"sites,omitempty"`  // places whose members share a line
	Groups  []Group `json:"groups"`           // the members
	Churn   *Churn  `json:"churn,omitempty"`  // who leaves at random
	Events  []Event `json:"events,omitempty"` // what breaks
	// Courtesy is a group whose first member's other traffic is measured while it uploads; the downloads end with that.
	Courtesy string   `json:"courtesy,omitempty"`
	Beside   []string `json:"beside,omitempty"`   // other programs worth a comparison
	Goals    []Goal   `json:"goals"`              // what the result should be
	Patience float64  `json:"patience,omitempty"` // a run that takes longer has failed; default 120 (see TimeLimit)
	Seed     uint64   `json:"seed,omitempty"`     // of the first run; each further run adds one
	NoHelp   bool     `json:"no_help,omitempty"`  // peers are not expected to bring anything here
}

// Line is a rate in both directions, from the payer's side.
type Line struct {
	Down float64 `json:"down"`
	Up   float64 `json:"up"`
}

// Site is a home or an office with one line for all.
type Site struct {
	Name string `json:"name"`
	NAT  string `json:"nat"`
	Line Line   `json:"line"`
}

// Group is members of one kind.
type Group struct {
	Name    string  `json:"name"` // members are called by it and a number
	Count   int     `json:"count"`
	Line    Line    `json:"line"`
	NAT     string  `json:"nat,omitempty"`     // default: none, or the site's
	Site    string  `json:"site,omitempty"`    // Line is then the cable in the site
	Holds   float64 `json:"holds,omitempty"`   // share of the group that has the file at the beginning, and does not download
	Sharing float64 `json:"sharing,omitempty"` // share of the group that uploads
	Fault   string  `json:"fault,omitempty"`   // what is wrong with those who hold the file: frozen or lying
	Arrive  Arrive  `json:"arrive,omitzero"`   // of those who download
}

// Arrive says when those who download begin.
type Arrive struct {
	How     string  `json:"how,omitempty"`     // together (default), within, poisson
	Seconds float64 `json:"seconds,omitempty"` // within: all of them; poisson: mean between two
}

// Churn kills a share of all members at moments drawn from the first Seconds.
type Churn struct {
	Share   float64 `json:"share"`
	Seconds float64 `json:"seconds"`
	Group   string  `json:"group,omitempty"` // only of this group
}

// Event happens once the first member that downloads has received a share of the file.
type Event struct {
	At    float64 `json:"at"` // share of the file, 0 to 1
	Do    string  `json:"do"` // one of the Do constants
	Group string  `json:"group,omitempty"`
}

// What may happen.
const (
	DoKillEdge    = "kill edge"    // SIGKILL, and the control plane in the same process with it
	DoEdgeTrickle = "edge trickle" // answers go on at 1 byte a second
	DoEdge503     = "edge 503"     // requests for bytes are answered with 503, those under way are broken off
	DoEdgeReset   = "edge reset"   // requests for bytes are reset
	DoKillGroup   = "kill group"   // SIGKILL to every member of a group
)

// Faults of members that hold the file.
const (
	FaultFrozen = "frozen" // SIGSTOP: connections stand, nothing is answered
	FaultLying  = "lying"  // the bytes on its disk are altered after it verified them
)

// Goal bounds a figure. One of AtMost and AtLeast is given.
type Goal struct {
	Figure  string   `json:"figure"`
	AtMost  *float64 `json:"at_most,omitempty"`
	AtLeast *float64 `json:"at_least,omitempty"`
	Note    string   `json:"note,omitempty"`
}

// Met says whether a value is within the bound.
func (g Goal) Met(value float64) bool {
	return (g.AtMost == nil || value <= *g.AtMost) && (g.AtLeast == nil || value >= *g.AtLeast)
}

// Bounds of what a file may ask for: above them it is a slip, and a machine would suffer.
const (
	maxMembers = 100
	maxSizeMiB = 4096
	maxSeconds = 600
	maxMbit    = 100_000
)

// Read reads one scenario and checks it. A field that is not known is an error: half-understood data would measure
// something else than it says.
func Read(r io.Reader) (Scenario, error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	var s Scenario
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("read scenario: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return s, errors.New("read scenario: something follows it")
	}
	if err := s.check(); err != nil {
		return s, fmt.Errorf("scenario %q: %w", s.Name, err)
	}
	return s, nil
}

//go:embed data/*.json
var files embed.FS

// All returns the scenarios that come with the program, by name.
func All() ([]Scenario, error) {
	entries, err := files.ReadDir("data")
	if err != nil {
		return nil, err
	}
	var all []Scenario
	for _, entry := range entries {
		text, err := files.ReadFile(path.Join("data", entry.Name()))
		if err != nil {
			return nil, err
		}
		s, err := Read(bytes.NewReader(text))
		if err == nil && s.Name+".json" != entry.Name() {
			err = fmt.Errorf("scenario %q is in the file %s", s.Name, entry.Name())
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		all = append(all, s)
	}
	return all, nil
}

// Choose returns the scenarios that names ask for, in the order of all: "c-speed" is one, "c" all that begin with
// "c-". No name means all.
func Choose(all []Scenario, names []string) ([]Scenario, error) {
	if len(names) == 0 {
		return all, nil
	}
	asksFor := func(name string, s Scenario) bool {
		return s.Name == name || strings.HasPrefix(s.Name, name+"-")
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(s Scenario) bool { return asksFor(name, s) }) {
			return nil, fmt.Errorf("there is no scenario %q", name)
		}
	}
	var chosen []Scenario
	for _, s := range all {
		if slices.ContainsFunc(names, func(name string) bool { return asksFor(name, s) }) {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

// TimeLimit says when a run has failed.
func (s Scenario) TimeLimit() time.Duration {
	const ordinary = 120
	return seconds(cmp.Or(s.Patience, ordinary))
}

// Size returns the file's size in bytes.
func (s Scenario) Size() int64 { return int64(s.SizeMiB * (1 << 20)) }

// BreaksEdge says whether an edge is needed that can be broken without being killed.
func (s Scenario) BreaksEdge() bool {
	return slices.ContainsFunc(s.Events, func(e Event) bool {
		return e.Do == DoEdgeTrickle || e.Do == DoEdge503 || e.Do == DoEdgeReset
	})
}

// EndsEdge says whether an event makes the edge useless.
func (s Scenario) EndsEdge() bool {
	return s.BreaksEdge() || slices.ContainsFunc(s.Events, func(e Event) bool { return e.Do == DoKillEdge })
}

func (s Scenario) check() error {
	if !validName(s.Name) {
		return errors.New("a name has lower-case letters, digits and hyphens")
	}
	if s.Title == "" || s.About == "" {
		return errors.New("title and about must say what it is")
	}
	if s.Policy != "speed" && s.Policy != "offload" {
		return fmt.Errorf("policy %q is neither speed nor offload", s.Policy)
	}
	if !within(s.SizeMiB, 1.0/16, maxSizeMiB) {
		return fmt.Errorf("size_mib %v is not within 1/16 and %d", s.SizeMiB, maxSizeMiB)
	}
	if s.Patience != 0 && !within(s.Patience, 1, maxSeconds) {
		return fmt.Errorf("patience %v is not within 1 and %d", s.Patience, maxSeconds)
	}
	if err := s.Edge.check("edge"); err != nil {
		return err
	}
	sites := map[string]bool{}
	for _, site := range s.Sites {
		if err := site.check(); err != nil {
			return err
		}
		if sites[site.Name] {
			return fmt.Errorf("there are two sites %q", site.Name)
		}
		sites[site.Name] = true
	}
	if err := s.checkGroups(sites); err != nil {
		return err
	}
	if err := s.checkTroubles(); err != nil {
		return err
	}
	if s.Courtesy != "" && !s.has(s.Courtesy) {
		return fmt.Errorf("courtesy of %q: there is no such group", s.Courtesy)
	}
	for _, g := range s.Goals {
		if err := g.check(); err != nil {
			return err
		}
	}
	return nil
}

func (s Scenario) checkGroups(sites map[string]bool) error {
	members, downloads := 0, false
	names := map[string]bool{}
	for _, g := range s.Groups {
		if err := g.check(sites); err != nil {
			return fmt.Errorf("group %q: %w", g.Name, err)
		}
		if names[g.Name] {
			return fmt.Errorf("there are two groups %q", g.Name)
		}
		names[g.Name] = true
		members += g.Count
		downloads = downloads || g.holders() < g.Count
	}
	switch {
	case members > maxMembers:
		return fmt.Errorf("%d members are more than %d", members, maxMembers)
	case !downloads:
		return errors.New("nobody downloads")
	}
	return nil
}

func (s Scenario) has(group string) bool {
	return slices.ContainsFunc(s.Groups, func(g Group) bool { return g.Name == group })
}

func (s Scenario) checkTroubles() error {
	if c := s.Churn; c != nil {
		if !within(c.Share, 0, 1) || !within(c.Seconds, 0, maxSeconds) || c.Group != "" && !s.has(c.Group) {
			return fmt.Errorf("churn %+v: share, seconds or group make no sense", *c)
		}
	}
	edgeTroubles := 0
	for _, e := range s.Events {
		if !within(e.At, 0, 1) {
			return fmt.Errorf("event %q: at %v is not a share of the file", e.Do, e.At)
		}
		switch e.Do {
		case DoKillEdge, DoEdgeTrickle, DoEdge503, DoEdgeReset:
			if e.Group != "" {
				return fmt.Errorf("event %q happens to no group", e.Do)
			}
			if edgeTroubles++; edgeTroubles > 1 {
				return errors.New("the edge can be broken only once")
			}
		case DoKillGroup:
			if !s.has(e.Group) {
				return fmt.Errorf("event %q: there is no group %q", e.Do, e.Group)
			}
		default:
			return fmt.Errorf("event %q is not known", e.Do)
		}
	}
	return nil
}

func (l Line) check(whose string) error {
	if !within(l.Down, 0.001, maxMbit) || !within(l.Up, 0.001, maxMbit) {
		return fmt.Errorf("line of %s: %v down and %v up are not rates in Mbit/s", whose, l.Down, l.Up)
	}
	return nil
}

func (site Site) check() error {
	if !validName(site.Name) || strings.Contains(site.Name, "-") {
		return fmt.Errorf("site %q: a name has lower-case letters and digits", site.Name)
	}
	if !slices.Contains(lab.NATs, lab.NAT(site.NAT)) || site.NAT == string(lab.NATNone) {
		return fmt.Errorf("site %q: there is no NAT %q", site.Name, site.NAT)
	}
	return site.Line.check(site.Name)
}

func (g Group) check(sites map[string]bool) error {
	switch {
	case !validName(g.Name) || strings.Contains(g.Name, "-") || strings.Trim(g.Name[len(g.Name)-1:], "0123456789") == "":
		return errors.New("a name has lower-case letters and digits, and no digit at its end")
	case g.Count < 1 || g.Count > maxMembers:
		return fmt.Errorf("%d members", g.Count)
	case !within(g.Holds, 0, 1) || !within(g.Sharing, 0, 1):
		return fmt.Errorf("holds %v and sharing %v are shares from 0 to 1", g.Holds, g.Sharing)
	case g.Fault != "" && g.Fault != FaultFrozen && g.Fault != FaultLying:
		return fmt.Errorf("fault %q is not known", g.Fault)
	case g.Fault != "" && g.Holds != 1:
		return errors.New("a fault is of members that hold the file: holds must be 1")
	case g.Site != "" && !sites[g.Site]:
		return fmt.Errorf("there is no site %q", g.Site)
	case g.Site != "" && g.NAT != "":
		return errors.New("in a site the NAT is the site's")
	case g.NAT != "" && !slices.Contains(lab.NATs, lab.NAT(g.NAT)):
		return fmt.Errorf("there is no NAT %q", g.NAT)
	}
	if err := g.Arrive.check(); err != nil {
		return err
	}
	return g.Line.check("each")
}

func (a Arrive) check() error {
	switch a.How {
	case "", "together":
		if a.Seconds != 0 {
			return errors.New("who arrives together needs no seconds")
		}
	case "within", "poisson":
		if !within(a.Seconds, 0.001, maxSeconds) {
			return fmt.Errorf("arrive %s: %v seconds", a.How, a.Seconds)
		}
	default:
		return fmt.Errorf("arrive %q is none of together, within, poisson", a.How)
	}
	return nil
}

func (g Goal) check() error {
	if !slices.Contains(Figures, g.Figure) {
		return fmt.Errorf("goal: there is no figure %q", g.Figure)
	}
	if (g.AtMost == nil) == (g.AtLeast == nil) {
		return fmt.Errorf("goal %q: one of at_most and at_least", g.Figure)
	}
	return nil
}

// within is false for what is no number, too.
func within(v, from, to float64) bool { return !math.IsNaN(v) && v >= from && v <= to }

func validName(name string) bool {
	return name != "" && len(name) <= 40 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

package scenario

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func all(t *testing.T) []Scenario {
	t.Helper()
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("there are no scenarios")
	}
	return all
}

func named(t *testing.T, name string) Scenario {
	t.Helper()
	chosen, err := Choose(all(t), []string{name})
	if err != nil || len(chosen) != 1 {
		t.Fatalf("Choose(%s) = %d scenarios, %v", name, len(chosen), err)
	}
	return chosen[0]
}

func TestChoose(t *testing.T) {
	scenarios := all(t)
	for _, test := range []struct {
		names []string
		want  int
		fault bool
	}{
		{nil, len(scenarios), false},
		{[]string{"b"}, 1, false},
		{[]string{"c"}, 2, false},
		{[]string{"c-speed", "b"}, 2, false},
		{[]string{"c-speed", "c"}, 2, false},
		{[]string{"c-"}, 0, true},
		{[]string{"b", "zebra"}, 0, true},
	} {
		got, err := Choose(scenarios, test.names)
		if len(got) != test.want || (err != nil) != test.fault {
			t.Errorf("Choose(%q) = %d scenarios, %v; want %d, fault %v", test.names, len(got), err, test.want, test.fault)
		}
	}
}

// valid is a scenario that is good until a test changes it.
const valid = `{"name":"x","title":"X","about":"It is tried.","size_mib":8,"policy":"speed","edge":{"down":100,"up":10},
	"sites":[{"name":"home","nat":"portcone","line":{"down":20,"up":20}}],
	"groups":[{"name":"user","count":2,"line":{"down":10,"up":5},"site":"home"}],
	"goals":[{"figure":"offload","at_least":0.5}]}`

func TestReadSaysWhatIsWrong(t *testing.T) {
	if _, err := Read(strings.NewReader(valid)); err != nil {
		t.Fatalf("Read(valid) = %v", err)
	}
	for _, test := range []struct{ from, to, want string }{
		{`"name":"x"`, `"name":"X y"`, "lower-case"},
		{`"title":"X"`, `"titel":"X"`, "unknown field"},
		{`"title":"X",`, ``, "title and about"},
		{`"policy":"speed"`, `"policy":"haste"`, "neither speed nor offload"},
		{`"size_mib":8`, `"size_mib":0`, "size_mib"},
		{`"size_mib":8`, `"size_mib":1e300`, "size_mib"},
		{`"up":10}`, `"up":0}`, "line of edge"},
		{`"up":10}`, `"up":-3}`, "line of edge"},
		{`"portcone"`, `"pipe"`, `no NAT "pipe"`},
		{`"count":2`, `"count":0`, "0 members"},
		{`"count":2`, `"count":101`, "101 members"},
		{`"count":2`, `"count":2,"holds":1`, "nobody downloads"},
		{`"count":2`, `"count":2,"holds":1.5`, "shares from 0 to 1"},
		{`"count":2`, `"count":2,"fault":"lying"`, "holds must be 1"},
		{`"count":2`, `"count":2,"fault":"lazy"`, `fault "lazy"`},
		{`"count":2`, `"count":2,"nat":"portcone"`, "the NAT is the site's"},
		{`"site":"home"`, `"site":"work"`, `no site "work"`},
		{`"site":"home"`, `"arrive":{"how":"late"}`, `arrive "late"`},
		{`"site":"home"`, `"arrive":{"how":"poisson"}`, "0 seconds"},
		{`"name":"user"`, `"name":"user1"`, "no digit at its end"},
		{`"name":"user"`, `"name":"us-er"`, "no digit at its end"},
		{`"goals"`, `"churn":{"share":2,"seconds":1},"goals"`, "churn"},
		{`"goals"`, `"events":[{"at":2,"do":"kill edge"}],"goals"`, "not a share"},
		{`"goals"`, `"events":[{"at":0,"do":"rain"}],"goals"`, `"rain" is not known`},
		{`"goals"`, `"events":[{"at":0,"do":"kill group","group":"none"}],"goals"`, `no group "none"`},
		{`"goals"`, `"events":[{"at":0,"do":"kill edge","group":"user"}],"goals"`, "happens to no group"},
		{`"figure":"offload"`, `"figure":"beauty"`, `no figure "beauty"`},
		{`,"at_least":0.5`, ``, "one of at_most and at_least"},
		{`"at_least":0.5}]}`, `"at_least":0.5}]} {}`, "something follows"},
	} {
		text := strings.Replace(valid, test.from, test.to, 1)
		if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s → %s: Read() = %v; want %q in it", test.from, test.to, err, test.want)
		}
	}
}

// Whatever is in a file, it is refused or it can be drawn and has limits.
func FuzzRead(f *testing.F) {
	f.Add([]byte(valid))
	for _, name := range []string{"b", "c-offload", "e-slope"} {
		text, err := files.ReadFile("data/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		if members := s.Draw(1); len(members) == 0 || len(members) > maxMembers {
			t.Fatalf("%d members", len(members))
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Read(bytes.NewReader(again)); err != nil {
			t.Fatalf("what was read is refused: %v", err)
		}
	})
}

func TestDraw(t *testing.T) {
	s := named(t, "e-speed")
	first := s.Draw(1)
	if diff := cmp.Diff(first, s.Draw(1)); diff != "" {
		t.Errorf("the same seed gives other members:\n%s", diff)
	}
	if cmp.Equal(first, s.Draw(2)) {
		t.Error("another seed gives the same members")
	}
	s.Groups[0].Sharing, s.Groups[0].Holds = 0.31, 0.3
	s.Churn = &Churn{Share: 0.1, Seconds: 20}
	var holds, shares, leaves int
	for _, m := range s.Draw(3) {
		if m.Arrives < 0 || m.Arrives > 5*time.Second || m.Holds && m.Arrives != 0 {
			t.Errorf("%s arrives at %s", m.Name, m.Arrives)
		}
		for is, count := range map[*int]bool{&holds: m.Holds, &shares: m.Shares, &leaves: m.Leaves > 0} {
			if count {
				*is++
			}
		}
	}
	if holds != 6 || shares != 6 || leaves != 2 {
		t.Errorf("%d hold, %d share, %d leave; want 6, 6, 2", holds, shares, leaves)
	}
}

// The simulation agrees with the formulas where there are some.
func TestLimits(t *testing.T) {
	const mbit = (1 << 20) * 8 / 1e6
	for _, test := range []struct {
		name    string
		time    float64
		offload float64
	}{
		{"b", 200 * mbit / 80, 1},
		{"c-speed", 160 * mbit / 60, 20.0 / 60},
		{"c-offload", 140 * mbit / 40, 20.0 / 40},
		{"g", 30 * mbit / 20, 1 - 1.0/20},
		{"e-slope", 20 * mbit / 10, 1 - 1.0/20},
	} {
		s := named(t, test.name)
		got := s.LimitsOf(s.Draw(1))
		if !near(got.Time, test.time) || !near(got.Offload, test.offload) {
			t.Errorf("%s: %.2f s and offload %.3f; want %.2f and %.3f", test.name, got.Time, got.Offload, test.time, test.offload)
		}
	}
	// All at once: N·S/(u_edge + sum of u).
	s := named(t, "e-speed")
	s.Groups[0].Arrive = Arrive{}
	if got, want := s.LimitsOf(s.Draw(1)).Time, 20*40*mbit/250; !near(got, want) {
		t.Errorf("a crowd of 20: %.2f s; want %.2f", got, want)
	}
	for name, want := range map[string]float64{"e-offload": 20 * 40 * mbit / 250, "e-slope": 20 * mbit / 10, "b": 0} {
		s := named(t, name)
		if got := s.LimitsOf(s.Draw(1)).Crowd; !near(got, want) {
			t.Errorf("%s: the bound of the crowd is %.2f s; want %.2f", name, got, want)
		}
	}
}

// Whoever plays slower meets the same limits: the same offload, and times that are longer by as much.
func TestSlowerKeepsRatios(t *testing.T) {
	const times = 3
	for _, s := range all(t) {
		slow, err := s.Slower(times)
		if err != nil {
			t.Fatal(err)
		}
		members, slowly := s.Draw(1), slow.Draw(1)
		for i, m := range members {
			m.Arrives, m.Leaves, m.Line = times*m.Arrives, times*m.Leaves, m.Line.slower(times)
			if late := slowly[i].Arrives - m.Arrives; late.Abs() > time.Microsecond {
				t.Errorf("%s: %s arrives at %s; want %s", s.Name, m.Name, slowly[i].Arrives, m.Arrives)
			}
			if late := slowly[i].Leaves - m.Leaves; late.Abs() > 3*time.Millisecond {
				t.Errorf("%s: %s leaves at %s; want %s", s.Name, m.Name, slowly[i].Leaves, m.Leaves)
			}
			m.Arrives, m.Leaves = slowly[i].Arrives, slowly[i].Leaves
			if diff := cmp.Diff(m, slowly[i]); diff != "" {
				t.Errorf("%s: another member:\n%s", s.Name, diff)
			}
		}
		want, got := s.LimitsOf(members), slow.LimitsOf(slowly)
		if math.Abs(got.Time-times*want.Time) > 0.01*got.Time+2*times*step || math.Abs(got.Offload-want.Offload) > 0.02 {
			t.Errorf("%s: limits %+v; at the true pace %+v", s.Name, got, want)
		}
		if slow.TimeLimit() != times*s.TimeLimit() {
			t.Errorf("%s: patience %s; want %s", s.Name, slow.TimeLimit(), times*s.TimeLimit())
		}
	}
	for _, wrong := range []float64{0, 0.5, -2, 11, math.NaN(), math.Inf(1)} {
		if _, err := named(t, "b").Slower(wrong); err == nil {
			t.Errorf("Slower(%v) is taken", wrong)
		}
	}
}

func near(a, b float64) bool { return math.Abs(a-b) <= 0.01*b }

func TestGoalsCanBeMet(t *testing.T) {
	for _, s := range all(t) {
		for _, g := range s.Goals {
			bound := g.AtMost
			if bound == nil {
				bound = g.AtLeast
			}
			if !g.Met(*bound) {
				t.Errorf("%s: %s is not met by its own bound", s.Name, g.Figure)
			}
		}
		if slices.Contains(s.Beside, "tributary") {
			t.Errorf("%s: ours plays beside itself", s.Name)
		}
	}
}

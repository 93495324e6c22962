package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/app/arena"
	"github.com/tributary-dl/tributary/app/lab"
	"github.com/tributary-dl/tributary/app/scenario"
)

// tiny is over in two seconds, and needs edge and peers for that.
const tiny = `{"name":"tiny","title":"Tiny","about":"It is tried whether the laboratory works.","size_mib":10,"policy":"speed",
	"edge":{"down":100,"up":20},
	"groups":[{"name":"peer","count":2,"line":{"down":100,"up":20},"nat":"portcone","holds":1,"sharing":1},
	          {"name":"user","count":1,"line":{"down":80,"up":20},"nat":"portcone"}],
	"beside":["curl","wget2"],
	"goals":[{"figure":"completed","at_least":1},{"figure":"time_over_edge_only","at_most":1}]}`

// The whole laboratory, once: network, programs, a rival that is there and one that is not, table, JSON and page. Then it
// is stopped in the middle. Nothing is left of it either way.
func TestLaboratory(t *testing.T) {
	if err := lab.Supported(); err != nil {
		t.Skip(err)
	}
	o := options{programs: buildPrograms(t), runs: 1, out: t.TempDir(), busy: 1.1, slower: 1, table: io.Discard, say: t.Output()}
	o.file = filepath.Join(t.TempDir(), "tiny.json")
	if err := os.WriteFile(o.file, []byte(tiny), 0o600); err != nil {
		t.Fatal(err)
	}
	onlyTools(t, "ip", "tc", "nft", "sh", "curl")
	if err := trial(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t)
	checkResults(t, o.out)

	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if err := trial(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stopped in the middle: %v; want that the time is over", err)
	}
	nothingLeft(t)
}

func checkResults(t *testing.T, folder string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, jsonName))
	if err != nil {
		t.Fatal(err)
	}
	var got report
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Outcomes) != 1 || len(got.Outcomes[0].Missing) == 0 || !strings.Contains(got.Outcomes[0].Missing[len(got.Outcomes[0].Missing)-1], "wget2") {
		t.Fatalf("outcomes: %+v; want one, without wget2", got.Outcomes)
	}
	o := got.Outcomes[0]
	mine := o.of(arena.Ours)
	if len(mine) != 1 {
		t.Fatalf("%d runs of ours count; want 1", len(mine))
	}
	figures := mine[0].Figures
	if figures["completed"] != 1 || figures["offload"] <= 0.1 || figures["offload"] > 1 || figures["time_over_limit"] < 1 || len(mine[0].Series) < 10 {
		t.Errorf("figures %v, %d samples; want the file, some of it from peers, no sooner than arithmetic allows", figures, len(mine[0].Series))
	}
	if r := o.of("curl"); len(r) == 1 && (r[0].Figures["offload"] > 0.01 || r[0].Figures["completed"] != 1) {
		t.Errorf("curl: %v; want all from the edge", r[0].Figures)
	}
	table, err := os.ReadFile(filepath.Join(folder, tableName))
	if err != nil || !strings.Contains(string(table), "\n| tiny |") {
		t.Errorf("table: %q, %v; want a row for the scenario", table, err)
	}
	if figures["cpu_s"] <= 0 || figures["edge_cpu_s"] <= 0 || figures["cpu_ms_per_mb"] <= 0 {
		t.Errorf("figures %v; want the processor time that the programs took", figures)
	}
	page, err := os.ReadFile(filepath.Join(folder, pageName))
	if err != nil || !strings.Contains(string(page), "<svg") || !strings.Contains(string(page), "tiny") {
		t.Errorf("page: %d bytes, %v; want one with a plot", len(page), err)
	}
}

func TestSpread(t *testing.T) {
	for want, list := range map[string][]float64{"–": nil, "2": {2}, "2 [1–3.5]": {1, 3.5, 2}} {
		if got := spread(list, number); got != want {
			t.Errorf("spread(%v) = %q; want %q", list, got, want)
		}
	}
}

// The row that goes into RESULTS.md says how many runs count, and above it stands that they were slower than real.
func TestMarkdown(t *testing.T) {
	bound := 1.1
	result := func(name, void string, seconds float64) *arena.Result {
		return &arena.Result{Contestant: name, Void: void, Limits: scenario.Limits{Offload: 0.5},
			Figures: map[string]float64{"last_s": seconds, "time_over_limit": seconds / 10, "offload": 0.4}}
	}
	o := Outcome{
		Scenario: scenario.Scenario{Name: "x", Goals: []scenario.Goal{{Figure: "time_over_limit", AtMost: &bound}}},
		Results: []*arena.Result{result(arena.Ours, "", 10), result(arena.Ours, "busy", 99), result(arena.Ours, "", 13), result(arena.Ours, "", 12),
			result("curl", "", 20)},
	}
	o.judge()
	r := report{Slower: 2, TCP: "cubic", Outcomes: []Outcome{o}}
	got := r.markdown()
	for _, want := range []string{
		"PLAYED 2 TIMES SLOWER", "of the edge too: cubic.",
		"\n| x | 12 [10–13] | 1.2 [1–1.3] | 40.0% [40.0%–40.0%] (50) | – | – | – | – | 3 of 4 | MISSED: time_over_limit 1.2 [1–1.3] (≤ 1.1) | curl 20 s at 40.0% |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("markdown() = %s\nwant %s in it", got, want)
		}
	}
	if r.Slower = 1; strings.Contains(r.markdown(), "SLOWER") {
		t.Error("what was played at its own pace is called slower")
	}
}

// buildPrograms builds what is played with.
func buildPrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, pkg := range map[string]string{"tributary-control": "../../control", "tributaryd": "../tributaryd", "tributaryctl": "../tributaryctl"} {
		build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, name), pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	return dir
}

// onlyTools leaves of this machine's programs only these, as far as they are installed.
func onlyTools(t *testing.T, tools ...string) {
	t.Helper()
	dir := t.TempDir()
	for _, tool := range tools {
		path, err := exec.LookPath(tool)
		if err != nil {
			continue
		}
		if err := os.Symlink(path, filepath.Join(dir, tool)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

func nothingLeft(t *testing.T) {
	t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "ip", "netns", "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	if mine := fmt.Sprintf("tributary-%d-", os.Getpid()); strings.Contains(string(out), mine) {
		t.Errorf("network namespaces are left:\n%s", out)
	}
}

// Only who brought everybody the file is a rival.
func TestTimeOverRivals(t *testing.T) {
	result := func(seconds, completed float64) *arena.Result {
		return &arena.Result{Figures: map[string]float64{"last_s": seconds, "completed": completed}}
	}
	pair := map[string]*arena.Result{arena.Ours: result(10, 1), arena.Alone: result(2, 1), "curl": result(40, 1), "aria2-bt": result(20, 1), "libtorrent": result(5, 0.9)}
	relate(pair)
	if got := pair[arena.Ours].Figures["time_over_rivals"]; got != 0.5 {
		t.Errorf("time over rivals %v; want that over aria2, 0.5", got)
	}
	pair = map[string]*arena.Result{arena.Ours: result(10, 1), "libtorrent": result(5, 0)}
	relate(pair)
	if got, ok := pair[arena.Ours].Figures["time_over_rivals"]; ok {
		t.Errorf("time over rivals %v, where nobody else brought the file", got)
	}
}

func TestTicksAreRound(t *testing.T) {
	for limit, want := range map[float64]string{1: "[0 0.25 0.5 0.75 1]", 84: "[0 10 20 30 40 50 60 70 80]", 23: "[0 5 10 15 20]", 262.5: "[0 50 100 150 200 250]"} {
		if got := fmt.Sprint(ticks(limit)); got != want {
			t.Errorf("ticks(%v) = %s; want %s", limit, got, want)
		}
	}
}

func TestThinKeepsTheMean(t *testing.T) {
	var series []arena.Sample
	for i := range 1000 {
		series = append(series, arena.Sample{At: float64(i), Edge: 10, Peers: float64(i % 2)})
	}
	thinned := thin(series)
	if len(thinned) > maxPoints || thinned[len(thinned)-1].At != 999 {
		t.Fatalf("%d points, the last at %v", len(thinned), thinned[len(thinned)-1].At)
	}
	for _, s := range thinned {
		if s.Edge != 10 || s.Peers < 0.3 || s.Peers > 0.7 {
			t.Errorf("point %+v; want edge 10 and peers about 0.5", s)
		}
	}
}

func TestMedian(t *testing.T) {
	for want, list := range map[float64][]float64{0: nil, 2: {3, 1, 2}, 2.5: {4, 1, 2, 3}} {
		if got := median(list); got != want {
			t.Errorf("median(%v) = %v; want %v", list, got, want)
		}
	}
}

package arena

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/app/fleet"
	"github.com/tributary-dl/tributary/app/lab"
	"github.com/tributary-dl/tributary/app/scenario"
)

// Options say how to run.
type Options struct {
	Programs fleet.Programs
	Keep     string  // folder that gets the data and debug logs of every run; "": nothing is kept
	Busy     float64 // share of all processors above which a run is void
}

// Result is one run of one contestant.
type Result struct {
	Scenario   string             `json:"scenario"`
	Contestant string             `json:"contestant"`
	Seed       uint64             `json:"seed"`
	Void       string             `json:"void,omitempty"` // why it is not worth anything
	Limits     scenario.Limits    `json:"limits"`
	Figures    map[string]float64 `json:"figures"`           // those of scenario.Figures that apply, and the others that the package names
	Members    []MemberResult     `json:"members"`           // who downloaded
	Remarks    []string           `json:"remarks,omitempty"` // what a reader must know
	Series     []Sample           `json:"series"`
	Events     []float64          `json:"events,omitempty"` // seconds, when they happened
	Folder     string             `json:"folder,omitempty"` // with Options.Keep
}

// MemberResult is one download.
type MemberResult struct {
	Name    string  `json:"name"`
	Arrived float64 `json:"arrived"` // seconds after the beginning
	Seconds float64 `json:"seconds"` // until it had the whole file
	Left    bool    `json:"left,omitempty"`
	Problem string  `json:"problem,omitempty"`
	CPU     float64 `json:"cpu_s"` // processor time of its program meanwhile
	Claims  *Claims `json:"claims,omitempty"`
}

// run is one run under way.
type run struct {
	stage  *stage
	began  time.Time
	result *Result

	courtesy *courtesy // nil if the scenario does not ask

	mu      sync.Mutex // guards what follows
	fetched map[string]fetched
}

// settleTime lets sessions and NAT tests end before the run, and the edge's log be written after it.
const settleTime = 1500 * time.Millisecond

// Run plays a scenario once. The result may be void; an error means that the laboratory itself did not work.
func Run(ctx context.Context, o Options, s scenario.Scenario, name string, seed uint64) (_ *Result, err error) {
	c, err := find(name)
	if err != nil {
		return nil, err
	}
	members := s.Draw(seed)
	if c.alone {
		members = firstOf(members)
	}
	st := &stage{scenario: s, programs: o.Programs}
	parent := fleet.Roomiest(s.Size() * int64(2*len(members)))
	if o.Keep != "" {
		parent, st.logLevel = o.Keep, "debug"
	}
	if st.folder, err = os.MkdirTemp(parent, fmt.Sprintf("lab-%s-%s-%d-", s.Name, name, seed)); err != nil {
		return nil, err
	}
	r := &run{stage: st, fetched: map[string]fetched{}, result: &Result{Scenario: s.Name, Contestant: name, Seed: seed, Limits: s.LimitsOf(members), Figures: map[string]float64{}}}
	defer func() {
		err = errors.Join(err, st.close())
		if o.Keep == "" {
			err = errors.Join(err, os.RemoveAll(st.folder))
		}
	}()
	if o.Keep != "" {
		r.result.Folder = st.folder
	}
	if err := st.build(ctx, c, members); err != nil {
		return nil, fmt.Errorf("build %s for %s: %w", s.Name, name, err)
	}
	if err := r.play(ctx, o.Busy); err != nil {
		return nil, fmt.Errorf("play %s with %s: %w", s.Name, name, err)
	}
	return r.result, nil
}

// firstOf leaves of those who download only the first, who comes at once.
func firstOf(members []scenario.Member) []scenario.Member {
	i := slices.IndexFunc(members, func(m scenario.Member) bool { return !m.Holds })
	first := members[i]
	first.Arrives, first.Leaves = 0, 0
	return []scenario.Member{first}
}

// play lets everything happen and measures.
func (r *run) play(ctx context.Context, busy float64) error {
	if err := pause(ctx, settleTime); err != nil {
		return err
	}
	if err := r.freeze(ctx); err != nil {
		return err
	}
	if r.stage.scenario.Courtesy != "" {
		c, err := r.stage.openCourtesy(ctx)
		if err != nil {
			return err
		}
		defer c.close()
		r.courtesy = c
	}
	before, err := r.count()
	if err != nil {
		return err
	}
	cpu, err := r.readEffort()
	if err != nil {
		return err
	}
	r.began = time.Now()
	if err := r.everybody(ctx); err != nil {
		return err
	}
	cpuAfter, err := r.readEffort()
	if err != nil {
		return err
	}
	if err := pause(ctx, settleTime); err != nil {
		return err
	}
	after, err := r.count()
	if err != nil {
		return err
	}
	r.verify()
	r.judgeEffort(cpu, cpuAfter, busy)
	r.judge(before, after)
	return nil
}

// freeze stops the processes of members whose fault that is.
func (r *run) freeze(ctx context.Context) error {
	for _, m := range r.stage.members {
		if pid := m.player.pid(); m.Fault == scenario.FaultFrozen && pid != 0 {
			if err := exec.CommandContext(ctx, "sh", "-c", "kill -STOP "+strconv.Itoa(pid)).Run(); err != nil {
				return fmt.Errorf("freeze %s: %w", m.Name, err)
			}
		}
	}
	return nil
}

// everybody lets members arrive, download and leave, and events happen, until the last has its file.
func (r *run) everybody(ctx context.Context) error {
	patience := r.stage.scenario.TimeLimit()
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not done after %s", patience))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	around, end := context.WithCancel(ctx) // what goes on around the downloads
	defer end()
	var downloads, rest sync.WaitGroup
	var meterErr, eventErr, courtesyErr error
	w := &meter{edge: r.stage.edge, began: r.began}
	for _, m := range r.stage.members {
		w.members = append(w.members, m.host)
		if !m.Holds {
			downloads.Go(func() { r.download(ctx, m) })
		}
		if m.Leaves > 0 {
			rest.Go(func() {
				if pause(around, m.Leaves) == nil {
					m.player.kill()
				}
			})
		}
	}
	rest.Go(func() { meterErr = w.watch(around) })
	rest.Go(func() { eventErr = r.events(around) })
	if r.courtesy != nil {
		var figures map[string]float64
		if figures, courtesyErr = r.courtesy.measure(around); courtesyErr == nil {
			maps.Copy(r.result.Figures, figures)
		}
		stop(errCourteous)
	}
	downloads.Wait()
	end()
	rest.Wait()
	r.result.Series = w.series
	return errors.Join(meterErr, eventErr, courtesyErr)
}

func (r *run) download(ctx context.Context, m *member) {
	if pause(ctx, m.Arrives) != nil {
		return
	}
	began := time.Now()
	got, err := m.player.fetch(ctx)
	took := time.Since(began)
	result := MemberResult{Name: m.Name, Arrived: m.Arrives.Seconds(), Seconds: took.Seconds(), Claims: got.claims}
	switch {
	case errors.Is(context.Cause(ctx), errCourteous):
		result.Left = true
	case m.Leaves > 0 && (err != nil || m.Arrives+took > m.Leaves):
		result.Left = true
	case context.Cause(ctx) != nil:
		result.Problem = context.Cause(ctx).Error()
	case err != nil:
		result.Problem = err.Error()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fetched[m.Name] = got
	r.result.Members = append(r.result.Members, result)
}

// events happen in their order, each once the first who downloads has received its share of the file, as its interface
// says.
func (r *run) events(ctx context.Context) error {
	st := r.stage
	first := slices.IndexFunc(st.members, func(m *member) bool { return !m.Holds })
	start, err := st.members[first].host.Counters()
	if err != nil {
		return err
	}
	const often = 20 * time.Millisecond
	for _, e := range st.scenario.Events {
		for {
			now, err := st.members[first].host.Counters()
			if err != nil {
				return err
			}
			if float64(now.Sub(start).In) >= e.At*float64(st.object.size) {
				break
			}
			select {
			case <-time.After(often):
			case <-ctx.Done():
				return nil // the downloads ended before
			}
		}
		if err := st.happen(e); err != nil {
			return fmt.Errorf("%s: %w", e.Do, err)
		}
		r.mu.Lock()
		r.result.Events = append(r.result.Events, time.Since(r.began).Seconds())
		r.mu.Unlock()
	}
	return nil
}

// verify compares every file with the original.
func (r *run) verify() {
	for i := range r.result.Members {
		m := &r.result.Members[i]
		if m.Left || m.Problem != "" {
			continue
		}
		if err := r.stage.object.verify(r.fetched[m.Name].path); err != nil {
			m.Problem = err.Error()
		}
	}
	slices.SortFunc(r.result.Members, func(a, b MemberResult) int {
		return cmp.Or(cmp.Compare(a.Arrived, b.Arrived), cmp.Compare(a.Name, b.Name))
	})
}

// counts is what was counted outside at one moment.
type counts struct {
	log     map[string]int64 // payload that the edge sent, by address
	edge    lab.Counters
	members map[string]lab.Counters // on the wire
	sites   map[string]lab.Counters
}

func (r *run) count() (c counts, err error) {
	st := r.stage
	if c.log, err = sentByEdge(st.control); err != nil {
		return c, err
	}
	if c.edge, err = st.edge.Wire(); err != nil {
		return c, err
	}
	c.members, c.sites = map[string]lab.Counters{}, map[string]lab.Counters{}
	for _, m := range st.members {
		if c.members[m.Name], err = m.host.Wire(); err != nil {
			return c, err
		}
	}
	for name, s := range st.sites {
		if c.sites[name], err = s.Wire(); err != nil {
			return c, err
		}
	}
	return c, nil
}

// pause waits, or returns why not.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// percentile returns the smallest time that a share of all are not above; the largest for 1.
func percentile(times []float64, share float64) float64 {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(len(sorted)-1, max(0, int(math.Ceil(share*float64(len(sorted))))-1))]
}

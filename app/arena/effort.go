package arena

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// effort is the processor time that has been spent until a moment.
type effort struct {
	machine processor
	edge    time.Duration
	members map[string]time.Duration // of their programs
}

func (r *run) readEffort() (e effort, err error) {
	if e.machine, err = readProcessor(); err != nil {
		return e, err
	}
	if e.edge, err = r.stage.control.CPU(); err != nil {
		return e, err
	}
	e.members = map[string]time.Duration{}
	for _, m := range r.stage.members {
		if e.members[m.Name], err = m.player.cpu(); err != nil {
			return e, fmt.Errorf("processor time of %s: %w", m.Name, err)
		}
	}
	return e, nil
}

// judgeEffort says how busy the machine was with everything on it, which may void the run, and how much of that was
// the work of the programs that are compared.
func (r *run) judgeEffort(before, after effort, busy float64) {
	res := r.result
	used := after.machine.since(before.machine)
	res.Figures["processor"] = used
	if used > busy {
		res.Void = fmt.Sprintf("the processors were busy for %.0f%% of the time; %.0f%% is allowed", 100*used, 100*busy)
	}
	res.Figures["edge_cpu_s"] = (after.edge - before.edge).Seconds()
	var all float64
	for _, m := range r.stage.members {
		spent := (after.members[m.Name] - before.members[m.Name]).Seconds()
		all += spent
		if i := slices.IndexFunc(res.Members, func(r MemberResult) bool { return r.Name == m.Name }); i >= 0 {
			res.Members[i].CPU = spent
		}
	}
	res.Figures["cpu_s"] = all
	res.Figures["cpu_each_s"] = all / float64(len(r.stage.members))
}

// processor is the time that the machine's processors have spent, in ticks.
type processor struct{ busy, all float64 }

// readProcessor reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal.
func readProcessor() (p processor, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return p, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var ticks [8]float64
	if _, err := fmt.Sscanf(line, "cpu %f %f %f %f %f %f %f %f", &ticks[0], &ticks[1], &ticks[2], &ticks[3], &ticks[4], &ticks[5],
		&ticks[6], &ticks[7]); err != nil {
		return p, fmt.Errorf("read /proc/stat: %w", err)
	}
	for i, t := range ticks {
		p.all += t
		if i != 3 && i != 4 {
			p.busy += t
		}
	}
	return p, nil
}

// since returns the share of all processors that was used since an earlier reading.
func (p processor) since(before processor) float64 {
	if p.all <= before.all {
		return 0
	}
	return (p.busy - before.busy) / (p.all - before.all)
}

package scenario

import (
	"slices"
	"time"
)

// Limits are what arithmetic allows in one run, before headers and without any loss: nobody can be better. A time of 0
// is more than ten minutes.
type Limits struct {
	// Time is when the last member that stays could have the file, after its arrival: T_opt for one,
	// the fluid bound max(S/u_edge, S/d, N·S/(u_edge + sum of u)) for a crowd that arrives together.
	Time float64 `json:"time_s"`
	// Crowd is max(S/u_edge, S/d, N·S/(u_edge + sum of u)), whatever the policy; 0 unless all begin with nothing. It does not
	// know that members come one after the other.
	Crowd float64 `json:"crowd_s,omitempty"`
	// EdgeOnly is the same as Time if nobody helps.
	EdgeOnly float64 `json:"edge_only_s"`
	// Offload is the largest share of bytes that peers can bring: 1-1/N for a cold crowd; less where their lines
	// cannot bring that much within the time that the policy grants.
	Offload float64 `json:"offload"`
	// OffloadAtTime is the share that remains for peers if the edge does all it can for the shortest time.
	OffloadAtTime float64 `json:"offload_at_time"`
}

// PayloadShare is the share of payload in a full packet of TCP: 1448 of 1514 bytes (Ethernet, IPv4, TCP with timestamps).
// A line whose rate counts headers cannot carry more.
const PayloadShare = 1448.0 / 1514

// WithHeaders is what remains of a limit when every packet has its headers.
func WithHeaders(seconds float64) float64 { return seconds / PayloadShare }

// fluid is a crowd as water: every source is shared by all without loss, whoever has begun can give at once.
type fluid struct {
	size    float64 // Mbit
	edge    float64 // Mbit/s
	members []Member
	alone   bool // nobody helps
	offload bool // the edge gives only what keeps everybody as fast as without peers
}

// step is how finely time is cut, in seconds.
const step = 0.01

// LimitsOf works out the limits of a run. Faulty members bring nothing; events are not foreseen.
func (s Scenario) LimitsOf(members []Member) Limits {
	f := fluid{size: float64(s.Size()) * 8 / 1e6, edge: s.Edge.Up, members: members}
	times, offload := f.run()
	l := Limits{Time: last(times), OffloadAtTime: offload, Offload: offload}
	if !anyHolds(members) {
		l.Crowd = f.crowd()
	}
	f.alone = true
	times, _ = f.run()
	l.EdgeOnly = last(times)
	if s.Policy == "offload" {
		f.alone, f.offload = false, true
		times, l.Offload = f.run()
		l.Time = last(times)
	}
	l.throughSites(s, members, f.size)
	if cold := 1 - 1/float64(downloads(members)); !anyHolds(members) {
		l.Offload, l.OffloadAtTime = min(l.Offload, cold), min(l.OffloadAtTime, cold)
	}
	return l
}

// crowd is the bound of members that all begin with nothing.
func (f fluid) crowd() float64 {
	wanted, sent, slowest := 0.0, f.edge, f.edge
	for _, m := range f.members {
		wanted += f.size
		slowest = min(slowest, m.Line.Down)
		if f.helps(m) {
			sent += m.Line.Up
		}
	}
	return max(f.size/slowest, wanted/sent)
}

// throughSites raises the times to what the lines of sites take: at least one copy must come into a site where nobody has
// the file, and without peers one for each member.
func (l *Limits) throughSites(s Scenario, members []Member, size float64) {
	for _, site := range s.Sites {
		var here []Member
		for _, m := range members {
			if m.Site == site.Name {
				here = append(here, m)
			}
		}
		if n := downloads(here); n > 0 {
			l.EdgeOnly = max(l.EdgeOnly, float64(n)*size/site.Line.Down)
			if !anyHolds(here) {
				l.Time = max(l.Time, size/site.Line.Down)
			}
		}
	}
}

// run lets time pass until everybody who stays has the file. It returns how long each took and the share of all
// bytes that came from peers.
func (f fluid) run() (times []float64, offload float64) {
	got := make([]float64, len(f.members))
	done := make([]bool, len(f.members))
	fromPeers, fromEdge := 0.0, 0.0
	for i, m := range f.members {
		done[i] = m.Holds || m.Leaves > 0 && m.Leaves <= m.Arrives
	}
	for tick := 0; slices.Contains(done, false) && tick < maxSeconds/step; tick++ {
		now := time.Duration(float64(tick) * step * float64(time.Second))
		var active []int
		demand, supply := 0.0, 0.0
		for i, m := range f.members {
			if m.Leaves > 0 && m.Leaves <= now {
				done[i] = true
				continue
			}
			if !done[i] && m.Arrives <= now {
				active = append(active, i)
				demand += min(m.Line.Down, (f.size-got[i])/step)
			}
			if f.helps(m) && m.Arrives <= now {
				supply += m.Line.Up
			}
		}
		if len(active) == 1 && f.helps(f.members[active[0]]) {
			supply -= f.members[active[0]].Line.Up // nobody helps himself
		}
		peers := min(demand, supply)
		edge := min(demand-peers, f.edge)
		if f.offload {
			edge = min(edge, max(0, min(demand, f.edge)-peers))
		}
		fromPeers, fromEdge = fromPeers+peers*step, fromEdge+edge*step
		f.pour((peers+edge)*step, active, got)
		for _, i := range active {
			if got[i] >= f.size*(1-1e-9) {
				done[i] = true
				times = append(times, (now-f.members[i].Arrives).Seconds()+step)
			}
		}
	}
	if fromPeers+fromEdge == 0 {
		return times, 0
	}
	return times, fromPeers / (fromPeers + fromEdge)
}

func (f fluid) helps(m Member) bool { return !f.alone && m.Shares && m.Fault == "" }

// pour divides an amount among the active, evenly but to nobody more than its line or its need takes.
func (f fluid) pour(amount float64, active []int, got []float64) {
	room := func(i int) float64 { return min(f.members[i].Line.Down*step, f.size-got[i]) }
	order := slices.Clone(active)
	slices.SortFunc(order, func(a, b int) int {
		if room(a) < room(b) {
			return -1
		}
		return 1
	})
	for n, i := range order {
		part := min(room(i), amount/float64(len(order)-n))
		got[i] += part
		amount -= part
	}
}

func last(times []float64) float64 {
	if len(times) == 0 {
		return 0
	}
	return slices.Max(times)
}

func downloads(members []Member) (n int) {
	for _, m := range members {
		if !m.Holds {
			n++
		}
	}
	return n
}

func anyHolds(members []Member) bool {
	return slices.ContainsFunc(members, func(m Member) bool { return m.Holds && m.Fault == "" && m.Shares })
}

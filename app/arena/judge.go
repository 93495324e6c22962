package arena

import (
	"fmt"

	"github.com/tributary-dl/tributary/app/scenario"
)

// disagreement is how far a client's claim may be from what was counted outside before it is told.
const disagreement = 0.01

// judge turns what was counted into figures.
func (r *run) judge(before, after counts) {
	res := r.result
	stayed, completed := 0, 0
	var times []float64
	for _, m := range res.Members {
		if m.Left {
			continue
		}
		stayed++
		if m.Problem == "" {
			completed++
			times = append(times, m.Seconds)
		} else {
			res.Remarks = append(res.Remarks, m.Name+": "+m.Problem)
		}
	}
	res.Figures["completed"] = 1
	if stayed > 0 {
		res.Figures["completed"] = float64(completed) / float64(stayed)
	}
	if completed == 0 {
		return
	}
	res.Figures["last_s"] = percentile(times, 1)
	res.Figures["median_s"] = percentile(times, 0.5)
	res.Figures["p95_s"] = percentile(times, 0.95)
	if res.Limits.Time > 0 {
		res.Figures["time_over_limit"] = res.Figures["last_s"] / res.Limits.Time
		if res.Limits.Crowd > 0 {
			res.Figures["time_over_crowd"] = res.Figures["last_s"] / res.Limits.Crowd
		}
	}
	r.judgeBytes(before, after, completed)
	if len(res.Events) > 0 && !r.stage.scenario.EndsEdge() {
		res.Figures["edge_back_s"] = backAfter(res.Series, res.Events[0], r.stage.scenario.Edge.Up)
	}
	r.judgeSites(before, after)
}

// judgeBytes looks at those who completed: what the edge sent to their addresses, and what came over their lines.
func (r *run) judgeBytes(before, after counts, completed int) {
	st, res := r.stage, r.result
	wanted := float64(completed) * float64(st.object.size)
	var fromEdge, onWire, sentByMembers, wasted int64
	var claimed Claims
	claims := true
	addresses := map[string]bool{} // several members may share one
	for _, m := range st.members {
		sentByMembers += after.members[m.Name].Sub(before.members[m.Name]).Out
		got, ok := r.fetched[m.Name]
		if !ok || got.path == "" {
			continue
		}
		addresses[m.host.PublicAddr()] = true
		onWire += after.members[m.Name].Sub(before.members[m.Name]).In
		if got.claims == nil {
			claims = false
			continue
		}
		claimed.Edge, claimed.Peers, claimed.Wasted = claimed.Edge+got.claims.Edge, claimed.Peers+got.claims.Peers, claimed.Wasted+got.claims.Wasted
	}
	if st.scenario.EndsEdge() {
		// A log that was cut off, or that stands behind a front, does not say what clients got.
		fromEdge = int64(float64(after.edge.Sub(before.edge).Out) * scenario.PayloadShare)
	} else {
		for address := range addresses {
			fromEdge += after.log[address] - before.log[address]
		}
	}
	offload := 1 - float64(fromEdge)/wanted
	res.Figures["offload"] = offload
	if limit := res.Limits.Offload; limit > 0 {
		res.Figures["offload_over_limit"] = offload / limit
	}
	res.Figures["cpu_ms_per_mb"] = 1000 * res.Figures["cpu_s"] / (wanted / 1e6)
	res.Figures["wire_overhead"] = float64(onWire)/wanted - 1
	if !claims {
		return
	}
	wasted = claimed.Wasted
	res.Figures["wasted"] = float64(wasted) / wanted
	r.compare(claimed, fromEdge, sentByMembers, wanted)
}

// compare reports claims that the counts outside do not bear out. What was wasted may be the edge's or a peer's.
func (r *run) compare(claimed Claims, fromEdge, sentByMembers int64, wanted float64) {
	res := r.result
	more := float64(fromEdge-claimed.Edge) / wanted
	if waste := float64(claimed.Wasted) / wanted; !r.stage.scenario.EndsEdge() && (more > waste+disagreement || more < -disagreement) {
		res.Remarks = append(res.Remarks, fmt.Sprintf("the clients claim %.1f MB from the edge, whose log says %.1f MB",
			float64(claimed.Edge)/1e6, float64(fromEdge)/1e6))
	}
	if float64(claimed.Peers) > float64(sentByMembers)*(1+disagreement) {
		res.Remarks = append(res.Remarks, fmt.Sprintf("the clients claim %.1f MB from peers, whose lines carried %.1f MB",
			float64(claimed.Peers)/1e6, float64(sentByMembers)/1e6))
	}
}

// judgeSites says how much of what members sent each other stayed behind their router: what they sent, less what left
// their site. Requests to the edge are in it, which makes the figure worse than it is by a per cent or so.
func (r *run) judgeSites(before, after counts) {
	if len(after.sites) == 0 {
		return
	}
	var sent, left int64
	for _, m := range r.stage.members {
		if m.Site != "" {
			sent += after.members[m.Name].Sub(before.members[m.Name]).Out
		}
	}
	for name := range after.sites {
		left += after.sites[name].Sub(before.sites[name]).Out
	}
	if sent > 0 {
		r.result.Figures["in_site"] = 1 - float64(left)/float64(sent)
	}
}

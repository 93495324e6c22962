package scenario

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Member is one computer of a run, with every chance decided.
type Member struct {
	Name    string // of the group, and a number
	Group   string
	Site    string
	NAT     string
	Line    Line
	Holds   bool   // has the file at the beginning; does not download
	Fault   string // of a holder
	Shares  bool
	Arrives time.Duration // after the beginning; of those who download
	Leaves  time.Duration // killed then; 0: stays
}

// holders returns how many of a group have the file at the beginning.
func (g Group) holders() int { return share(g.Holds, g.Count) }

func share(of float64, n int) int { return int(math.Round(of * float64(n))) }

// Draw decides the chances of one run. The same seed gives the same members.
func (s Scenario) Draw(seed uint64) []Member {
	chance := rand.New(rand.NewPCG(seed, 1))
	var all []Member
	for _, g := range s.Groups {
		members := make([]Member, g.Count)
		holds, shares := pick(chance, g.Count, g.holders()), pick(chance, g.Count, share(g.Sharing, g.Count))
		arrivals := g.Arrive.draw(chance, g.Count)
		for i := range members {
			m := Member{
				Name: fmt.Sprintf("%s%d", g.Name, i), Group: g.Name, Site: g.Site, NAT: g.NAT, Line: g.Line,
				Holds: holds[i], Fault: g.Fault, Shares: shares[i],
			}
			if !m.Holds {
				m.Arrives = arrivals[i]
			}
			members[i] = m
		}
		all = append(all, members...)
	}
	s.drawChurn(chance, all)
	return all
}

// pick chooses n of count.
func pick(chance *rand.Rand, count, n int) []bool {
	picked := make([]bool, count)
	for _, i := range chance.Perm(count)[:n] {
		picked[i] = true
	}
	return picked
}

func (a Arrive) draw(chance *rand.Rand, count int) []time.Duration {
	times := make([]time.Duration, count)
	at := 0.0
	for i := range times {
		switch a.How {
		case "within":
			at = a.Seconds * chance.Float64()
		case "poisson":
			at += a.Seconds * chance.ExpFloat64()
		}
		times[i] = seconds(at)
	}
	return times
}

func (s Scenario) drawChurn(chance *rand.Rand, all []Member) {
	c := s.Churn
	if c == nil {
		return
	}
	var may []int
	for i, m := range all {
		if c.Group == "" || m.Group == c.Group {
			may = append(may, i)
		}
	}
	for i, leaves := range pick(chance, len(may), share(c.Share, len(may))) {
		if leaves {
			m := &all[may[i]]
			m.Leaves = max(m.Arrives+seconds(c.Seconds*chance.Float64()), time.Millisecond)
		}
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

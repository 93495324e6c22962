package scenario

import (
	"fmt"
	"slices"
)

// maxSlower bounds by how much a scenario is slowed: what the programs do in fixed times would outweigh the rest.
const maxSlower = 10

// Slower returns the same scenario for a machine that cannot carry it at its pace: every rate is divided, and every time at
// which somebody comes, leaves or has had enough is multiplied. The file stays as large, so that all shares and all ratios of
// times stay what they are, as far as they depend on rates. What does not slow down are the programs' own fixed times (how often
// they ask and how long they wait for an answer) and the 100 ms that a full line holds: both weigh less
// than they do at the true pace, and whoever shows a result must say so.
func (s Scenario) Slower(times float64) (Scenario, error) {
	if !within(times, 1, maxSlower) {
		return s, fmt.Errorf("a scenario can be played 1 to %d times slower, not %v", maxSlower, times)
	}
	s.Patience = s.TimeLimit().Seconds() * times
	s.Edge = s.Edge.slower(times)
	s.Sites, s.Groups = slices.Clone(s.Sites), slices.Clone(s.Groups)
	for i := range s.Sites {
		s.Sites[i].Line = s.Sites[i].Line.slower(times)
	}
	for i := range s.Groups {
		s.Groups[i].Line = s.Groups[i].Line.slower(times)
		s.Groups[i].Arrive.Seconds *= times
	}
	if s.Churn != nil {
		churn := *s.Churn
		churn.Seconds *= times
		s.Churn = &churn
	}
	return s, nil
}

func (l Line) slower(times float64) Line { return Line{Down: l.Down / times, Up: l.Up / times} }

package arena

import (
	"fmt"

	"github.com/tributary-dl/tributary/app/scenario"
)

// happen lets an event of the scenario happen.
func (st *stage) happen(e scenario.Event) error {
	switch e.Do {
	case scenario.DoKillEdge:
		st.control.Kill()
	case scenario.DoKillGroup:
		for _, m := range st.members {
			if m.Group == e.Group {
				m.player.kill()
			}
		}
	case scenario.DoEdgeTrickle, scenario.DoEdge503, scenario.DoEdgeReset:
		st.front.breakWith(e.Do)
	default:
		return fmt.Errorf("%q cannot happen here", e.Do)
	}
	return nil
}

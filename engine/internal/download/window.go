package download

import (
	"cmp"
	"time"

	"github.com/tributary-dl/tributary/engine/internal/edge"
	"github.com/tributary-dl/tributary/engine/internal/hybrid"
)

const (
	leastWindow = 8 << 10               // bytes of one edge request
	usualRTT    = 50 * time.Millisecond // to an edge, where it has not been measured
)

// edgeWindow is how many bytes one edge request may have under way; 0: as many as the system likes. While peers may come it is kept so
// short that they find room.
func (t *transfer) edgeWindow(now time.Time) int {
	if t.swarm == nil || t.counted.Peers == 0 && now.Sub(t.began) > peersMayCome {
		return 0
	}
	rtt := cmp.Or(t.edgeRTT, usualRTT) + t.swarm.UplinkQueue() // acknowledgements wait with what we send
	all := t.pacer.Window(rtt)
	if all >= hybrid.Unlimited { // nothing is known yet, or the edge is to run free: the most that can be set, unless it holds a fast line back
		rate, _, _ := t.meter.rates(meterQuick)
		switch most := float64(edge.MostWindow * max(1, t.claims)); {
		case rate > 0 && rate*(rtt+hybrid.StandingQueue).Seconds() <= most:
			return edge.MostWindow
		case t.counted.Delivering > 0: // whose connections have been set
			return 0
		}
		return edge.NoWindowYet
	}
	each := int(all) / max(1, t.claims)
	if each > edge.MostWindow && t.allowance >= hybrid.Unlimited {
		return 0
	}
	return min(max(each, leastWindow), edge.MostWindow)
}

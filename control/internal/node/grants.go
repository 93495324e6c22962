package node

import (
	"crypto/sha256"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
)

// maxGrants is how many grants a session remembers: the downloads that one device has under way.
const maxGrants = 32

// grants are those of one session that have been found good. A download repeats its look-up with the same grant every
// few seconds, and checking the signature costs more than all the rest of a look-up.
type grants struct {
	list []goodGrant
	next int // to be forgotten, once the list is full
}

type goodGrant struct {
	sum     [sha256.Size]byte // over object and sealed grant
	expires int64             // Unix seconds
}

func grantSum(sealed []byte, content protocol.ContentID) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(content[:])
	h.Write(sealed)
	h.Sum(sum[:0])
	return sum
}

// holds reports whether the grant was found good for the object before and has not expired.
func (g *grants) holds(sealed []byte, content protocol.ContentID, now time.Time) bool {
	sum := grantSum(sealed, content)
	for i := range g.list {
		if g.list[i].sum == sum {
			return now.Unix() < g.list[i].expires
		}
	}
	return false
}

// add remembers a grant that was found good.
func (g *grants) add(sealed []byte, content protocol.ContentID, expires time.Time) {
	good := goodGrant{sum: grantSum(sealed, content), expires: expires.Unix()}
	if len(g.list) < maxGrants {
		g.list = append(g.list, good)
		return
	}
	g.list[g.next] = good
	g.next = (g.next + 1) % maxGrants
}

package download

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
	"github.com/tributary-dl/tributary/control/protocol/bencode"
	"github.com/tributary-dl/tributary/control/protocol/merkle"
	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/internal/budget"
	"github.com/tributary-dl/tributary/engine/internal/manifest"
	"github.com/tributary-dl/tributary/engine/internal/swarm"
)

// published is an object with its signed manifest.
type published struct {
	data []byte
	raw  []byte
	m    *manifest.Manifest
}

// shelf keeps what was published: to hash it is what takes a test the longest.
var shelf struct {
	sync.Mutex
	objects map[string]*published
}

// publish makes an object of some random bytes.
func publish(t *testing.T, size int, seed byte, mode protocol.Mode) *published {
	t.Helper()
	shelf.Lock()
	defer shelf.Unlock()
	title := fmt.Sprint(size, seed, mode)
	if p := shelf.objects[title]; p != nil {
		return p
	}
	data, pieceLength := noise(size, seed), 128<<10 // as a publisher's program chooses it for such sizes
	var layer []merkle.Hash
	var joined []byte
	for rest := data; len(rest) > 0; rest = rest[min(pieceLength, len(rest)):] {
		var h merkle.Hasher
		h.Write(rest[:min(pieceLength, len(rest))])
		sum := h.Root(pieceLength / merkle.BlockSize)
		layer, joined = append(layer, sum), append(joined, sum[:]...)
	}
	root := merkle.LayerRoot(layer, pieceLength/merkle.BlockSize)
	info := bencode.Dict{"meta version": int64(2), "name": "object.bin", "piece length": int64(pieceLength),
		"file tree": bencode.Dict{"object.bin": bencode.Dict{"": bencode.Dict{"length": int64(len(data)), "pieces root": root[:]}}}}
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	policy := protocol.DefaultPolicy()
	policy.Mode = mode
	terms := protocol.Terms{Publisher: "Example", Key: key.Public().(ed25519.PublicKey), GrantKey: make([]byte, ed25519.PublicKeySize),
		Policy: policy, SHA256: sha256.Sum256(data), Published: time.Unix(1_700_000_000, 0)}.Dict()
	id := protocol.ContentID(sha256.Sum256(bencode.Encode(info)))
	raw := bencode.Encode(bencode.Dict{"info": info, "piece layers": bencode.Dict{string(root[:]): joined},
		protocol.TermsKey: terms, protocol.SignatureKey: protocol.SignTerms(key, id, terms)})
	m, err := manifest.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if shelf.objects == nil {
		shelf.objects = map[string]*published{}
	}
	shelf.objects[title] = &published{data, raw, m}
	return shelf.objects[title]
}

func contentOf(m *manifest.Manifest) swarm.Content {
	return swarm.Content{ID: m.ID, Name: m.Name, InfoBytes: m.InfoBytes(), PieceLayers: m.PieceLayers(),
		PieceLength: m.PieceLength, Length: m.Length, Pieces: m.Pieces()}
}

// peer is another installation: a host and a real swarm over memory.
type peer struct {
	*host
	id    swarm.PeerID
	swarm *swarm.Swarm
	mem   *memory
}

// memory is a peer's storage.
type memory struct {
	p *published

	mu     sync.Mutex
	has    map[int]bool
	blocks map[int][]byte
	spoils func(i int) bool // pieces that it gives away with a wrong byte; nil: none
}

func (m *memory) Verified(i int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.has[i]
}

func (m *memory) MarkVerified(i int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.has[i] = true
	return nil
}

func (m *memory) AwaitRoom(context.Context) {}

func (m *memory) WriteBlock(i int, off int64, b []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.blocks[i] == nil {
		m.blocks[i] = make([]byte, m.p.m.PieceLength)
	}
	copy(m.blocks[i][off:], b)
	return nil
}

func (m *memory) ReadAt(b []byte, i int, off int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	from := m.blocks[i]
	if from == nil {
		from = m.p.data[int64(i)*m.p.m.PieceLength:]
	}
	n := copy(b, from[off:])
	if n < len(b) {
		return n, io.ErrUnexpectedEOF
	}
	if m.spoils != nil && m.spoils(i) && off == 0 {
		b[0] ^= 1
	}
	return n, nil
}

// deaf is the Observer of a peer that nobody looks at.
type deaf struct{}

func (deaf) PieceVerified(int, map[swarm.PeerID]int64) {}
func (deaf) PieceRejected(int, []swarm.PeerID, int64)  {}
func (deaf) PeersChanged()                             {}
func (deaf) StorageFailed(error)                       {}

// crowd is the Peering of a simulated download: it joins the real swarm, and meets all peers at once.
type crowd struct {
	user    *host
	engine  *swarm.Engine
	shares  bool
	members []*peer

	mu     sync.Mutex
	joined map[protocol.ContentID]*membership
	past   []*membership // all there ever were
}

const (
	meetingTime = 300 * time.Millisecond // after which the first peers are connected
	lookAgain   = 5 * time.Second        // for those who are not connected any more
)

func newCrowd(t *testing.T, user *host) *crowd {
	return &crowd{user: user, engine: newSwarmEngine(t, -1), joined: map[protocol.ContentID]*membership{}}
}

func newSwarmEngine(t *testing.T, upload float64) *swarm.Engine {
	e, err := swarm.New(swarm.Config{UploadLimiter: budget.NewLimiter(upload), Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// add makes a peer that has some of an object's pieces and gives them at a rate.
func (c *crowd) add(t *testing.T, p *published, rate float64, has func(i int) bool) *peer {
	t.Helper()
	x := &peer{host: newHost(100*mib, 100*mib), mem: &memory{p: p, has: map[int]bool{}, blocks: map[int][]byte{}}}
	x.id[0] = byte(len(c.members) + 1)
	for i := range p.m.Pieces() {
		x.mem.has[i] = has(i)
	}
	var err error
	if x.swarm, err = newSwarmEngine(t, rate).Join(contentOf(p.m), x.mem, deaf{}); err != nil {
		t.Fatal(err)
	}
	x.swarm.SetUpload(func(swarm.PeerID) bool { return true })
	for i := range p.m.Pieces() {
		if !has(i) {
			x.swarm.Want(i)
		}
	}
	c.members = append(c.members, x)
	return x
}

func everything(int) bool { return true }

// totals sums up what all swarms ever counted, and what they reported.
func (c *crowd) totals() (sum Totals, reports []Progress) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.past {
		t := m.Totals()
		sum.Received, sum.Sent = sum.Received+t.Received, sum.Sent+t.Sent
		m.mu.Lock()
		reports = append(reports, m.reports...)
		m.mu.Unlock()
	}
	return sum, reports
}

func (c *crowd) Join(o Object, seek bool) (Swarm, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.joined[o.Manifest.ID] != nil {
		return nil, errors.New("another download of the same object is under way")
	}
	sw, err := c.engine.Join(contentOf(o.Manifest), o.Data, hearer{o.Observer})
	if err != nil {
		return nil, err
	}
	sw.SetUpload(func(swarm.PeerID) bool { return c.shares })
	m := &membership{Swarm: sw, crowd: c, content: o.Manifest.ID, pieces: o.Manifest.Pieces()}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	c.joined[o.Manifest.ID] = m
	c.past = append(c.past, m)
	m.Seek(seek)
	return m, nil
}

// hearer passes on what the swarm tells.
type hearer struct{ Observer }

func (h hearer) PieceVerified(i int, from map[swarm.PeerID]int64) {
	var bytes int64
	for _, n := range from {
		bytes += n
	}
	h.Observer.PieceVerified(i, bytes)
}

func (h hearer) PieceRejected(i int, _ []swarm.PeerID, bytes int64) {
	h.Observer.PieceRejected(i, bytes)
}

// membership is the Swarm of a simulated download.
type membership struct {
	*swarm.Swarm
	crowd   *crowd
	content protocol.ContentID
	pieces  int
	self    swarm.PeerID
	ctx     context.Context
	cancel  context.CancelFunc
	work    sync.WaitGroup
	once    sync.Once

	mu      sync.Mutex
	reports []Progress
}

func (m *membership) Seek(on bool) {
	if on {
		m.once.Do(func() { m.work.Go(m.meet) })
	}
}

// meet connects to all peers, again and again, until the swarm is left.
func (m *membership) meet() {
	for wait := meetingTime; ; wait = lookAgain {
		select {
		case <-time.After(wait):
		case <-m.ctx.Done():
			return
		}
		connected := map[swarm.PeerID]bool{}
		for _, p := range m.Swarm.Peers() {
			connected[p.ID] = true
		}
		for _, p := range m.crowd.members {
			if connected[p.id] {
				continue
			}
			here, there, err := connect(m.crowd.user, p.host, anyRoom)
			if err != nil {
				continue
			}
			m.Swarm.Offer(p.id, here, true, swarm.OfferOptions{MayServe: true, Label: string(api.PathDirect)})
			p.swarm.Offer(swarm.PeerID{}, there, false, swarm.OfferOptions{MayServe: true})
		}
	}
}

func (m *membership) Progress(dst []swarm.PieceProgress) { m.Swarm.Progress(dst) }

func (m *membership) Totals() Totals {
	var t Totals
	t.Add(m.Swarm.Totals(), m.Swarm.Peers())
	return t
}

func (m *membership) Neighbours() Neighbours {
	return NeighboursAmong(m.self, m.Swarm.Peers(), m.pieces)
}

func (m *membership) UplinkQueue() time.Duration { return 0 }

func (m *membership) Sources() []api.Source { return nil }

func (m *membership) ReportProgress(p Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reports = append(m.reports, p)
}

func (m *membership) Leave() {
	m.cancel()
	m.work.Wait()
	m.Swarm.Leave()
	m.crowd.mu.Lock()
	defer m.crowd.mu.Unlock()
	if m.crowd.joined[m.content] == m {
		delete(m.crowd.joined, m.content)
	}
}

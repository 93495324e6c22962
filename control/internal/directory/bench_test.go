package directory

import (
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/control/internal/selection"
	"github.com/tributary-dl/tributary/control/protocol"
)

// plain is what the directory is compared with: the least that could be called one. It knows who has what, and picks
// whom it finds first: no networks, no turns, no expiry.
type plain struct {
	seed   maphash.Seed
	shards [shardCount]struct {
		mu      sync.Mutex
		objects map[protocol.ContentID]map[*Holder]struct{}
	}
}

func newPlain() *plain {
	p := &plain{seed: maphash.MakeSeed()}
	for i := range p.shards {
		p.shards[i].objects = make(map[protocol.ContentID]map[*Holder]struct{})
	}
	return p
}

func (p *plain) announce(h *Holder, content protocol.ContentID) {
	s := &p.shards[maphash.Comparable(p.seed, content)%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	holders := s.objects[content]
	if holders == nil {
		holders = make(map[*Holder]struct{})
		s.objects[content] = holders
	}
	holders[h] = struct{}{}
}

func (p *plain) lookup(content protocol.ContentID, want int) (picked []selection.End) {
	s := &p.shards[maphash.Comparable(p.seed, content)%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	for h := range s.objects[content] {
		if len(picked) == want {
			break
		}
		picked = append(picked, h.End())
	}
	return picked
}

// population is the directory of a small installation: many devices in many networks, each with some of many objects.
const (
	benchHolders  = 5000
	benchObjects  = 10_000
	benchEach     = 50
	benchNetworks = 40
)

var benchPopulation = sync.OnceValue(func() (p struct {
	holders []*Holder
	objects [][]protocol.ContentID // of each holder
}) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range benchHolders {
		end := holder(fmt.Sprintf("x%d", i), i).End()
		end.Network = selection.Network{Name: fmt.Sprintf("AS%d", random.IntN(benchNetworks))}
		p.holders = append(p.holders, NewHolder(end))
		var held []protocol.ContentID
		for range benchEach {
			n := random.IntN(benchObjects)
			held = append(held, protocol.ContentID{1, byte(n), byte(n >> 8), byte(n >> 16)})
		}
		p.objects = append(p.objects, held)
	}
	return p
})

// fill makes every announcement of the population, in the order in which devices come.
func fill(announce func(*Holder, protocol.ContentID)) (entries int) {
	p := benchPopulation()
	for i, h := range p.holders {
		for _, content := range p.objects[i] {
			announce(h, content)
		}
		entries += len(p.objects[i])
	}
	return entries
}

// BenchmarkAnnounce tells what an entry costs, in time and memory, beside the plain map.
func BenchmarkAnnounce(b *testing.B) {
	run := func(b *testing.B, open func() (announce func(*Holder, protocol.ContentID), empty func())) {
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		benchPopulation()
		entries, bytes := 0, 0.0
		for b.Loop() {
			b.StopTimer()
			before := heap()
			announce, empty := open()
			b.StartTimer()
			entries = fill(announce)
			b.StopTimer()
			bytes = float64(heap()-before) / float64(entries)
			empty()
			b.StartTimer()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*entries), "ns/entry")
		b.ReportMetric(bytes, "B/entry")
	}
	b.Run("directory", func(b *testing.B) {
		run(b, func() (func(*Holder, protocol.ContentID), func()) {
			d := New()
			return func(h *Holder, c protocol.ContentID) { d.Announce(h, c, 100, later) },
				func() { leaveAll(d) }
		})
	})
	b.Run("plain", func(b *testing.B) {
		run(b, func() (func(*Holder, protocol.ContentID), func()) {
			p := newPlain()
			return p.announce, func() { runtime.KeepAlive(p) }
		})
	})
}

// BenchmarkAnnounceAgain is what a session does every hour.
func BenchmarkAnnounceAgain(b *testing.B) {
	d, p := New(), newPlain()
	fill(p.announce)
	entries := fill(func(h *Holder, c protocol.ContentID) { d.Announce(h, c, 100, later) })
	b.Cleanup(func() { leaveAll(d) })
	b.Run("directory", func(b *testing.B) {
		for b.Loop() {
			fill(func(h *Holder, c protocol.ContentID) { d.Announce(h, c, 100, later.Add(time.Hour)) })
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*entries), "ns/entry")
	})
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			fill(p.announce)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*entries), "ns/entry")
	})
}

func leaveAll(d *Directory) {
	for _, h := range benchPopulation().holders {
		d.Leave(h)
	}
}

// BenchmarkLookup asks for objects that some thirty devices hold, as a download does: for 8 peers, from all networks.
func BenchmarkLookup(b *testing.B) {
	d, p := New(), newPlain()
	fill(p.announce)
	fill(func(h *Holder, c protocol.ContentID) { d.Announce(h, c, 100, later) })
	b.Cleanup(func() { leaveAll(d) })
	population := benchPopulation()
	for _, want := range []int{8, 40} {
		b.Run(fmt.Sprintf("directory/want=%d", want), func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.Uint64(); pb.Next(); i++ {
					asker := population.holders[i%benchHolders]
					d.Select(asker.End(), population.objects[(i+7)%benchHolders][i%benchEach], nil, want, i, noon)
				}
			})
		})
		b.Run(fmt.Sprintf("plain/want=%d", want), func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for i := rand.Uint64(); pb.Next(); i++ {
					p.lookup(population.objects[(i+7)%benchHolders][i%benchEach], want)
				}
			})
		})
	}
}

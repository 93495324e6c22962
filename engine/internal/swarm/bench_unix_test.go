//go:build unix

package swarm

import (
	"log/slog"
	"syscall"
	"testing"
)

// BenchmarkTransfer moves 64 MiB in 1 MiB pieces from a seeder to a leecher in this process. CPU is of both
// ends together.
func BenchmarkTransfer(b *testing.B) {
	o := makeObject(64<<20, 1<<20)
	b.SetBytes(o.Length)
	cpu := cpuSeconds()
	for b.Loop() {
		var ends [2]*Swarm
		pieces := [2]*memory{o.full(nil), o.empty(nil)}
		x, y := newPipe()
		for k := range ends {
			e, _ := New(Config{Log: slog.New(slog.DiscardHandler)})
			s, err := e.Join(o.Content, pieces[k], newDiary())
			if err != nil {
				b.Fatal(err)
			}
			s.SetUpload(everybody)
			ends[k] = s
		}
		for i := range o.Pieces {
			ends[1].Want(i)
		}
		ends[0].Offer(PeerID{1}, x, true, OfferOptions{MayServe: true})
		ends[1].Offer(PeerID{2}, y, false, OfferOptions{MayServe: true})
		<-pieces[1].complete
		ends[0].Leave()
		ends[1].Leave()
	}
	b.ReportMetric((cpuSeconds()-cpu)/float64(b.N)/float64(o.Length)*1e9, "cpu-s/GB")
}

func BenchmarkJoin(b *testing.B) {
	o := makeObject(64<<20, 16<<10) // 4096 pieces
	m := o.full(nil)
	e, _ := New(Config{Log: slog.New(slog.DiscardHandler)})
	for b.Loop() {
		s, err := e.Join(o.Content, m, newDiary())
		if err != nil {
			b.Fatal(err)
		}
		s.Leave()
	}
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

package edge

import (
	"context"
	"time"
)

const (
	leastGrain = 16 << 10 // one TLS record; at low rates bytes come evenly
	mostGrain  = chunkSize
	noWait     = time.Millisecond
)

// allowance is what a limiter has let pass and the reader has not read yet. It asks for more at a time
// while the limiter does not make it wait.
type allowance struct {
	limiter Limiter // nil: none
	left    int
	grain   int
}

// clip cuts buf to what may be read now, waiting for at least one byte. The watchdog rests meanwhile.
func (a *allowance) clip(ctx context.Context, dog *watchdog, buf []byte) ([]byte, error) {
	if a.limiter == nil {
		return buf, nil
	}
	if a.left == 0 {
		a.grain = min(max(a.grain, leastGrain), mostGrain)
		ask := min(a.grain, len(buf))
		start := time.Now()
		dog.pause()
		err := a.limiter.WaitN(ctx, ask)
		dog.resume()
		if err != nil {
			return nil, err
		}
		a.left = ask
		a.grain *= 2
		if time.Since(start) > noWait {
			a.grain = leastGrain
		}
	}
	return buf[:min(len(buf), a.left)], nil
}

func (a *allowance) spent(n int) {
	if a.limiter != nil {
		a.left -= n
	}
}

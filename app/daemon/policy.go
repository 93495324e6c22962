package daemon

import (
	"context"
	"sync"
	"time"

	"github.com/tributary-dl/tributary/app/policy"
	"github.com/tributary-dl/tributary/engine"
)

// policyEvery is how often a changed policy is looked for. A dozen small files or registry values in the page cache cost
// well under a millisecond.
const policyEvery = 5 * time.Second

// followPolicy reads the policy anew when it has changed, or when the administrator asks for it by a signal, until stop
// is called and has returned. What is wrong with a new policy is in the log and the status, and the last good one holds.
func followPolicy(ctx context.Context, reader *policy.Reader, e *engine.Engine) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	reload := func() { _ = e.ReloadPolicy(ctx) } // it has logged why not
	ignoreHangup := onHangup(reload)
	var work sync.WaitGroup
	work.Go(func() { reader.Watch(ctx, policyEvery, reload) })
	return func() {
		cancel()
		ignoreHangup()
		work.Wait()
	}
}

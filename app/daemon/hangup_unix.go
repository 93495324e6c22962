//go:build unix

package daemon

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// onHangup calls reload at each SIGHUP, which is how administrators ask a service to read its configuration again,
// until stop is called and has returned.
func onHangup(reload func()) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	var work sync.WaitGroup
	work.Go(func() {
		for range signals {
			reload()
		}
	})
	return func() {
		signal.Stop(signals)
		close(signals)
		work.Wait()
	}
}

package edge

import (
	"context"
	"io"
	"time"
)

// stallBytes have to come within a stall time. It is more than one, so that a server that keeps a
// connection alive with a byte now and then counts as what it is.
const stallBytes = 1 << 10

// watchdog ends a request's context when bytes stop coming. It belongs to the goroutine that reads.
type watchdog struct {
	timer *time.Timer
	stall time.Duration
	came  int
	ends  time.Time // when the stall time is over, from the first resume on
	end   context.CancelCauseFunc
}

// watch starts a watchdog, which the caller stops. Its context ends with errStalled as cause. Until the
// first resume, it allows the time that the steps before the body may take together.
func watch(ctx context.Context, t Timeouts) (context.Context, *watchdog) {
	ctx, end := context.WithCancelCause(ctx)
	timer := time.AfterFunc(t.Connect+t.TLS+t.Header+t.Stall, func() { end(errStalled) })
	return ctx, &watchdog{timer: timer, stall: t.Stall, end: end}
}

// fed says that n bytes came.
func (w *watchdog) fed(n int) {
	if w.came += n; w.came >= stallBytes {
		w.resume()
	}
}

// pause stops the clock while we are the ones who do not read.
func (w *watchdog) pause() { w.timer.Stop() }

// resume starts the clock from zero.
func (w *watchdog) resume() {
	w.came = 0
	w.ends = time.Now().Add(w.stall)
	w.timer.Reset(w.stall)
}

// aside stops the clock while do is at work with what was read, and then lets it go on where it was.
func (w *watchdog) aside(do func() error) error {
	w.timer.Stop()
	left := time.Until(w.ends)
	err := do()
	w.ends = time.Now().Add(left)
	w.timer.Reset(left)
	return err
}

// stop ends the context too.
func (w *watchdog) stop() {
	w.timer.Stop()
	w.end(nil)
}

// reader returns r such that what is read feeds the watchdog.
func (w *watchdog) reader(r io.Reader) io.Reader { return watchedReader{r, w} }

type watchedReader struct {
	io.Reader
	dog *watchdog
}

func (r watchedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.dog.fed(n)
	return n, err
}

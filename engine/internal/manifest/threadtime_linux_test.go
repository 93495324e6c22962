package manifest

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime returns the CPU time of this thread, which says what a refusal costs however busy the
// machine is.
func threadTime() time.Duration {
	var used unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Nano())
}

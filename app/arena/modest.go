package arena

import (
	"context"
	"os/exec"

	"github.com/tributary-dl/tributary/app/fleet"
)

// Crowd is how many members are too many for this machine to give each what a computer of its own would have.
const Crowd = 8

// modest is a place for one of a crowd. Twenty services on two processors shall not each behave as if they had two for
// themselves and wake to look for work that is not there. So a program gets one processor (Go's would start
// threads for all), and its timers may be 2 ms late: Go's runtime has a thread that otherwise wakes every 70 µs while anything
// runs, and these threads made most of the machine's task switches. In the flash crowd of e-speed, played
// 1.5 times slower, services took 94 ms of processor time for a MB with timers that may be half a millisecond late, 81 ms
// with 2, and 79 ms with 8, and were done after the same time. Rivals get the same.
type modest struct{ fleet.Place }

// Command implements fleet.Place. The process is the program's own: the shell becomes it.
func (m modest) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	const script = `echo 2000000 >/proc/self/timerslack_ns; export GOMAXPROCS=1; exec "$0" "$@"`
	return m.Place.Command(ctx, "sh", append([]string{"-c", script, name}, args...)...)
}

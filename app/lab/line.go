package lab

import "fmt"

// Rate is in bits a second, counted on the wire with all headers. Zero means as fast as the machine can.
type Rate int64

// Mbit is a million bits a second.
const Mbit Rate = 1_000_000

// Line is the rate of a connection, seen from the side that pays for it.
type Line struct {
	Down, Up Rate
}

const (
	// queueTime is how long a packet waits at most before a full line: enough for TCP to fill the line,
	// little for a modem (the laboratory adds no distance).
	queueTime = "100ms"
	// minBurst lets some packets pass together at slow rates, as a modem does.
	minBurst = 16 << 10 // bytes
)

// shape limits what leaves through dev with a token bucket. The bucket holds 2 ms of the rate: much
// more shows as a faster start, less cannot keep 1 Gbit/s full with the kernel's timers.
func shape(ns, dev string, rate Rate) error {
	if rate == 0 {
		return nil
	}
	burst := max(minBurst, int64(rate)/8/500)
	return run("", "tc", "-n", ns, "qdisc", "add", "dev", dev, "root", "tbf",
		"rate", fmt.Sprintf("%dbit", rate), "burst", fmt.Sprintf("%db", burst), "latency", queueTime)
}

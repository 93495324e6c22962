//go:build unix

package main

import "golang.org/x/sys/unix"

// processorTime returns the seconds of processor time that this process has used.
func processorTime() float64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

//go:build !linux

package manifest

import "time"

var started = time.Now()

// threadTime returns the time that has passed; other systems have no common clock of a thread.
func threadTime() time.Duration { return time.Since(started) }

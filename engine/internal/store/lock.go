package store

import (
	"errors"
	"os"
	"time"
)

// lockPoll is how often a lock that another process holds is tried again.
const lockPoll = 20 * time.Millisecond

// lockFile makes the file and takes it for this process, until it is closed. ErrInUse after timeout.
func lockFile(path string, timeout time.Duration) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(timeout); ; time.Sleep(lockPoll) {
		err = tryLock(f)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, ErrInUse) || time.Now().After(deadline) {
			f.Close()
			return nil, err
		}
	}
}

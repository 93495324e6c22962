//go:build unix

package service

// recoverAfterFailure does nothing: the unit of the service says what happens after a failure.
func recoverAfterFailure() error { return nil }

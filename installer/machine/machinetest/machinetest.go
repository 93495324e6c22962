// Package machinetest gives tests machines, and takes them away again.
package machinetest

import (
	"os"
	"testing"
)

// Full says whether whoever runs the tests wants all of them, and so no excuse: make test-install does.
func Full() bool { return os.Getenv("FULL") != "" }

// Require skips the test with a reason that is not nil, or fails it if all tests are wanted.
func Require(t *testing.T, reason error) {
	t.Helper()
	switch {
	case reason == nil:
	case Full():
		t.Fatal(reason)
	default:
		t.Skip(reason)
	}
}

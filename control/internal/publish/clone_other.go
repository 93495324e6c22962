//go:build !linux

package publish

import (
	"errors"
	"os"
)

// clone is left out where it needs the path of a file that does not exist yet (macOS) or a special
// volume (Windows); the caller copies.
func clone(_, _ *os.File) error { return errors.ErrUnsupported }

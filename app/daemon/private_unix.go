//go:build unix

package daemon

import "os"

func closeToOthers(dir string) error { return os.Chmod(dir, 0o700) }

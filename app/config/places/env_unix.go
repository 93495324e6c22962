//go:build unix

package places

import "os"

func machineEnv(name string) string { return os.Getenv(name) }

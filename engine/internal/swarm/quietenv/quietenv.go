// Package quietenv takes away the environment variables that the piece engine obeys: GOPPROF=http opens
// a debugging port, and a malformed TORRENT_ value is a panic. The engine reads them while packages are
// initialised, so an init function is the only place for it. The language specification orders
// initialisation by import path among packages whose imports are ready; this one needs only os and
// strings, the engine's reader of GOPPROF needs net/http, so this one is always first. It must never
// import anything else.
package quietenv

import (
	"os"
	"strings"
)

func init() {
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if name == "GOPPROF" || name == "PPROFFD" || strings.HasPrefix(name, "TORRENT_") {
			_ = os.Unsetenv(name) // a name that the environment holds is valid
		}
	}
}

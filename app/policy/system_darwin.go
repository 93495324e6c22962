package policy

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
)

// folder is where the administrator of this system puts policies that no device manager brings.
const folder = "/Library/Application Support/Tributary/policy.d"

// Managed preferences are written by the system from configuration profiles: those of this computer, and below them,
// with more weight, those of one user. Users cannot write there.
const (
	managed    = "/Library/Managed Preferences"
	preference = "io.tributary.Tributary.plist"
)

func systemDefaults() []source { return readFolder(folder) }

func systemPolicies() []source {
	paths := []string{filepath.Join(managed, preference)}
	if me, err := user.Current(); err == nil {
		paths = append(paths, filepath.Join(managed, me.Username, preference))
	}
	var all []source
	for _, path := range paths {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			all = append(all, readFile(path))
		}
	}
	return all
}

package places

import (
	"os"

	"golang.org/x/sys/windows"
)

// machineEnv is the environment, save that it asks the system itself for %ProgramData%: that of a service need not be
// the one that users and the installer see.
func machineEnv(name string) string {
	if name == "ProgramData" {
		if path, err := windows.KnownFolderPath(windows.FOLDERID_ProgramData, 0); err == nil {
			return path
		}
	}
	return os.Getenv(name)
}

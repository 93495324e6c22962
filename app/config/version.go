package config

import "runtime/debug"

// release is set by those who make packages: -ldflags "-X github.com/tributary-dl/tributary/app/config.release=VERSION".
var release string

// Version names this build: the release it was packaged as, else the module's version if it was built from one, else
// the revision it was built from, else "devel".
func Version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}

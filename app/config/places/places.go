// Package places says where the files of one user's service live, by the customs of each system. It is apart from the rest of
// the configuration, which knows certificates, because the tray needs nothing else of it and must stay small. It
// must never make a folder or read a file.
package places

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
)

// Places says where the files of a service live: one user's, or the machine's.
type Places struct {
	Data   string // state, device key, finished objects that are shared
	Log    string // the log file
	Socket string // the local API: a Unix socket, or a Windows named pipe
}

// Default returns the places of the user who runs this program, by the customs of the system:
// the XDG base directories on Linux, ~/Library on macOS, %LocalAppData% on Windows.
func Default() (Places, error) {
	me, err := user.Current()
	if err != nil {
		return Places{}, fmt.Errorf("find the current user: %w", err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = me.HomeDir // a service may start without HOME
	}
	if home == "" && runtime.GOOS != "windows" {
		return Places{}, errors.New("this user has no home folder; give --data and --socket")
	}
	return placesOn(runtime.GOOS, home, me.Uid, os.Getenv), nil
}

// Machine returns the places of the service that works for every user of this machine. A service manager may
// name others: systemd does, by StateDirectory= and RuntimeDirectory=.
func Machine() Places { return machinePlacesOn(runtime.GOOS, machineEnv) }

// MachineSocket returns where the machine's service is found by those who use it, whoever started them.
func MachineSocket() string {
	return machinePlacesOn(runtime.GOOS, func(string) string { return "" }).Socket
}

func machinePlacesOn(goos string, env func(string) string) Places {
	switch goos {
	case "windows":
		data := filepath.Join(folder(env("ProgramData"), `C:\ProgramData`), "Tributary")
		return Places{
			Data:   data,
			Log:    filepath.Join(data, "tributaryd.log"),
			Socket: `\\.\pipe\tributary`,
		}
	case "darwin":
		data := "/Library/Application Support/Tributary"
		return Places{
			Data:   filepath.Join(data, "state"),
			Log:    "/Library/Logs/Tributary/tributaryd.log",
			Socket: filepath.Join(data, "run", "ctl.sock"),
		}
	}
	data := folder(first(env("STATE_DIRECTORY")), "/var/lib/tributary")
	return Places{
		Data:   data,
		Log:    filepath.Join(data, "tributaryd.log"),
		Socket: filepath.Join(folder(first(env("RUNTIME_DIRECTORY")), "/run/tributary"), "ctl.sock"),
	}
}

// first returns the first of the folders that systemd lists with colons between them.
func first(list string) string {
	one, _, _ := strings.Cut(list, ":")
	return one
}

// placesOn is Default for any system, so that each can be tested on one.
func placesOn(goos, home, uid string, env func(string) string) Places {
	switch goos {
	case "windows":
		local := folder(env("LocalAppData"), home, "AppData", "Local")
		data := filepath.Join(local, "Tributary")
		return Places{
			Data:   data,
			Log:    filepath.Join(data, "tributaryd.log"),
			Socket: `\\.\pipe\tributary-` + uid, // uid is a SID here; pipes of all users share one folder
		}
	case "darwin":
		data := filepath.Join(home, "Library", "Application Support", "Tributary")
		return Places{
			Data:   data,
			Log:    filepath.Join(home, "Library", "Logs", "Tributary", "tributaryd.log"),
			Socket: filepath.Join(data, "run", "tributaryd.sock"),
		}
	}
	data := filepath.Join(folder(env("XDG_DATA_HOME"), home, ".local", "share"), "tributary")
	// Without a session there is no runtime folder, and none under /tmp can be trusted.
	run := filepath.Join(data, "run")
	if runtime := env("XDG_RUNTIME_DIR"); filepath.IsAbs(runtime) {
		run = filepath.Join(runtime, "tributary")
	}
	return Places{
		Data:   data,
		Log:    filepath.Join(folder(env("XDG_STATE_HOME"), home, ".local", "state"), "tributary", "tributaryd.log"),
		Socket: filepath.Join(run, "tributaryd.sock"),
	}
}

// folder returns what the environment names if that is absolute (the XDG specification says to ignore
// anything else), and otherwise the fallback.
func folder(named string, fallback ...string) string {
	if filepath.IsAbs(named) || strings.Contains(named, `:\`) {
		return named
	}
	return filepath.Join(fallback...)
}

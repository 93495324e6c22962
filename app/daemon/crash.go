package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
)

// Names in the data folder.
const (
	crashFile    = "crash.txt"          // where the runtime writes when this process dies of a panic
	previousFile = "crash-previous.txt" // how an earlier one died
)

// catchCrashes lets the runtime write the stacks of a fatal panic to a file, since some happen on
// goroutines of libraries where nobody can recover. It also says if the last run ended so.
func catchCrashes(dir string, log *slog.Logger) error {
	path, previous := filepath.Join(dir, crashFile), filepath.Join(dir, previousFile)
	info, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for a crash: %w", err)
	}
	if err == nil && info.Size() > 0 {
		if err := os.Rename(path, previous); err != nil {
			return fmt.Errorf("keep the record of a crash: %w", err)
		}
		log.Error("the service crashed before; nothing durable is lost", "when", info.ModTime(), "record", previous)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("prepare for a crash: %w", err)
	}
	// The runtime keeps a descriptor of its own.
	return errors.Join(debug.SetCrashOutput(file, debug.CrashOptions{}), file.Close())
}

//go:build darwin && !cgo

package tray

import (
	"errors"
	"log/slog"

	"github.com/tributary-dl/tributary/app/desktop"
)

// Run says that this build has no tray.
func Run(desktop.Options, *slog.Logger) error {
	return errors.New("this program was built without its tray; on macOS build it with cgo")
}

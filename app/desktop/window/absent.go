//go:build !desktop

package window

import (
	"errors"
	"log/slog"

	"github.com/tributary-dl/tributary/app/desktop"
)

// Run says that this build has no window.
func Run(desktop.Options, []string, *slog.Logger) error {
	return errors.New("this program was built without its window; build it with the tag desktop")
}

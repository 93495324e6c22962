//go:build !linux && !windows && (!darwin || cgo)

package tray

import (
	"log/slog"
	"os/exec"

	"github.com/tributary-dl/tributary/app/desktop"
	"github.com/tributary-dl/tributary/ui/tray"
)

// notifier shows notifications through AppleScript, the way in that needs no signed bundle.
type notifier struct{ log *slog.Logger }

func newNotifier(_ desktop.Place, log *slog.Logger) *notifier { return &notifier{log: log} }

func (n *notifier) tell(notice tray.Notice, _ tray.Words) {
	// The texts are arguments, so that no character of a file's name is code.
	script := `on run argv
display notification (item 2 of argv) with title (item 1 of argv)
end run`
	if err := exec.Command("/usr/bin/osascript", "-e", script, notice.Title, notice.Text).Run(); err != nil {
		n.log.Warn("a notification was not shown", "err", err)
	}
}

func (n *notifier) close() {}

// iconFile returns what this system's tray takes: a PNG.
func iconFile(png []byte) []byte { return png }

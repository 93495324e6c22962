package tray

import (
	"encoding/binary"
	"log/slog"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/windows"

	"github.com/tributary-dl/tributary/app/desktop"
	"github.com/tributary-dl/tributary/ui/tray"
)

// notifier shows toasts through PowerShell, the way in that needs no COM and no registered shortcut.
type notifier struct{ log *slog.Logger }

func newNotifier(_ desktop.Place, log *slog.Logger) *notifier { return &notifier{log: log} }

// The texts travel in the environment, so that no character of a file's name is code.
const toast = `[Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime] > $null
$t = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent([Windows.UI.Notifications.ToastTemplateType]::ToastText02)
$x = $t.GetElementsByTagName('text')
$x[0].AppendChild($t.CreateTextNode($env:TRIBUTARY_TITLE)) > $null
$x[1].AppendChild($t.CreateTextNode($env:TRIBUTARY_TEXT)) > $null
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier('Tributary').Show([Windows.UI.Notifications.ToastNotification]::new($t))`

func (n *notifier) tell(notice tray.Notice, _ tray.Words) {
	c := exec.Command("powershell.exe", "-NoProfile", "-NonInteractive", "-Command", "-")
	c.Stdin = strings.NewReader(toast)
	c.Env = append(c.Environ(), "TRIBUTARY_TITLE="+notice.Title, "TRIBUTARY_TEXT="+notice.Text)
	c.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NO_WINDOW}
	if err := c.Run(); err != nil {
		n.log.Warn("a notification was not shown", "err", err)
	}
}

func (n *notifier) close() {}

// iconFile returns what this system's tray takes: an ICO file with the PNG in it.
func iconFile(png []byte) []byte {
	const header, side = 22, 64
	ico := binary.LittleEndian.AppendUint16(nil, 0) // reserved
	ico = binary.LittleEndian.AppendUint16(ico, 1)  // an icon
	ico = binary.LittleEndian.AppendUint16(ico, 1)  // with one picture
	ico = append(ico, side, side, 0, 0)             // of this size, no palette
	ico = binary.LittleEndian.AppendUint16(ico, 1)  // planes
	ico = binary.LittleEndian.AppendUint16(ico, 32) // bits a pixel
	ico = binary.LittleEndian.AppendUint32(ico, uint32(len(png)))
	ico = binary.LittleEndian.AppendUint32(ico, header)
	return append(ico, png...)
}

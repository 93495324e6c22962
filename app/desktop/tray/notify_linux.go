package tray

import (
	"log/slog"
	"sync"

	"github.com/godbus/dbus/v5"

	"github.com/tributary-dl/tributary/app/desktop"
	"github.com/tributary-dl/tributary/ui/tray"
)

// notifier shows notifications (freedesktop.org, Desktop Notifications 1.3) and does what is clicked on them.
type notifier struct {
	place desktop.Place
	log   *slog.Logger
	bus   *dbus.Conn // nil: there is no session bus, and nothing is shown
	wg    sync.WaitGroup

	mu      sync.Mutex
	paths   map[uint32]string // by the notification's number
	telling int               // notifications whose numbers have not been read yet
	early   map[uint32]string // actions chosen of what may be one of those
}

const (
	notifyName = "org.freedesktop.Notifications"
	notifyPath = "/org/freedesktop/Notifications"
)

func newNotifier(place desktop.Place, log *slog.Logger) *notifier {
	n := &notifier{place: place, log: log, paths: map[uint32]string{}, early: map[uint32]string{}}
	bus, err := dbus.ConnectSessionBus()
	if err != nil {
		log.Warn("there is no session bus; notifications are not shown", "err", err)
		return n
	}
	n.bus = bus
	for _, signal := range []string{"ActionInvoked", "NotificationClosed"} {
		if err := bus.AddMatchSignal(dbus.WithMatchInterface(notifyName), dbus.WithMatchMember(signal)); err != nil {
			log.Warn("clicks on notifications do nothing", "err", err)
		}
	}
	signals := make(chan *dbus.Signal, 16)
	bus.Signal(signals)
	n.wg.Go(func() {
		for s := range signals { // closed with the bus
			n.clicked(s)
		}
	})
	return n
}

func (n *notifier) tell(notice tray.Notice, w tray.Words) {
	if n.bus == nil {
		return
	}
	var actions []string
	if notice.Path != "" {
		actions = []string{"default", w.L("Open"), "open", w.L("Open"), "folder", w.L("Show in folder")}
	}
	urgency := byte(1)
	if notice.Urgent {
		urgency = 2
	}
	hints := map[string]dbus.Variant{"urgency": dbus.MakeVariant(urgency), "desktop-entry": dbus.MakeVariant("tributary")}
	const replacesNone, systemsTime = uint32(0), int32(-1)
	n.mu.Lock()
	n.telling++
	n.mu.Unlock()
	var number uint32
	err := n.bus.Object(notifyName, notifyPath).Call(notifyName+".Notify", 0,
		"Tributary", replacesNone, "tributary", notice.Title, notice.Text, actions, hints, systemsTime).Store(&number)
	if err != nil {
		n.log.Warn("a notification was not shown", "err", err)
		notice.Path = ""
	}
	if action, chosen := n.shown(number, notice.Path); chosen {
		n.do(action, notice.Path)
	}
}

// shown keeps what a notification is about, and returns which of its actions was chosen before its number was known here:
// answers and signals come by different goroutines.
func (n *notifier) shown(number uint32, path string) (action string, chosen bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	action, chosen = n.early[number]
	if path != "" {
		n.paths[number] = path
	}
	if n.telling--; n.telling == 0 {
		clear(n.early)
	}
	return action, chosen
}

func (n *notifier) clicked(s *dbus.Signal) {
	if len(s.Body) < 2 {
		return
	}
	number, _ := s.Body[0].(uint32)
	action, _ := s.Body[1].(string)
	chosen := s.Name == notifyName+".ActionInvoked"
	n.mu.Lock()
	path, known := n.paths[number]
	switch {
	case !chosen:
		delete(n.paths, number)
	case !known && n.telling > 0:
		n.early[number] = action
	}
	n.mu.Unlock()
	if chosen {
		n.do(action, path)
	}
}

// do opens the file of a notification, or its folder. Notifications of other programs have no path.
func (n *notifier) do(action, path string) {
	var err error
	switch {
	case path == "":
		return
	case action == "folder":
		err = n.place.Reveal(path)
	default:
		err = n.place.Open(path)
	}
	if err != nil {
		n.log.Warn("what a notification offered failed", "err", err)
	}
}

func (n *notifier) close() {
	if n.bus != nil {
		_ = n.bus.Close()
	}
	n.wg.Wait()
}

// iconFile returns what this system's tray takes: a PNG.
func iconFile(png []byte) []byte { return png }

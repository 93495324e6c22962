// Package panel is a desktop's panel that nobody sees: a message bus of its own, with us in the place of the host of tray
// icons and of the notification daemon. Tests and measurements use it to look at the real tray and to click on it. It
// must never be imported by a program that users run.
package panel

import (
	"bufio"
	"fmt"
	"os/exec"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"
)

// Names on the bus (freedesktop.org and KDE).
const (
	watcher      = "org.kde.StatusNotifierWatcher"
	item         = "org.kde.StatusNotifierItem"
	itemPath     = "/StatusNotifierItem"
	menu         = "com.canonical.dbusmenu"
	menuPath     = "/StatusNotifierItem/menu"
	notifier     = "org.freedesktop.Notifications"
	notifierPath = "/org/freedesktop/Notifications"
)

// Panel is a running bus with its panel. All methods may be called at the same time.
type Panel struct {
	// Address is where programs find the bus: DBUS_SESSION_BUS_ADDRESS.
	Address string
	// Items yields the name of each tray icon that registers, Notices each notification. They are to be read.
	Items   chan string
	Notices chan Notice

	daemon *exec.Cmd
	bus    *dbus.Conn
	wg     sync.WaitGroup
	mu     sync.Mutex
	number uint32 // of the last notification
}

// Notice is one notification. Actions are pairs of a key and its text.
type Notice struct {
	Number      uint32
	Title, Text string
	Actions     []string
	from        string // the program's name on the bus
}

// Missing names the Debian package without which there is no bus, "" where it is installed.
func Missing() string {
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		return "dbus"
	}
	return ""
}

// Open starts a bus and takes its names. Close ends it.
func Open() (*Panel, error) {
	p := &Panel{Items: make(chan string, 8), Notices: make(chan Notice, 64)}
	p.daemon = exec.Command("dbus-daemon", "--session", "--nofork", "--print-address") //nolint:noctx // Close ends it
	out, err := p.daemon.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.daemon.Start(); err != nil {
		return nil, fmt.Errorf("start a bus (Debian: dbus): %w", err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err == nil {
		p.Address = strings.TrimSpace(address)
		p.bus, err = dbus.Connect(p.Address)
	}
	if err == nil {
		err = p.serve()
	}
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("be a panel: %w", err)
	}
	return p, nil
}

func (p *Panel) serve() error {
	for name, path := range map[string]dbus.ObjectPath{watcher: "/StatusNotifierWatcher", notifier: notifierPath} {
		if err := p.bus.Export((*services)(p), path, name); err != nil {
			return err
		}
		if err := p.bus.Export(hosted{}, path, "org.freedesktop.DBus.Properties"); err != nil {
			return err
		}
		if _, err := p.bus.RequestName(name, dbus.NameFlagDoNotQueue); err != nil {
			return err
		}
	}
	return nil
}

// services are the methods that the bus may call.
type services Panel

// RegisterStatusNotifierItem implements the watcher. Items name their path; who they are is on the envelope.
func (s *services) RegisterStatusNotifierItem(_ string, from dbus.Sender) *dbus.Error {
	s.Items <- string(from)
	return nil
}

// Notify implements org.freedesktop.Notifications.
func (s *services) Notify(_ string, _ uint32, _, title, text string, actions []string, _ map[string]dbus.Variant, _ int32, from dbus.Sender) (uint32, *dbus.Error) {
	s.mu.Lock()
	s.number++
	n := Notice{Number: s.number, Title: title, Text: text, Actions: actions, from: string(from)}
	s.mu.Unlock()
	s.Notices <- n
	return n.Number, nil
}

// hosted answers those who ask whether the icons that they register will be seen.
type hosted struct{}

// Get implements org.freedesktop.DBus.Properties.
func (hosted) Get(_, name string) (dbus.Variant, *dbus.Error) {
	return dbus.MakeVariant(name == "IsStatusNotifierHostRegistered"), nil
}

// Choose clicks on an action of a notification.
func (p *Panel) Choose(n Notice, action string) error {
	return p.bus.Emit(notifierPath, notifier+".ActionInvoked", n.Number, action)
}

// Tap clicks on an icon.
func (p *Panel) Tap(name string) error {
	return p.bus.Object(name, itemPath).Call(item+".Activate", 0, int32(0), int32(0)).Err
}

// Entry is an item of an icon's menu.
type Entry struct {
	Label            string
	Enabled, Checked bool
	id               int32
}

// Menu reads the menu of an icon as panels do. Entries that are hidden are left out.
func (p *Panel) Menu(name string) ([]Entry, error) {
	type node struct {
		ID         int32
		Properties map[string]dbus.Variant
		Children   []dbus.Variant
	}
	var revision uint32
	var root node
	call := p.bus.Object(name, menuPath).Call(menu+".GetLayout", 0, int32(0), int32(-1), []string{})
	if err := call.Store(&revision, &root); err != nil {
		return nil, fmt.Errorf("read the menu: %w", err)
	}
	var entries []Entry
	for _, c := range root.Children {
		var n node
		if err := dbus.Store([]any{c.Value()}, &n); err != nil {
			return nil, fmt.Errorf("read the menu: %w", err)
		}
		property := func(name string, otherwise bool) bool {
			if v, ok := n.Properties[name].Value().(bool); ok {
				return v
			}
			return otherwise
		}
		label, _ := n.Properties["label"].Value().(string)
		if label == "" || !property("visible", true) {
			continue
		}
		state, _ := n.Properties["toggle-state"].Value().(int32)
		entries = append(entries, Entry{Label: label, Enabled: property("enabled", true), Checked: state == 1, id: n.ID})
	}
	return entries, nil
}

// Click clicks on an entry of an icon's menu.
func (p *Panel) Click(name, label string) error {
	entries, err := p.Menu(name)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Label == label {
			return p.bus.Object(name, menuPath).Call(menu+".Event", 0, e.id, "clicked", dbus.MakeVariant(""), uint32(0)).Err
		}
	}
	return fmt.Errorf("the menu has no %q: %+v", label, entries)
}

// Follow reads an icon's menu and properties whenever it says that they have changed, as a panel with an open menu does, until Close.
// It makes the icon do the work that it does on a real desktop.
func (p *Panel) Follow(name string) error {
	for _, i := range []string{menu, item, "org.freedesktop.DBus.Properties"} {
		if err := p.bus.AddMatchSignal(dbus.WithMatchInterface(i)); err != nil {
			return err
		}
	}
	changes := make(chan *dbus.Signal, 64)
	p.bus.Signal(changes)
	p.wg.Go(func() {
		for range changes { // closed with the bus
			for len(changes) > 0 {
				<-changes
			}
			_, _ = p.Menu(name) // an icon that is gone has no menu
		}
	})
	return nil
}

// Close ends the bus.
func (p *Panel) Close() {
	if p.bus != nil {
		_ = p.bus.Close()
	}
	p.wg.Wait()
	_ = p.daemon.Process.Kill()
	_ = p.daemon.Wait() // it was killed
}

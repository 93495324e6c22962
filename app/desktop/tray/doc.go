// Package tray is the composition root of the tray: it gives the decisions of ui/tray an icon, a menu and notifications, and
// the service's events. It links no toolkit and, save on macOS, needs no cgo: it runs all day. It must never hold
// behaviour of its own.
package tray

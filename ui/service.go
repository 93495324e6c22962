// Package ui is the window: pages over snapshots of downloads, commands to the service, one table of keys. It sees the
// service through the small interface Service and the computer through Desktop, so that tests give it others. All widgets
// belong to one goroutine; what comes from another one goes through Config.Do. It must never import the engine, its client, or
// a driver of the toolkit.
package ui

import (
	"context"
	"iter"
	"time"

	"fyne.io/fyne/v2"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/ui/model"
)

// Service is what the window asks of the background service. All calls may take long; none is made on the
// goroutine of the user interface.
type Service interface {
	Watch(ctx context.Context) iter.Seq2[api.Event, error]
	Download(ctx context.Context, id string) (api.Detail, error)
	Add(ctx context.Context, r api.AddRequest) (api.Download, error)
	Probe(ctx context.Context, r api.AddRequest) (api.Probe, error)
	ReadLinkFile(ctx context.Context, data []byte) ([]api.LinkedFile, error)
	Pause(ctx context.Context, id string) error
	Resume(ctx context.Context, id string) error
	Cancel(ctx context.Context, id string) error
	Remove(ctx context.Context, id string, deleteFile bool) error
	Move(ctx context.Context, id string, priority int) error
	SetSettings(ctx context.Context, p api.SettingsPatch) (api.Settings, error)
	Policy(ctx context.Context) ([]api.Effective, error)
	Status(ctx context.Context) (api.Status, error)
	Sharing(ctx context.Context) (api.SharingStatus, error)
	Held(ctx context.Context) ([]api.Held, error)
	StopSharing(ctx context.Context, contentID string) error
	Doctor(ctx context.Context) ([]api.Check, error)
	Diagnostics(ctx context.Context) ([]string, error)
}

// Desktop is what the window asks of the computer.
type Desktop interface {
	// Open opens a file with the program that the user has for it.
	Open(path string) error
	// Reveal shows a file in the user's file manager.
	Reveal(path string) error
	// ReadLinkFile returns the content of a file that names downloads, with the rights of the user.
	ReadLinkFile(path string) ([]byte, error)
	// StartService starts the service for this user and returns when it was started or could not be.
	StartService(ctx context.Context) error
	// StartsAtLogin and SetStartAtLogin are about the tray.
	StartsAtLogin() bool
	SetStartAtLogin(on bool) error
	// HasTray says whether the desktop shows the tray's icon. It may ask the desktop, and wait.
	HasTray() bool
}

// Config is what a window needs. All fields must be set.
type Config struct {
	Service Service
	Desktop Desktop
	App     fyne.App
	Window  fyne.Window
	// Do runs a function on the goroutine of the user interface, later, in order. In production it is fyne.Do.
	Do func(func())
	// Now is the time; tests stop it.
	Now             func() time.Time
	Preferences     model.Preferences
	SavePreferences func(model.Preferences) error
	// About is one line on which service is spoken to, for the settings page.
	About string
}

// apiVersion is the version of the words in engine/api that this program speaks.
const apiVersion = 1

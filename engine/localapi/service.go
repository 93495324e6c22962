package localapi

import (
	"context"
	"iter"
	"os"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// Service is what the socket offers: the engine, as seen from here. Errors that carry an *api.Error are
// shown to the caller as they are; all others are logged and shown as an internal error.
type Service interface {
	Add(ctx context.Context, request api.AddRequest) (api.Download, error)
	// AddFor is Add for a user of the machine, with the empty file request.Part in request.Dir that the user has
	// opened; nil: none came. AddFor, Hand and Named take the file over.
	AddFor(ctx context.Context, owner string, file *os.File, request api.AddRequest) (api.Download, error)
	// Owner returns the user whose download it is, "" where all are one user's.
	Owner(id string) (string, error)
	// Hand gives a download its unfinished file again, which its owner calls name.
	Hand(ctx context.Context, id string, file *os.File, name string) error
	// Named tells that the owner has named the finished file.
	Named(ctx context.Context, id string, file *os.File, name string) error
	// Probe says what a link leads to, and keeps nothing.
	Probe(ctx context.Context, request api.AddRequest) (api.Probe, error)
	// ReadLinkFile says which downloads a Metalink or torrent names.
	ReadLinkFile(ctx context.Context, file api.LinkFile) ([]api.LinkedFile, error)
	List() []api.Download
	Get(ctx context.Context, id string) (api.Detail, error)
	Pause(ctx context.Context, id string) error
	Resume(ctx context.Context, id string) error
	// Cancel drops the download and its part file.
	Cancel(ctx context.Context, id string) error
	// Remove forgets the download, and deletes the finished file only if deleteFile.
	Remove(ctx context.Context, id string, deleteFile bool) error
	// Move changes the place in the queue; a smaller priority comes first.
	Move(ctx context.Context, id string, priority int) error

	Settings() api.Settings
	// SetSettings changes what is present in patch and takes back what the user has said of the settings in reset, all of
	// it or nothing.
	SetSettings(ctx context.Context, patch api.SettingsPatch, reset ...string) (api.Settings, error)
	// Effective lists each setting with the value in force and who set it.
	Effective() []api.Effective
	// ReloadPolicy reads anew what an administrator has decided. On an error the last good policy holds.
	ReloadPolicy(ctx context.Context) error

	Status() api.Status
	Sharing() api.SharingStatus
	// Held lists the finished objects on disk that peers can be given.
	Held() []api.Held
	// StopSharing ends the offer of one object to peers. The user's file stays.
	StopSharing(ctx context.Context, contentID string) error
	// Watch yields every download with an event with Synced at the end, then the newest snapshots of what has changed, not
	// oftener than every, until ctx ends.
	Watch(ctx context.Context, every time.Duration) iter.Seq[[]api.Event]
	Doctor(ctx context.Context) []api.Check
	// Diagnostics returns the newest lines of the log, oldest first.
	Diagnostics() []string
}

// Package client calls the local API: one method per call, over a Unix socket or a Windows named pipe.
// It holds no state of downloads and must never link the engine; programs that show or steer the
// service (window, tray, command line) stay small because of it.
package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/client/internal/http1"
)

// maxAnswer bounds what is read of one answer, in bytes; a piece map and sources of one download, or
// some ten thousand downloads, fit well.
const maxAnswer = 64 << 20

// Client speaks to the service at Socket. Set the fields before the first call and leave them alone
// after it; all methods may be called at the same time.
type Client struct {
	// Socket is the path of the service's Unix socket, or the name of its pipe.
	Socket string
	// Else is dialled when nobody answers at Socket; "": nothing is.
	Else string
	// Dial replaces the connection to Socket, for tests. Nil: Socket is dialled.
	Dial func(ctx context.Context) (net.Conn, error)
}

// Methods of the local API.
const (
	get   = "GET"
	post  = "POST"
	patch = "PATCH"
	del   = "DELETE"
)

// Downloads returns every download, in queue order.
func (c *Client) Downloads(ctx context.Context) ([]api.Download, error) {
	return call[[]api.Download](ctx, c, get, "/v1/downloads", nil)
}

// Download returns one download with its sources, piece map and timeline.
func (c *Client) Download(ctx context.Context, id string) (api.Detail, error) {
	return call[api.Detail](ctx, c, get, downloadPath(id, ""), nil)
}

// Add asks for a download. On an error nothing has changed. To a service for the whole machine, which may not open
// files of users, it hands over an open one, in the user's own folder for downloads if request.Dir is empty.
func (c *Client) Add(ctx context.Context, request api.AddRequest) (api.Download, error) {
	d, err := call[api.Download](ctx, c, post, "/v1/downloads", request)
	if api.CodeOf(err) == api.ErrNeedsFile {
		return c.addHanded(ctx, request)
	}
	return d, err
}

// Probe says what a link leads to; nothing is kept of it.
func (c *Client) Probe(ctx context.Context, request api.AddRequest) (api.Probe, error) {
	return call[api.Probe](ctx, c, post, "/v1/probe", request)
}

// ReadLinkFile says which downloads the content of a Metalink or torrent names.
func (c *Client) ReadLinkFile(ctx context.Context, data []byte) ([]api.LinkedFile, error) {
	return call[[]api.LinkedFile](ctx, c, post, "/v1/linkfile", api.LinkFile{Data: data})
}

// Pause lets a download rest until Resume.
func (c *Client) Pause(ctx context.Context, id string) error {
	return c.do(ctx, post, downloadPath(id, "/pause"), nil)
}

// Resume undoes Pause, and tries a failed download again.
func (c *Client) Resume(ctx context.Context, id string) error {
	err := c.do(ctx, post, downloadPath(id, "/resume"), nil)
	if api.CodeOf(err) == api.ErrNeedsFile {
		return c.resumeHanded(ctx, id)
	}
	return err
}

// Cancel drops a download and its part file.
func (c *Client) Cancel(ctx context.Context, id string) error {
	return c.clearAway(ctx, post, downloadPath(id, "/cancel"))
}

// Remove forgets a download. It deletes the finished file only if deleteFile.
func (c *Client) Remove(ctx context.Context, id string, deleteFile bool) error {
	path := downloadPath(id, "")
	if deleteFile {
		path += "?file=1"
	}
	return c.clearAway(ctx, del, path)
}

// Move changes a download's place in the queue; a smaller priority comes first.
func (c *Client) Move(ctx context.Context, id string, priority int) error {
	return c.do(ctx, post, downloadPath(id, "/move"), api.MoveRequest{Priority: priority})
}

// Settings returns the settings in force.
func (c *Client) Settings(ctx context.Context) (api.Settings, error) {
	return call[api.Settings](ctx, c, get, "/v1/settings", nil)
}

// SetSettings changes the settings that are present in p, all or none, and returns those in force.
func (c *Client) SetSettings(ctx context.Context, p api.SettingsPatch) (api.Settings, error) {
	return c.ChangeSettings(ctx, api.SettingsChange{SettingsPatch: p})
}

// ChangeSettings is SetSettings that can also take choices back.
func (c *Client) ChangeSettings(ctx context.Context, change api.SettingsChange) (api.Settings, error) {
	return call[api.Settings](ctx, c, patch, "/v1/settings", change)
}

// Policy returns each setting with the value in force and who set it.
func (c *Client) Policy(ctx context.Context) ([]api.Effective, error) {
	return call[[]api.Effective](ctx, c, get, "/v1/policy", nil)
}

// ReloadPolicy lets the service read anew what an administrator has decided. On an error the last good policy holds.
func (c *Client) ReloadPolicy(ctx context.Context) error {
	return c.do(ctx, post, "/v1/policy/reload", nil)
}

// Status returns what the service says of itself.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return call[api.Status](ctx, c, get, "/v1/status", nil)
}

// Sharing returns what has been sent to peers, and what is held for them.
func (c *Client) Sharing(ctx context.Context) (api.SharingStatus, error) {
	return call[api.SharingStatus](ctx, c, get, "/v1/sharing", nil)
}

// Held lists the finished objects on disk that peers can be given, the newest first.
func (c *Client) Held(ctx context.Context) ([]api.Held, error) {
	return call[[]api.Held](ctx, c, get, "/v1/held", nil)
}

// StopSharing ends the offer of one object to peers. The user's file stays.
func (c *Client) StopSharing(ctx context.Context, contentID string) error {
	return c.do(ctx, del, "/v1/sharing/"+url.PathEscape(contentID), nil)
}

// Doctor lets the service examine itself; it may take some seconds.
func (c *Client) Doctor(ctx context.Context) ([]api.Check, error) {
	return call[[]api.Check](ctx, c, get, "/v1/doctor", nil)
}

// Diagnostics returns the newest lines of the service's log, oldest first.
func (c *Client) Diagnostics(ctx context.Context) ([]string, error) {
	return call[[]string](ctx, c, get, "/v1/diagnostics", nil)
}

func downloadPath(id, action string) string {
	return "/v1/downloads/" + url.PathEscape(id) + action
}

// call sends one request and decodes its answer.
func call[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	return callWith[T](ctx, c, nil, method, path, body)
}

// callWith is call with an open file; nil: without.
func callWith[T any](ctx context.Context, c *Client, file *os.File, method, path string, body any) (answer T, err error) {
	r, err := c.send(ctx, file, method, path, body)
	if err != nil {
		return answer, err
	}
	defer r.close()
	if err := json.NewDecoder(io.LimitReader(r.Body, maxAnswer)).Decode(&answer); err != nil {
		if ctx.Err() != nil {
			return answer, ctx.Err()
		}
		return answer, fmt.Errorf("read the service's answer to %s %s: %w", method, path, err)
	}
	return answer, nil
}

// do sends one request whose answer says only that it was done.
func (c *Client) do(ctx context.Context, method, path string, body any) error {
	r, err := c.send(ctx, nil, method, path, body)
	if err != nil {
		return err
	}
	r.close()
	return nil
}

// doWith is a POST with an open file whose answer says only that it was done.
func (c *Client) doWith(ctx context.Context, file *os.File, path string, body any) error {
	r, err := c.send(ctx, file, post, path, body)
	if err != nil {
		return err
	}
	r.close()
	return nil
}

// answer is what the service says, and the connection it says it on.
type answer struct {
	*http1.Response
	close func() // the caller must, when it has read enough
}

// send returns the answer to a request. A refusal is an *api.Error, a service that cannot be reached an error that is
// ErrUnreachable. Each call has a connection of its own: on one machine that costs microseconds, and one that
// was kept may be dead by the time it is needed. A copy of file, if there is one, goes with the request.
func (c *Client) send(ctx context.Context, file *os.File, method, path string, body any) (answer, error) {
	request := http1.Request{Method: method, Target: path, Host: api.LocalHost, JSON: method == post || method == patch}
	if body != nil {
		var err error
		if request.Body, err = json.Marshal(body); err != nil {
			return answer{}, fmt.Errorf("encode the request: %w", err)
		}
	}
	conn, err := c.dial(ctx, file != nil)
	if err != nil {
		return answer{}, dialFault(ctx, c.Socket, err)
	}
	// The connection knows no context: its end ends whatever waits on it.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	hangUp := func() { stop(); _ = conn.Close() } // all that was wanted of it has been read
	channel := conn
	if file != nil {
		if channel, err = carrying(conn, file); err != nil {
			hangUp()
			return answer{}, err
		}
	}
	r, err := http1.Exchange(channel, request)
	if err != nil {
		hangUp()
		return answer{}, callFault(ctx, c.Socket, err)
	}
	if r.Code >= 300 {
		defer hangUp()
		return answer{}, refused(r)
	}
	return answer{r, hangUp}, nil
}

// dial connects to the service, for a call that hands a file over or not.
func (c *Client) dial(ctx context.Context, handing bool) (net.Conn, error) {
	if c.Dial != nil {
		return c.Dial(ctx)
	}
	conn, err := dialSocket(ctx, c.Socket, handing)
	if err == nil || c.Else == "" || ctx.Err() != nil {
		return conn, err
	}
	if other, otherErr := dialSocket(ctx, c.Else, handing); otherErr == nil {
		return other, nil
	}
	return nil, err
}

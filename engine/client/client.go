// Package client calls the local API: one method per call, over a Unix socket or a Windows named pipe.
// It holds no state of downloads and must never link the engine; programs that show or steer the
// service (window, tray, command line) stay small because of it.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"

	"github.com/tributary-dl/tributary/engine/api"
)

// maxAnswer bounds what is read of one answer, in bytes; a piece map and sources of one download, or
// some ten thousand downloads, fit well.
const maxAnswer = 64 << 20

// Client speaks to the service at Socket. Set the fields before the first call and leave them alone
// after it; all methods may be called at the same time.
type Client struct {
	// Socket is the path of the service's Unix socket, or the name of its pipe.
	Socket string
	// Dial replaces the connection to Socket, for tests. Nil: Socket is dialled.
	Dial func(ctx context.Context) (net.Conn, error)

	once sync.Once
	http *http.Client
}

// Downloads returns every download, in queue order.
func (c *Client) Downloads(ctx context.Context) ([]api.Download, error) {
	return call[[]api.Download](ctx, c, http.MethodGet, "/v1/downloads", nil)
}

// Download returns one download with its sources, piece map and timeline.
func (c *Client) Download(ctx context.Context, id string) (api.Detail, error) {
	return call[api.Detail](ctx, c, http.MethodGet, downloadPath(id, ""), nil)
}

// Add asks for a download. On an error nothing has changed.
func (c *Client) Add(ctx context.Context, request api.AddRequest) (api.Download, error) {
	return call[api.Download](ctx, c, http.MethodPost, "/v1/downloads", request)
}

// Probe says what a link leads to; nothing is kept of it.
func (c *Client) Probe(ctx context.Context, request api.AddRequest) (api.Probe, error) {
	return call[api.Probe](ctx, c, http.MethodPost, "/v1/probe", request)
}

// ReadLinkFile says which downloads the content of a Metalink or torrent names.
func (c *Client) ReadLinkFile(ctx context.Context, data []byte) ([]api.LinkedFile, error) {
	return call[[]api.LinkedFile](ctx, c, http.MethodPost, "/v1/linkfile", api.LinkFile{Data: data})
}

// Pause lets a download rest until Resume.
func (c *Client) Pause(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodPost, downloadPath(id, "/pause"), nil)
}

// Resume undoes Pause, and tries a failed download again.
func (c *Client) Resume(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodPost, downloadPath(id, "/resume"), nil)
}

// Cancel drops a download and its part file.
func (c *Client) Cancel(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodPost, downloadPath(id, "/cancel"), nil)
}

// Remove forgets a download. It deletes the finished file only if deleteFile.
func (c *Client) Remove(ctx context.Context, id string, deleteFile bool) error {
	path := downloadPath(id, "")
	if deleteFile {
		path += "?file=1"
	}
	return c.do(ctx, http.MethodDelete, path, nil)
}

// Move changes a download's place in the queue; a smaller priority comes first.
func (c *Client) Move(ctx context.Context, id string, priority int) error {
	return c.do(ctx, http.MethodPost, downloadPath(id, "/move"), api.MoveRequest{Priority: priority})
}

// Settings returns the settings in force.
func (c *Client) Settings(ctx context.Context) (api.Settings, error) {
	return call[api.Settings](ctx, c, http.MethodGet, "/v1/settings", nil)
}

// SetSettings changes the settings that are present in patch, all or none, and returns those in force.
func (c *Client) SetSettings(ctx context.Context, patch api.SettingsPatch) (api.Settings, error) {
	return call[api.Settings](ctx, c, http.MethodPatch, "/v1/settings", patch)
}

// Policy returns each setting with the value in force and who set it.
func (c *Client) Policy(ctx context.Context) ([]api.Effective, error) {
	return call[[]api.Effective](ctx, c, http.MethodGet, "/v1/policy", nil)
}

// Status returns what the service says of itself.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return call[api.Status](ctx, c, http.MethodGet, "/v1/status", nil)
}

// Sharing returns what has been sent to peers, and what is held for them.
func (c *Client) Sharing(ctx context.Context) (api.SharingStatus, error) {
	return call[api.SharingStatus](ctx, c, http.MethodGet, "/v1/sharing", nil)
}

// Held lists the finished objects on disk that peers can be given, the newest first.
func (c *Client) Held(ctx context.Context) ([]api.Held, error) {
	return call[[]api.Held](ctx, c, http.MethodGet, "/v1/held", nil)
}

// StopSharing ends the offer of one object to peers. The user's file stays.
func (c *Client) StopSharing(ctx context.Context, contentID string) error {
	return c.do(ctx, http.MethodDelete, "/v1/sharing/"+url.PathEscape(contentID), nil)
}

// Doctor lets the service examine itself; it may take some seconds.
func (c *Client) Doctor(ctx context.Context) ([]api.Check, error) {
	return call[[]api.Check](ctx, c, http.MethodGet, "/v1/doctor", nil)
}

// Diagnostics returns the newest lines of the service's log, oldest first.
func (c *Client) Diagnostics(ctx context.Context) ([]string, error) {
	return call[[]string](ctx, c, http.MethodGet, "/v1/diagnostics", nil)
}

func downloadPath(id, action string) string {
	return "/v1/downloads/" + url.PathEscape(id) + action
}

// call sends one request and decodes its answer.
func call[T any](ctx context.Context, c *Client, method, path string, body any) (answer T, err error) {
	r, err := c.send(ctx, method, path, body)
	if err != nil {
		return answer, err
	}
	defer r.Body.Close()
	if err := json.NewDecoder(io.LimitReader(r.Body, maxAnswer)).Decode(&answer); err != nil {
		return answer, fmt.Errorf("read the service's answer to %s %s: %w", method, path, err)
	}
	return answer, nil
}

// do sends one request whose answer says only that it was done.
func (c *Client) do(ctx context.Context, method, path string, body any) error {
	r, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	return r.Body.Close()
}

// send returns the answer to a request, whose body the caller closes. A refusal is an *api.Error, a
// service that cannot be reached an error that is ErrUnreachable.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+api.LocalHost+path, content)
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost || method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.transport().Do(request)
	if err != nil {
		return nil, callFault(ctx, c.Socket, err)
	}
	if response.StatusCode >= 300 {
		defer response.Body.Close()
		return nil, refused(response)
	}
	return response, nil
}

func (c *Client) transport() *http.Client {
	c.once.Do(func() {
		dial := c.Dial
		if dial == nil {
			dial = func(ctx context.Context) (net.Conn, error) { return dialSocket(ctx, c.Socket) }
		}
		c.http = &http.Client{
			// An answer that sends us elsewhere is not one of our service's.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy:              nil, // whatever the environment says: this is a socket on this machine
				DisableCompression: true,
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					conn, err := dial(ctx)
					if err != nil {
						return nil, &dialError{err}
					}
					return conn, nil
				},
			},
		}
	})
	return c.http
}

// Close drops idle connections. The client can still be used.
func (c *Client) Close() { c.transport().CloseIdleConnections() }

package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/client"
)

// requestsFor turns one argument of `add` into what is asked of the service: a URL, or the path of a Metalink or torrent,
// which the service reads but does not open: it may belong to another user.
func (a *app) requestsFor(ctx context.Context, argument string, request api.AddRequest) ([]api.AddRequest, error) {
	if !namesFile(argument) {
		request.URL = argument
		return []api.AddRequest{request}, nil
	}
	data, err := client.LoadLinkFile(argument)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no file %s", argument)
	}
	if err != nil {
		return nil, err
	}
	linked, err := a.client.ReadLinkFile(ctx, data)
	if err != nil {
		return nil, err
	}
	if len(linked) > 1 && (request.Out != "" || request.Checksum != "") {
		return nil, usagef("--out and --checksum belong to one file; %s names %d", filepath.Base(argument), len(linked))
	}
	return a.complete(ctx, linked, request)
}

// complete puts the words of the command line into what a file names; they win.
func (a *app) complete(ctx context.Context, linked []api.LinkedFile, request api.AddRequest) ([]api.AddRequest, error) {
	var requests []api.AddRequest
	for _, l := range linked {
		r := request
		r.URL, r.Mirrors = l.Request.URL, slices.Concat(l.Request.Mirrors, request.Mirrors)
		if r.Out == "" {
			r.Out = l.Request.Out
		}
		if r.Checksum == "" {
			r.Checksum = l.Request.Checksum
		}
		if l.Folder != "" {
			if r.Dir == "" {
				settings, err := a.client.Settings(ctx)
				if err != nil {
					return nil, err
				}
				r.Dir = settings.Dir
			}
			r.Dir = filepath.Join(r.Dir, filepath.FromSlash(l.Folder))
		}
		requests = append(requests, r)
	}
	return requests, nil
}

// namesFile tells a path from a URL: whatever has a scheme is a URL, and what is no URL either exists or ends like a file
// that could be read.
func namesFile(argument string) bool {
	if strings.Contains(argument, "://") {
		return false
	}
	switch strings.ToLower(filepath.Ext(argument)) {
	case ".torrent", ".meta4", ".metalink":
		return true
	}
	info, err := os.Stat(argument)
	return err == nil && info.Mode().IsRegular()
}

package client

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tributary-dl/tributary/engine/api"
)

// LoadLinkFile returns the content of a Metalink or torrent for ReadLinkFile. It is opened here, with the rights of the
// user, because the service may be another one.
func LoadLinkFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for ever
		return nil, fmt.Errorf("%s is not a file", filepath.Base(path))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, api.MaxLinkFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(data) > api.MaxLinkFile {
		return nil, fmt.Errorf("%s is larger than %d MiB; no Metalink or torrent is", filepath.Base(path), api.MaxLinkFile>>20)
	}
	return data, nil
}

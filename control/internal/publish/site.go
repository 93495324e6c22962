package publish

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tributary-dl/tributary/control/internal/durable"
)

// Site says where clients reach the edge and the control plane of a data directory.
type Site struct {
	Edge    string `json:"edge"`    // https base URL
	Control string `json:"control"` // https base URL
}

func (s Site) check() error {
	if err := checkURL(s.Edge); err != nil {
		return fmt.Errorf("edge: %w", err)
	}
	if err := checkURL(s.Control); err != nil {
		return fmt.Errorf("control plane: %w", err)
	}
	return nil
}

func (s Site) objectURL(name string) string {
	return strings.TrimRight(s.Edge, "/") + "/" + url.PathEscape(name)
}

// Advertise records where dataDir is reached, for every Publish to come, and signs anew the terms of
// objects that name another place. A server calls it when it knows its address and before it serves.
func Advertise(dataDir string, site Site) error {
	if err := advertise(dataDir, site); err != nil {
		return fmt.Errorf("advertise %s: %w", site.Edge, err)
	}
	return nil
}

func advertise(dataDir string, site Site) error {
	if err := site.check(); err != nil {
		return err
	}
	keys, err := OpenKeys(dataDir)
	if err != nil {
		return err
	}
	data, err := encodeJSON(site)
	if err != nil {
		return err
	}
	if err := durable.Write(filepath.Join(dataDir, siteFile), data, 0o644); err != nil {
		return err
	}
	objects, err := Open(dataDir).List()
	if err != nil {
		return err
	}
	for _, o := range objects {
		if o.Control == site.Control && o.URL() == site.objectURL(o.Name) {
			continue
		}
		dir := objectDir(dataDir, o.ID)
		h, err := readHashes(dir, o)
		if err != nil {
			return fmt.Errorf("object %s: %w", o.ID, err)
		}
		o.Control, o.Edges = site.Control, slices.Concat([]string{site.objectURL(o.Name)}, o.Mirrors())
		if err := writeDocuments(dir, o, h, keys); err != nil {
			return err
		}
	}
	return nil
}

func readSite(dataDir string) (site Site, err error) {
	data, err := os.ReadFile(filepath.Join(dataDir, siteFile))
	if errors.Is(err, fs.ErrNotExist) {
		return site, errors.New("the edge's address is not known yet; start the server once with this data directory")
	}
	if err != nil {
		return site, err
	}
	return site, json.Unmarshal(data, &site)
}

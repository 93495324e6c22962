package main

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// goArchive returns the path of a tar archive of the Go installation: real content of a size worth sharing,
// on every machine that can build this program. It is made once and kept in the cache folder.
func goArchive(ctx context.Context, cache string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT", "GOVERSION").Output()
	root, version, ok := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil || !ok {
		return "", errors.New("find the Go installation to make an archive of: `go env GOROOT` does not work; name a file with FILE=path")
	}
	path := filepath.Join(cache, version+".tar")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	part, err := os.CreateTemp(cache, "archive-")
	if err != nil {
		return "", err
	}
	defer os.Remove(part.Name())
	archive := tar.NewWriter(part)
	if err := errors.Join(archive.AddFS(os.DirFS(root)), archive.Close(), part.Close()); err != nil {
		return "", fmt.Errorf("archive %s: %w", root, err)
	}
	return path, os.Rename(part.Name(), path)
}

// hashFile returns the size and the SHA-256 of a file, in hex.
func hashFile(path string) (size int64, sum string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.Copy(h, f)
	return size, hex.EncodeToString(h.Sum(nil)), err
}

package e2e

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"

	"github.com/tributary-dl/tributary/app/fleet"
)

// The command line as scripts use it: what it prints and the code it ends with.
func TestCommandLine(t *testing.T) {
	w := newWorld(t)
	original, url := w.publish(2 * mib)
	u := w.user("carla")
	out, err := u.Ctl(w.ctx, "add", url, "--dir", u.folder, "--out", "mine.bin",
		"--checksum", "sha-256:"+original.sha256, "--wait", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var added struct {
		ID, State, Path, SHA256 string
		TotalBytes              int64 `json:"total_bytes"`
		VerifiedBytes           int64 `json:"verified_bytes"`
	}
	if err := json.Unmarshal(out, &added); err != nil {
		t.Fatalf("add --wait --json printed %q: %v", out, err)
	}
	if added.State != "complete" || added.Path != filepath.Join(u.folder, "mine.bin") || added.SHA256 != original.sha256 ||
		added.TotalBytes != original.size || added.VerifiedBytes != original.size {
		t.Errorf("add --wait --json printed %s", out)
	}
	for name, c := range map[string]struct {
		args []string
		code int
	}{
		"list":                 {[]string{"list"}, 0},
		"list for machines":    {[]string{"list", "--json"}, 0},
		"show":                 {[]string{"show", added.ID}, 0},
		"peers":                {[]string{"peers", added.ID}, 0},
		"limits":               {[]string{"limits"}, 0},
		"ledger":               {[]string{"ledger"}, 0},
		"policy":               {[]string{"policy", "explain"}, 0},
		"show an unknown one":  {[]string{"show", "nonsense"}, 1},
		"add a URL of nowhere": {[]string{"add", "gopher://example.org/x"}, 2},
		"add a short checksum": {[]string{"add", url, "--checksum", "sha-256:00"}, 2},
		"add by no proxy":      {[]string{"add", url, "--proxy", "foo"}, 2},
		"an unknown command":   {[]string{"nonsense"}, 2},
		"add without a URL":    {[]string{"add"}, 2},
		"an unknown position":  {[]string{"sharing", "perhaps"}, 2},
		"a wrong checksum":     {[]string{"add", url, "--dir", u.folder, "--checksum", "sha-256:" + sumOfNothing, "--wait"}, 1},
	} {
		_, err := u.Ctl(w.ctx, c.args...)
		if got := exitCode(t, err); got != c.code {
			t.Errorf("%s: exit code %d (%v); want %d", name, got, err, c.code)
		}
	}
	if err := u.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Ctl(w.ctx, "list"); exitCode(t, err) != 3 {
		t.Errorf("without a service: %v; want exit code 3", err)
	}
}

// sumOfNothing is the SHA-256 of no bytes.
const sumOfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func exitCode(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	exit, ok := errors.AsType[*fleet.ExitError](err)
	if !ok {
		t.Fatal(err)
	}
	return exit.Code
}

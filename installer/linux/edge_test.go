//go:build linux

package linux_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// edge is a publisher's real edge and control plane in the machine, on a public address of its own.
type edge struct {
	site    *site
	program string
	address string
	data    string
	rate    int // bytes a second; 0: as many as it can
}

// controlProgram builds tributary-control, once.
var controlProgram = sync.OnceValues(func() (string, error) {
	out := filepath.Join(packages, "tributary-control")
	cmd := exec.Command("go", "build", "-o", out, "../../control")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build tributary-control: %w: %s", err, said)
	}
	return out, nil
})

// edge starts an edge that sends no more than rate bytes a second, or as many as it can if that is 0. The machine trusts
// its certificate, and with it every service that starts later.
func (s *site) edge(address string, rate int) *edge {
	s.t.Helper()
	program, err := controlProgram()
	if err != nil {
		s.t.Fatal(err)
	}
	e := &edge{site: s, program: s.copy(program), address: address, data: "/srv/" + address, rate: rate}
	e.start()
	s.shell("cp " + e.data + "/ca.pem /usr/local/share/ca-certificates/" + address + ".crt; update-ca-certificates 2>/dev/null")
	return e
}

// start runs the edge, again after a power cut.
func (e *edge) start() {
	e.site.t.Helper()
	e.site.shell(fmt.Sprintf(`ip address add %[1]s/32 dev lo
		systemd-run --quiet --unit=edge-%[1]s --property=WorkingDirectory=/srv %[2]s serve --data %[3]s --listen %[1]s:443 --edge-rate %[4]d`,
		e.address, e.program, e.data, e.rate))
	e.site.until(patience, "the edge answers", func() bool {
		_, err := e.site.Shell(e.site.ctx, "journalctl --boot -u edge-"+e.address+" | grep -q '\"edge\"'")
		return err == nil
	})
}

// publish offers a file of noise and returns its address and SHA-256.
func (e *edge) publish(name string, size int) (url, sum string) {
	e.site.t.Helper()
	out := e.site.shell(fmt.Sprintf("cd /srv; head -c %[1]d /dev/urandom >%[2]s; %[3]s publish --data %[4]s %[2]s; sha256sum %[2]s", size, name, e.program, e.data))
	words := strings.Fields(out)
	if len(words) != 3 {
		e.site.t.Fatalf("publish printed %q", out)
	}
	return words[0], words[1]
}

// download is what `tributaryctl --json` prints of one.
type download struct {
	ID            string
	State         string
	Path          string
	TotalBytes    int64 `json:"total_bytes"`
	VerifiedBytes int64 `json:"verified_bytes"`
	BytesFromEdge int64 `json:"bytes_from_edge"`
	Problem       any
}

// add has alice add a download to her Downloads and returns it.
func (s *site) add(ctl ctl, url string) download {
	s.t.Helper()
	return decode(s.t, ctl("add", "--json", "--dir", "/home/alice/Downloads", url))
}

// ctl runs tributaryctl as a user and returns what it prints.
type ctl func(words ...string) string

func (s *site) look(ctl ctl, id string) download { return decode(s.t, ctl("show", "--json", id)) }

func decode(t *testing.T, text string) download {
	t.Helper()
	var d download
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return d
}

// halfway waits until a quarter of a download is verified, which it must be in the middle of.
func (s *site) halfway(ctl ctl, id string) download {
	s.t.Helper()
	var d download
	s.until(patience, "a quarter of the download is there", func() bool {
		d = s.look(ctl, id)
		return d.TotalBytes > 0 && d.VerifiedBytes >= d.TotalBytes/4
	})
	if d.VerifiedBytes == d.TotalBytes {
		s.t.Fatal("the download is complete already: the edge was to be slow")
	}
	return d
}

// completes waits for the end of a download and looks at the file: whose it is, who may read it, what it holds.
func (s *site) completes(ctl ctl, id, sum string) download {
	s.t.Helper()
	var d download
	s.until(patience, "the download has ended", func() bool {
		d = s.look(ctl, id)
		return d.State == "complete" || d.State == "failed"
	})
	if d.State != "complete" {
		s.t.Fatalf("the download is %s: %v\n%s", d.State, d.Problem, s.journal())
	}
	if got := s.shell("stat -c %U:%G " + d.Path + "; sha256sum <" + d.Path); got != "alice:alice\n"+sum+"  -" {
		s.t.Errorf("%s is %q; want alice's, with %s", d.Path, got, sum)
	}
	return d
}

package windows_test

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"maps"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Versions that are installed one after the other, and where they go.
const (
	older = "0.1.0"
	newer = "0.1.1"
	home  = `C:\Program Files\Tributary\`
	pipe  = `\\.\pipe\tributary`
)

// refused is the exit code of msiexec when an installation fails: 1603, of which eight bits are left.
const refused = 1603 & 0xff

// The whole life of the installer's product, as an administrator's script leads it: nobody answers questions.
func TestMSI(t *testing.T) {
	c := newComputer(t)
	first, second := outside(build(t, older)), outside(build(t, newer))
	fast, slow := newPublisher(t, c, 0), newPublisher(t, c, 2<<20)
	url, want := fast.publish("film.bin", 20<<20)
	before := c.files()

	t.Run("wrong properties change nothing", func(t *testing.T) {
		c := c.in(t)
		for _, property := range []string{"SHARING=sometimes", "CONTROL_URL=http://c.example/", "AUTOSTART=maybe", "KEEP_STATE=2"} {
			if _, code := c.wine("msiexec", "/i", first, "/qn", property); code != refused {
				t.Errorf("an installation with %s ends with %d", property, code)
			}
		}
		c.wantNothing(before)
	})

	// Wine does not tell a version that another replaces it, so the state would go with the old one.
	c.mustWine("msiexec", "/i", first, "/qn", "SHARING=lan", "CONTROL_URL=https://control.example/", "AUTOSTART=0", "KEEP_STATE=1")
	c.wantRunning(older)
	c.wantValues(map[string]string{"sharing": "lan", "control_url": "https://control.example/", "autostart": "0"})
	c.wantObeyed("lan")
	if said := c.registry(`HKLM\Software\Classes\tributary\shell\open\command`); !strings.Contains(said, `"`+home+`tributary.exe" "%1"`) {
		t.Errorf("links are opened with %s", said)
	}
	installed := strings.Join(slices.Sorted(maps.Keys(c.files())), "\n")
	for _, file := range []string{"/Tributary/tributary.exe", "/Tributary/tributary-tray.exe", "/Tributary/LICENSE.txt", "/Start Menu/Programs/Tributary.lnk"} {
		if !strings.Contains(installed, file) {
			t.Errorf("%s is missing", file)
		}
	}

	t.Run("downloads from a real edge", func(t *testing.T) {
		c := c.in(t)
		said := c.control("add", url, "--dir", `C:\users\Public\Documents`, "--out", "film.bin", "--wait", "--json")
		last := c.lastOf(said)
		if got := c.sha256(`C:\users\Public\Documents\film.bin`); last.State != "complete" || last.SHA256 != want || got != want {
			t.Errorf("the download ends as %+v, with a file of %s; want %s", last, got, want)
		}
	})
	t.Run("stops and starts", func(t *testing.T) {
		c := c.in(t)
		c.mustWine("net", "stop", "tributaryd")
		if _, code := c.wine(home+"tributaryd.exe", "service", "status"); code != 3 {
			t.Errorf("the status of a stopped service ends with %d", code)
		}
		c.mustWine("net", "start", "tributaryd")
		c.wantRunning(older)
	})
	t.Run("nothing is lost when it is killed", func(t *testing.T) {
		c := c.in(t)
		c.mustWine("taskkill", "/f", "/im", "tributaryd.exe")
		if said, code := c.wine(home+"tributaryctl.exe", "--socket", pipe, "list"); code != 3 {
			t.Errorf("the service answers although it was killed (%d): %s", code, said)
		}
		c.mustWine("net", "start", "tributaryd") // what a real service manager does by itself, after two seconds
		c.wantRunning(older)
		c.wantDownload(want)
	})
	t.Run("an unfinished download waits for its owner over a kill, and goes on where it was", func(t *testing.T) {
		c := c.in(t)
		url, want := slow.publish("half.bin", 32<<20)
		id := c.lastOf(c.control("add", url, "--dir", `C:\users\Public\Documents`, "--json")).ID
		half := c.untilDownload(id, func(d download) bool { return d.DurableBytes >= d.TotalBytes/4 && d.TotalBytes > 0 })
		if half.State == "complete" {
			t.Fatal("the download is complete already: the edge was to be slow")
		}
		c.mustWine("taskkill", "/f", "/im", "tributaryd.exe")
		c.mustWine("net", "start", "tributaryd")
		// The user's program hands the file over again, and gives it its name in the end.
		done := c.untilDownload(id, func(d download) bool { return d.State == "complete" || d.State == "failed" })
		if got := c.sha256(`C:\users\Public\Documents\half.bin`); done.State != "complete" || got != want {
			t.Errorf("the download ends as %+v, with a file of %s; want %s", done, got, want)
		}
		if most := done.TotalBytes + half.DurableBytes/2; done.BytesFromEdge+done.BytesWasted > most {
			t.Errorf("%+v took more than %d bytes from the edge, although %d were durable before the kill", done, most, half.DurableBytes)
		}
		c.control("remove", id, "--file")
	})
	t.Run("what Group Policy says holds, and a malformed policy does not", func(t *testing.T) {
		c := c.in(t)
		const key = `HKLM\Software\Policies\Tributary`
		defer c.wine("reg", "delete", key, "/f", "/reg:64") // for the tests that follow, if this one fails
		c.mustWine("reg", "add", key, "/v", "share_vpn", "/t", "REG_DWORD", "/d", "1", "/reg:64")
		c.control("policy", "reload")
		if got := c.explain()["share_vpn"]; got != "true by "+key+", locked" {
			t.Errorf("the service takes for share_vpn %q", got)
		}
		c.mustWine("reg", "add", key, "/v", "sharing", "/t", "REG_SZ", "/d", "sometimes", "/reg:64")
		if said, code := c.wine(home+"tributaryctl.exe", "--socket", pipe, "policy", "reload"); code != 1 || !strings.Contains(said, key+": sharing: ") {
			t.Errorf("reading a malformed policy ends with %d: %s", code, said)
		}
		c.wantObeyed("lan") // as before
		c.mustWine("net", "stop", "tributaryd")
		c.wine("net", "start", "tributaryd") // Wine's says success whatever becomes of it
		c.until("the service has refused to start", func() bool {
			said, code := c.wine(home+"tributaryd.exe", "service", "status")
			return code == 3 && strings.Contains(said, "stopped")
		})
		c.mustWine("reg", "delete", key, "/f", "/reg:64")
		c.mustWine("net", "start", "tributaryd")
		c.wantRunning(older)
	})
	t.Run("installing it again is no harm", func(t *testing.T) {
		c := c.in(t)
		c.mustWine("msiexec", "/i", first, "/qn")
		c.wantRunning(older)
	})
	t.Run("an upgrade keeps properties and downloads", func(t *testing.T) {
		c := c.in(t)
		c.mustWine("msiexec", "/i", second, "/qn", "SHARING=off")
		c.wantRunning(newer)
		c.wantValues(map[string]string{"sharing": "off", "control_url": "https://control.example/", "autostart": "0"})
		c.wantObeyed("off")
		c.wantDownload(want)
		if said := c.registry(`HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall`); strings.Count(said, `    DisplayName    REG_SZ    Tributary`) != 1 {
			t.Errorf("not exactly one version is installed: %s", said)
		}
	})
	t.Run("starts with the computer", func(t *testing.T) {
		c := c.in(t)
		c.restart()
		c.wantRunning(newer)
		c.wantDownload(want)
	})
	t.Run("a downgrade is refused", func(t *testing.T) {
		c := c.in(t)
		if _, code := c.wine("msiexec", "/i", first, "/qn"); code != refused {
			t.Errorf("a downgrade ends with %d", code)
		}
		c.wantRunning(newer)
	})
	t.Run("nothing is left but the user's files", func(t *testing.T) {
		c := c.in(t)
		c.mustWine("msiexec", "/x", second, "/qn", "KEEP_STATE=0")
		if got := c.sha256(`C:\users\Public\Documents\film.bin`); got != want {
			t.Errorf("the downloaded file is %s now", got)
		}
		if err := os.Remove(c.path(`C:\users\Public\Documents\film.bin`)); err != nil {
			t.Fatal(err)
		}
		c.wantNothing(before)
	})
}

// in is the computer for as long as a test below this one lasts.
func (c *computer) in(t *testing.T) *computer {
	outer := c.t
	c.t = t
	t.Cleanup(func() { c.t = outer })
	return c
}

// build builds the installer of a version, with more variables for the script, and returns its path.
func build(t *testing.T, version string, variables ...string) string {
	t.Helper()
	out := t.TempDir()
	build := exec.Command("./build")
	build.Env = append(append(os.Environ(), "OUT="+out, "VERSION="+version), variables...)
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return filepath.Join(out, "tributary-"+version+"-x64.msi")
}

// publisher is a real control plane and its edge on this computer, which the Windows computer reaches and trusts.
type publisher struct {
	t       *testing.T
	program string
	data    string
}

// newPublisher starts a control plane whose edge sends no more than rate bytes a second, or as many as it can if that
// is 0, and has the Windows computer trust it.
func newPublisher(t *testing.T, c *computer, rate int) *publisher {
	t.Helper()
	p := &publisher{t: t, program: controlProgram(t)}
	for p.data == "" || !wineVerifies(t, p.data) {
		p.data = t.TempDir()
		p.serve(rate)
	}
	c.trust(read(t, filepath.Join(p.data, "ca.pem")))
	return p
}

func (p *publisher) serve(rate int) {
	p.t.Helper()
	serve := exec.Command(p.program, "serve", "--data", p.data, "--listen", "127.0.0.1:0", "--advertise", "localhost", "--edge-rate", strconv.Itoa(rate))
	answers, err := serve.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _, _ = serve.Process.Kill(), serve.Wait() })
	var ready struct{ Edge string }
	if err := json.NewDecoder(answers).Decode(&ready); err != nil {
		p.t.Fatal(err)
	}
}

// publish offers a file of noise, and returns its address and SHA-256.
func (p *publisher) publish(name string, size int) (url, hash string) {
	p.t.Helper()
	content := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content) // it never fails
	file := filepath.Join(p.data, name)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		p.t.Fatal(err)
	}
	said, err := exec.Command(p.program, "publish", "--data", p.data, file).CombinedOutput()
	if err != nil {
		p.t.Fatalf("%v: %s", err, said)
	}
	return strings.TrimSpace(string(said)), fmt.Sprintf("%x", sha256.Sum256(content))
}

func controlProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "tributary-control")
	if said, err := exec.Command("go", "build", "-o", program, "../../control").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return program
}

// wineVerifies says whether Wine 8 can verify the certificates that a control plane has made itself. It forgets the zeros
// before a number of an ECDSA signature that is shorter than its field, and then finds the signature wrong: one of the two
// certificates has such a number in one of 64 cases.
func wineVerifies(t *testing.T, data string) bool {
	t.Helper()
	const field = 32 // bytes, of P-256
	for _, file := range []string{"ca.pem", "server.pem"} {
		block := &pem.Block{}
		for rest := read(t, filepath.Join(data, file)); block.Type != "CERTIFICATE"; {
			if block, rest = pem.Decode(rest); block == nil {
				t.Fatalf("%s holds no certificate", file)
			}
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		var signature struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(certificate.Signature, &signature); err != nil {
			t.Fatal(err)
		}
		if len(signature.R.Bytes()) < field || len(signature.S.Bytes()) < field {
			return false
		}
	}
	return true
}

// trust puts a certificate where an administrator would: among the roots of the whole computer.
func (c *computer) trust(certificate []byte) {
	c.t.Helper()
	block, _ := pem.Decode(certificate)
	// A serialised certificate has one property, number 32: itself.
	blob := fmt.Appendf(nil, "20,00,00,00,01,00,00,00,%02x,%02x,00,00", len(block.Bytes)&0xff, len(block.Bytes)>>8)
	for _, b := range block.Bytes {
		blob = fmt.Appendf(blob, ",%02x", b)
	}
	text := fmt.Sprintf("Windows Registry Editor Version 5.00\r\n\r\n"+
		`[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SystemCertificates\Root\Certificates\%X]`+"\r\n\"Blob\"=hex:%s\r\n", sha1.Sum(block.Bytes), blob)
	file := filepath.Join(c.t.TempDir(), "root.reg")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.mustWine("reg", "import", outside(file))
}

// control runs tributaryctl, which must succeed.
func (c *computer) control(words ...string) string {
	c.t.Helper()
	return c.mustWine(append([]string{home + "tributaryctl.exe", "--socket", pipe}, words...)...)
}

// wantRunning expects the service of a version to run, and to answer through its pipe from the moment it is said to.
func (c *computer) wantRunning(version string) {
	c.t.Helper()
	c.until("the service runs", func() bool { return strings.Contains(c.mustWine("sc", "query", "tributaryd"), "RUNNING") })
	c.mustWine(home+"tributaryd.exe", "service", "status")
	if said := c.mustWine(home+"tributaryd.exe", "version"); said != "tributaryd "+version+"\n" {
		c.t.Errorf("installed is %q; want version %s", said, version)
	}
	c.control("list")
}

// download is what tributaryctl prints of one.
type download struct {
	ID            string
	State         string
	SHA256        string
	TotalBytes    int64 `json:"total_bytes"`
	DurableBytes  int64 `json:"durable_bytes"`
	BytesFromEdge int64 `json:"bytes_from_edge"`
	BytesWasted   int64 `json:"bytes_wasted"`
}

// lastOf reads the last line of what tributaryctl --json printed.
func (c *computer) lastOf(said string) (d download) {
	c.t.Helper()
	if err := json.Unmarshal([]byte(said[strings.LastIndex(strings.TrimSpace(said), "\n")+1:]), &d); err != nil {
		c.t.Fatalf("%v: %s", err, said)
	}
	return d
}

// untilDownload waits until a download is as wanted. Each look is a program of the user's, which does the user's errands.
func (c *computer) untilDownload(id string, want func(download) bool) (d download) {
	c.t.Helper()
	c.until("download "+id+" is as wanted", func() bool {
		d = c.lastOf(c.control("show", id, "--json"))
		return want(d)
	})
	return d
}

// wantDownload expects the one download to be there and complete.
func (c *computer) wantDownload(hash string) {
	c.t.Helper()
	if said := c.control("list", "--json"); strings.Count(said, "\n") != 1 || !strings.Contains(said, hash) || !strings.Contains(said, `"complete"`) {
		c.t.Errorf("the service has other downloads than before: %s", said)
	}
}

// wantValues expects what the installer was told to stand in the registry, and the tray to start with autostart alone.
func (c *computer) wantValues(values map[string]string) {
	c.t.Helper()
	said := c.registry(`HKLM\Software\Tributary`)
	for name, value := range values {
		if !strings.Contains(said, fmt.Sprintf("    %s    REG_SZ    %s\n", name, value)) {
			c.t.Errorf("%s is not %q: %s", name, value, said)
		}
	}
	starts := strings.Contains(c.registry(`HKLM\Software\Microsoft\Windows\CurrentVersion\Run`), home+"tributary-tray.exe")
	if want := values["autostart"] == "1"; starts != want {
		c.t.Errorf("the tray starts at login: %v", starts)
	}
}

// wantObeyed expects the service to share as far as the installer was told, and to ask the control plane that it was told.
func (c *computer) wantObeyed(sharing string) {
	c.t.Helper()
	got := c.explain()
	const installer = ` by HKLM\Software\Tributary`
	for name, want := range map[string]string{"sharing": sharing + installer, "control_url": "https://control.example" + installer} {
		if got[name] != want {
			c.t.Errorf("the service takes for %s %q; want %q", name, got[name], want)
		}
	}
}

// explain returns what the service says of each setting: the value, who decided it, and whether it is locked.
func (c *computer) explain() map[string]string {
	c.t.Helper()
	said := c.control("policy", "explain", "--json")
	settings := map[string]string{}
	for line := range strings.Lines(said) {
		if !strings.HasPrefix(line, "{") {
			continue // what it says of a malformed policy, on standard error
		}
		var s struct {
			Name, Value, Origin string
			Locked              bool
		}
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			c.t.Fatalf("%v: %s", err, said)
		}
		settings[s.Name] = s.Value + " by " + s.Origin
		if s.Locked {
			settings[s.Name] += ", locked"
		}
	}
	return settings
}

// registry returns what is below a key, "" without one.
func (c *computer) registry(key string) string {
	c.t.Helper()
	said, code := c.wine("reg", "query", key, "/s", "/reg:64")
	if code != 0 {
		return ""
	}
	return said
}

// wantNothing expects that no installation has left a trace.
func (c *computer) wantNothing(before map[string]bool) {
	c.t.Helper()
	for file := range c.files() {
		if !before[file] {
			c.t.Errorf("left behind: %s", file)
		}
	}
	for _, key := range []string{`HKLM\Software\Tributary`, `HKLM\Software\Classes\tributary`, `HKLM\System\CurrentControlSet\Services\tributaryd`} {
		if said := c.registry(key); said != "" {
			c.t.Errorf("left behind in the registry: %s", said)
		}
	}
	for _, key := range []string{`HKLM\Software\Microsoft\Windows\CurrentVersion\Run`, `HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall`} {
		if said := c.registry(key); strings.Contains(strings.ToLower(said), "tributary") {
			c.t.Errorf("left behind in the registry: %s", said)
		}
	}
	if said := c.mustWine("tasklist"); strings.Contains(said, "tributary") {
		c.t.Errorf("a program of ours runs: %s", said)
	}
}

// files lists what an installation may change: all but temporary files and Windows' own copies of what it installs.
func (c *computer) files() map[string]bool {
	c.t.Helper()
	files := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(c.prefix, "drive_c"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (strings.EqualFold(entry.Name(), "temp") || path == c.path(`C:\windows\Installer`)) {
			return fs.SkipDir
		}
		files[path] = true
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return files
}

func (c *computer) sha256(path string) string {
	c.t.Helper()
	content, err := os.ReadFile(c.path(path))
	if err != nil {
		c.t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(content))
}

// until waits for something outside that is not promised within a time.
func (c *computer) until(what string, ok func() bool) {
	c.t.Helper()
	for start := time.Now(); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Since(start) > patience {
			c.t.Fatalf("after %s still not: %s", time.Since(start), what)
		}
	}
}

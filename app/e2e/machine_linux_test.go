package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/client"
)

// Users of this machine whom it need not know by name.
const (
	serviceUID = 52000
	annUID     = 52001
	bobUID     = 52002
)

// machine is a service for every user, the service manager that started it, ann's home, and a web server.
type machine struct {
	t      *testing.T
	ctx    context.Context
	folder string   // open to all
	flags  []string // of the service, beside those that every test has
	home   string   // ann's, closed to all others
	socket string
	url    string // of content
	edge   *throttled

	content []byte
	store   *descriptorStore
	service *exec.Cmd
	log     bytes.Buffer
	root    *client.Client
}

// throttled serves content and counts what it sends; it can be held at a number of bytes.
type throttled struct {
	content []byte
	sent    atomic.Int64
	hold    atomic.Int64 // bytes after which it stands still; 0: never
}

func (e *throttled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(&slowWriter{w, e, r.Context()}, r, "file.bin", time.Time{}, bytes.NewReader(e.content))
}

type slowWriter struct {
	http.ResponseWriter
	edge *throttled
	ctx  context.Context
}

func (w *slowWriter) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		for hold := w.edge.hold.Load(); hold > 0 && w.edge.sent.Load() >= hold; hold = w.edge.hold.Load() {
			select {
			case <-w.ctx.Done():
				return n, w.ctx.Err()
			case <-time.After(10 * time.Millisecond): // another process reads; there is nothing else to wait for
			}
		}
		var k int
		k, err = w.ResponseWriter.Write(b[n:min(len(b), n+64<<10)])
		w.edge.sent.Add(int64(k))
		n += k
	}
	return n, err
}

func newMachine(t *testing.T, flags ...string) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a service and users with uids of their own need root")
	}
	folder, err := os.MkdirTemp("", "tributary-machine-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	t.Cleanup(cancel)
	m := &machine{t: t, ctx: ctx, folder: folder, flags: flags, home: filepath.Join(folder, "ann"), socket: filepath.Join(folder, "run", "ctl.sock"),
		content: make([]byte, 24*mib), store: newDescriptorStore(t, filepath.Join(folder, "notify"))}
	m.must(os.Chmod(folder, 0o755))
	for name, uid := range map[string]int{"state": serviceUID, "run": serviceUID, "ann": annUID} {
		path := filepath.Join(folder, name)
		m.must(errors.Join(os.Mkdir(path, 0o700), os.Chown(path, uid, uid)))
	}
	m.must(os.Chmod(filepath.Join(folder, "run"), 0o755)) // as systemd makes it
	for name := range mains {
		m.must(copyProgram(filepath.Join(string(programs), name), filepath.Join(folder, name)))
	}
	rand.NewChaCha8([32]byte{7}).Read(m.content)
	m.edge = &throttled{content: m.content}
	server := httptest.NewServer(m.edge)
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(server.Close)
	m.url = server.URL + "/file.bin"
	m.root = &client.Client{Socket: m.socket}
	t.Cleanup(func() {
		m.kill()
		if t.Failed() {
			t.Logf("the service says:\n%s", m.log.String())
		}
	})
	m.start()
	return m
}

func (m *machine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// as makes a command run as a user who has nothing but their uid.
func (m *machine) as(uid uint32, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(m.ctx, name, args...)
	c.Dir = m.folder
	c.Env = []string{"HOME=" + m.home, "PATH=" + os.Getenv("PATH")}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return c
}

// start runs the service as systemd does, with what the store holds, and waits until it says that it is ready.
func (m *machine) start() {
	m.t.Helper()
	names, files := m.store.take()
	// The number of the process, which LISTEN_PID must be, is known only to itself.
	m.service = m.as(serviceUID, "/bin/sh", append([]string{"-c", `LISTEN_PID=$$ exec "$@"`, "sh",
		filepath.Join(m.folder, "tributaryd"), "run", "--machine", "--listen-peers", "127.0.0.1:0", "--log-level", "debug"}, m.flags...)...)
	m.service.Env = append(m.service.Env, "NOTIFY_SOCKET="+m.store.path, "STATE_DIRECTORY="+filepath.Join(m.folder, "state"),
		"RUNTIME_DIRECTORY="+filepath.Join(m.folder, "run"), fmt.Sprintf("LISTEN_FDS=%d", len(files)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	m.service.ExtraFiles = files
	m.service.Stdout, m.service.Stderr = &m.log, &m.log
	m.must(m.service.Start())
	for _, f := range files {
		m.must(f.Close()) // the store has its own
	}
	select {
	case <-m.store.ready:
	case <-m.ctx.Done():
		m.t.Fatal("the service does not become ready")
	}
}

// kill ends the service as a crash would.
func (m *machine) kill() {
	if m.service != nil {
		_ = m.service.Process.Kill() // it may have ended
		_ = m.service.Wait()
		m.service = nil
	}
}

// ctl runs the command line as a user and returns what it prints.
func (m *machine) ctl(uid uint32, args ...string) (string, error) {
	out, err := m.as(uid, filepath.Join(m.folder, "tributaryctl"), append([]string{"--socket", m.socket}, args...)...).CombinedOutput()
	return string(out), err
}

// until asks as root, who does nobody's errands, until a download is as wanted.
func (m *machine) until(id string, want func(api.Download) bool) api.Download {
	m.t.Helper()
	var last api.Download
	for m.ctx.Err() == nil {
		for e, err := range m.root.Watch(m.ctx) {
			if err == nil && e.Download != nil && e.Download.ID == id {
				if last = *e.Download; want(last) {
					return last
				}
			}
		}
	}
	m.t.Fatalf("the download stays %s: %+v", last.State, last.Problem)
	return last
}

func (m *machine) addForAnn(args ...string) string {
	m.t.Helper()
	out, err := m.ctl(annUID, append([]string{"add", m.url, "--json"}, args...)...)
	var d api.Download
	if err != nil || json.Unmarshal([]byte(out), &d) != nil {
		m.t.Fatalf("add: %s, %v", out, err)
	}
	return d.ID
}

// hasFile makes sure that ann has the whole file under a name, as hers alone.
func (m *machine) hasFile(path string) {
	m.t.Helper()
	got, err := os.ReadFile(path)
	m.must(err)
	if !bytes.Equal(got, m.content) {
		m.t.Errorf("%s has %d bytes, which are not those of the server", path, len(got))
	}
	info, err := os.Stat(path)
	m.must(err)
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != annUID || info.Mode() != 0o600 {
		m.t.Errorf("%s belongs to uid %d with mode %v; want ann's, 0600", path, owner, info.Mode())
	}
}

func needsOwner(d api.Download) bool { return d.Problem != nil && d.Problem.Code == api.CodeNeedsOwner }

// The service writes a file in a home that it cannot look into, and another user learns nothing of it.
func TestServiceWritesWhereItCannotGo(t *testing.T) {
	m := newMachine(t)
	m.must(os.MkdirAll(filepath.Join(m.home, "Downloads"), 0o755))
	taken := filepath.Join(m.home, "Downloads", "file.bin")
	m.must(errors.Join(os.WriteFile(taken, []byte("mine"), 0o600), os.Chown(taken, annUID, annUID), os.Chown(filepath.Dir(taken), annUID, annUID)))
	m.edge.hold.Store(4 * mib)
	id := m.addForAnn()
	m.until(id, func(d api.Download) bool { return d.VerifiedBytes >= mib })

	part := filepath.Join(m.home, "Downloads", "file.bin.tributary-part")
	info, err := os.Stat(part)
	m.must(err)
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != annUID || info.Mode() != 0o600 {
		t.Errorf("the unfinished file belongs to uid %d with mode %v; want ann's, 0600", owner, info.Mode())
	}
	if out, err := m.as(serviceUID, "cat", part).CombinedOutput(); err == nil || !strings.Contains(string(out), "Permission denied") {
		t.Errorf("the service's user opens the file by its path: %v, %.80q", err, out)
	}
	for _, command := range [][]string{{"show", id}, {"pause", id}, {"remove", id}, {"cancel", id}} {
		if out, err := m.ctl(bobUID, command...); err == nil || !strings.Contains(out, "no download") {
			t.Errorf("bob may %v: %s", command, out)
		}
	}
	if out, err := m.ctl(bobUID, "list", "--json"); err != nil || strings.TrimSpace(out) != "" {
		t.Errorf("bob sees %q, %v", out, err)
	}
	for _, uid := range []uint32{annUID, bobUID} {
		if out, err := m.ctl(uid, "sharing", "on"); err == nil || !strings.Contains(out, "ask an administrator") {
			t.Errorf("uid %d may change the sharing of the machine: %s, %v", uid, out, err)
		}
	}

	m.edge.hold.Store(0)
	m.until(id, func(d api.Download) bool { return needsOwner(d) && d.Errand != nil && d.Errand.Kind == api.ErrandName })
	if out, err := m.ctl(annUID, "list"); err != nil || !strings.Contains(out, "complete") {
		t.Errorf("ann's next command does not give the file its name: %s, %v", out, err)
	}
	m.hasFile(filepath.Join(m.home, "Downloads", "file (1).bin"))
	if text, err := os.ReadFile(taken); err != nil || string(text) != "mine" {
		t.Errorf("the file that had the name holds %q, %v", text, err)
	}
	if names := filesIn(t, filepath.Dir(taken)); len(names) != 2 {
		t.Errorf("ann's folder holds %q", names)
	}
	if names := m.store.names(); len(names) != 0 {
		t.Errorf("the service manager still keeps %q", names)
	}
	// What is cancelled leaves nothing, and --wait needs no other program of ann's.
	m.edge.hold.Store(m.edge.sent.Load() + 2*mib)
	cancelled := m.addForAnn("--dir", filepath.Join(m.home, "other"))
	if out, err := m.ctl(annUID, "cancel", cancelled); err != nil {
		t.Errorf("cancel: %s, %v", out, err)
	}
	if names := filesIn(t, filepath.Join(m.home, "other")); len(names) != 0 {
		t.Errorf("a cancelled download leaves %q", names)
	}
	m.edge.hold.Store(0)
	if out, err := m.ctl(annUID, "add", m.url, "--wait", "--dir", filepath.Join(m.home, "other")); err != nil {
		t.Errorf("add --wait: %s, %v", out, err)
	}
	m.hasFile(filepath.Join(m.home, "other", "file.bin"))
}

// kill -9, and nobody is logged in: the service manager hands the files back, and the download goes on.
func TestDownloadGoesOnAfterKillWithoutItsOwner(t *testing.T) {
	m := newMachine(t)
	m.edge.hold.Store(12 * mib)
	id := m.addForAnn()
	before := m.until(id, func(d api.Download) bool { return d.DurableBytes >= 4*mib })
	if names := m.store.names(); len(names) != 1 {
		t.Fatalf("the service manager keeps %q; want the one file", names)
	}
	m.kill()
	m.edge.hold.Store(0)
	sent := m.edge.sent.Load()
	m.start()
	m.until(id, func(d api.Download) bool { return d.Errand != nil && d.Errand.Kind == api.ErrandName })
	if again := m.edge.sent.Load() - sent; again > int64(len(m.content))-before.DurableBytes+mib {
		t.Errorf("%d bytes were sent after the crash, although %d of %d were durable", again, before.DurableBytes, len(m.content))
	}
	if out, err := m.ctl(annUID, "list"); err != nil || !strings.Contains(out, "complete") {
		t.Errorf("list: %s, %v", out, err)
	}
	m.hasFile(filepath.Join(m.home, "Downloads", "file.bin"))
}

// After a restart of the machine nobody has the file: the download waits for its owner, says so, and goes on by itself
// once a program of the owner's has handed the file over. Then the file's name is lost in the crash that follows it.
func TestDownloadWaitsForItsOwnerAfterReboot(t *testing.T) {
	m := newMachine(t)
	m.edge.hold.Store(12 * mib)
	id := m.addForAnn()
	before := m.until(id, func(d api.Download) bool { return d.DurableBytes >= 4*mib })
	m.kill()
	m.store.forget()
	m.edge.hold.Store(0)
	sent := m.edge.sent.Load()
	m.start()
	waits := m.until(id, needsOwner)
	if waits.State != api.StateWaiting || waits.Errand == nil || waits.Errand.Kind != api.ErrandHand {
		t.Errorf("it is %+v; want that it waits for its owner", waits)
	}
	if out, err := m.ctl(0, "resume", id); err == nil {
		t.Errorf("an administrator hands over ann's file: %s", out)
	}
	if out, err := m.ctl(annUID, "list"); err != nil {
		t.Errorf("list: %s, %v", out, err)
	}
	m.until(id, func(d api.Download) bool { return d.Errand != nil && d.Errand.Kind == api.ErrandName })
	if again := m.edge.sent.Load() - sent; again > int64(len(m.content))-before.DurableBytes+mib {
		t.Errorf("%d bytes were sent again, although %d of %d were durable", again, before.DurableBytes, len(m.content))
	}
	m.kill()
	m.store.forget()
	m.must(os.Rename(filepath.Join(m.home, "Downloads", "file.bin.tributary-part"), filepath.Join(m.home, "Downloads", "file.bin")))
	m.start()
	m.until(id, needsOwner)
	if out, err := m.ctl(annUID, "list"); err != nil {
		t.Errorf("list: %s, %v", out, err)
	}
	m.until(id, func(d api.Download) bool { return d.State == api.StateComplete })
	m.hasFile(filepath.Join(m.home, "Downloads", "file.bin"))
}

// Who deletes the unfinished file gets the download from the beginning, when they ask for it.
func TestDeletedPartBeginsAgain(t *testing.T) {
	m := newMachine(t)
	m.edge.hold.Store(4 * mib)
	id := m.addForAnn()
	m.until(id, func(d api.Download) bool { return d.VerifiedBytes >= mib })
	m.must(os.Remove(filepath.Join(m.home, "Downloads", "file.bin.tributary-part")))
	m.edge.hold.Store(0)
	m.until(id, func(d api.Download) bool { return d.State == api.StateFailed })
	if out, err := m.ctl(annUID, "resume", id); err != nil {
		t.Errorf("resume: %s, %v", out, err)
	}
	m.until(id, func(d api.Download) bool { return d.Errand != nil && d.Errand.Kind == api.ErrandName })
	if out, err := m.ctl(annUID, "list"); err != nil {
		t.Errorf("list: %s, %v", out, err)
	}
	m.hasFile(filepath.Join(m.home, "Downloads", "file.bin"))
}

// Whatever a user hands over that is not an empty plain file of theirs is refused, and nothing begins.
func TestHostileDescriptors(t *testing.T) {
	m := newMachine(t)
	dir := filepath.Join(m.folder, "root")
	m.must(os.Mkdir(dir, 0o700))
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"full": "x", "linked": "", "other": "", "good": ""} {
		m.must(os.WriteFile(path(name), []byte(text), 0o600))
	}
	m.must(errors.Join(syscall.Mkfifo(path("fifo"), 0o600), os.Link(path("linked"), path("twin")), os.Chown(path("other"), annUID, annUID)))
	tests := []struct {
		name, path string
		flags      int
		says       string
	}{
		{"a folder", dir, os.O_RDONLY, "no regular file"},
		{"a fifo", path("fifo"), os.O_RDWR, "no regular file"},
		{"a device", os.DevNull, os.O_RDWR, "no regular file"},
		{"another user's", path("other"), os.O_RDWR, "belongs to uid"},
		{"read-only", path("good"), os.O_RDONLY, "not open for reading and writing"},
		{"with two names", path("linked"), os.O_RDWR, "2 names"},
		{"with something in it", path("full"), os.O_RDWR, "not empty"},
		{"a good one", path("good"), os.O_RDWR, ""},
		{"the same again", path("good"), os.O_RDWR, "is that of download"},
	}
	m.edge.hold.Store(mib)
	for _, tt := range tests {
		f, err := os.OpenFile(tt.path, tt.flags, 0)
		m.must(err)
		answer := m.addRaw(f, dir)
		m.must(f.Close())
		if tt.says == "" && !strings.Contains(answer, " 201 ") || !strings.Contains(answer, tt.says) {
			t.Errorf("%s: %s; want %q", tt.name, answer, tt.says)
		}
	}
	list, err := m.root.Downloads(m.ctx)
	if err != nil || len(list) != 1 {
		t.Errorf("there are %d downloads, %v; want the good one alone", len(list), err)
	}
	if text, err := os.ReadFile(path("full")); err != nil || string(text) != "x" {
		t.Errorf("the file that was refused holds %q, %v", text, err)
	}
}

// addRaw asks for a download as no program of ours does, and returns the answer.
func (m *machine) addRaw(f *os.File, dir string) string {
	m.t.Helper()
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: m.socket, Net: "unix"})
	m.must(err)
	defer c.Close()
	body := fmt.Sprintf(`{"url":%q,"dir":%q,"part":"p.tributary-part"}`, m.url, dir)
	request := fmt.Sprintf("POST /v1/downloads HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
		api.LocalHost, len(body), body)
	_, _, err = c.WriteMsgUnix([]byte(request), syscall.UnixRights(int(f.Fd())), nil)
	m.must(err)
	answer, err := io.ReadAll(c)
	m.must(err)
	return string(answer)
}

// descriptorStore stands for systemd: it hears notifications and keeps files, see sd_notify(3).
type descriptorStore struct {
	path  string
	ready chan struct{}

	mu    sync.Mutex
	files map[string][]int
}

func newDescriptorStore(t *testing.T, path string) *descriptorStore {
	t.Helper()
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	s := &descriptorStore{path: path, ready: make(chan struct{}, 8), files: map[string][]int{}}
	var listening sync.WaitGroup
	listening.Go(func() { s.listen(l) })
	t.Cleanup(func() {
		_ = l.Close()
		listening.Wait()
		s.forget()
	})
	return s
}

func (s *descriptorStore) listen(l *net.UnixConn) {
	b, oob := make([]byte, 4096), make([]byte, 256)
	for {
		n, rights, _, _, err := l.ReadMsgUnix(b, oob)
		if err != nil {
			return
		}
		var fds []int
		messages, _ := syscall.ParseSocketControlMessage(oob[:rights]) // of our own programs, on this machine
		for _, m := range messages {
			more, _ := syscall.ParseUnixRights(&m)
			fds = append(fds, more...)
		}
		s.hear(string(b[:n]), fds)
	}
}

func (s *descriptorStore) hear(message string, fds []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := strings.Split(message, "\n")
	_, name, _ := strings.Cut(message, "FDNAME=")
	switch {
	case slices.Contains(lines, "FDSTORE=1"):
		s.files[name] = append(s.files[name], fds...)
	case slices.Contains(lines, "FDSTOREREMOVE=1"):
		for _, fd := range s.files[name] {
			_ = syscall.Close(fd)
		}
		delete(s.files, name)
	case slices.Contains(lines, "READY=1"):
		s.ready <- struct{}{}
	}
}

// take returns copies of all files, for the next process; the store keeps its own, as systemd does.
func (s *descriptorStore) take() (names []string, files []*os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, fds := range s.files {
		for _, fd := range fds {
			if copied, err := syscall.Dup(fd); err == nil {
				names, files = append(names, name), append(files, os.NewFile(uintptr(copied), name))
			}
		}
	}
	return names, files
}

func (s *descriptorStore) names() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.files {
		names = append(names, name)
	}
	return names
}

// forget drops everything, as a restart of the machine does.
func (s *descriptorStore) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, fds := range s.files {
		for _, fd := range fds {
			_ = syscall.Close(fd)
		}
		delete(s.files, name)
	}
}

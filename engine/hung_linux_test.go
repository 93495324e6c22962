package engine

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/tributary-dl/tributary/engine/api"
)

// moody is a disk that hangs when it is told to: each call waits until it comes back.
type moody struct {
	fuse.RawFileSystem
	gate atomic.Pointer[chan struct{}] // nil: it works
}

func (m *moody) hang() { m.gate.Store(new(make(chan struct{}))) }

func (m *moody) comeBack() {
	if gate := m.gate.Swap(nil); gate != nil {
		close(*gate)
	}
}

func (m *moody) wait() {
	if gate := m.gate.Load(); gate != nil {
		<-*gate
	}
}

func (m *moody) Lookup(cancel <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	m.wait()
	return m.RawFileSystem.Lookup(cancel, h, name, out)
}

func (m *moody) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	m.wait()
	return m.RawFileSystem.GetAttr(cancel, in, out)
}

func (m *moody) Write(cancel <-chan struct{}, in *fuse.WriteIn, data []byte) (uint32, fuse.Status) {
	m.wait()
	return m.RawFileSystem.Write(cancel, in, data)
}

func (m *moody) Fsync(cancel <-chan struct{}, in *fuse.FsyncIn) fuse.Status {
	m.wait()
	return m.RawFileSystem.Fsync(cancel, in)
}

func (m *moody) StatFs(cancel <-chan struct{}, h *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	m.wait()
	return m.RawFileSystem.StatFs(cancel, h, out)
}

// newMoody mounts one, and returns a folder on it.
func newMoody(t *testing.T) (*moody, string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a file system")
	}
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("needs FUSE: ", err)
	}
	root, err := fs.NewLoopbackRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	none := time.Duration(0) // nothing is answered from the kernel's memory
	m := &moody{RawFileSystem: fs.NewNodeFS(root, &fs.Options{EntryTimeout: &none, AttrTimeout: &none})}
	dir := t.TempDir()
	server, err := fuse.NewServer(m, dir, &fuse.MountOptions{DirectMountStrict: true, FsName: "moody", Name: "moody"})
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve()
	if err := server.WaitMount(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.comeBack()
		if err := server.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return m, dir
}

// A disk that hangs when a file is to be opened on it stops nobody but those whose files are there. They say what is
// wrong, obey, and go on by themselves when it comes back.
func TestDiskHangsBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	disk, hung := newMoody(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader([]byte("good")))
	}))
	defer server.Close()
	e := open(t, t.TempDir(), Policy{})
	add := func(name, dir string) string {
		t.Helper()
		d, err := e.Add(t.Context(), api.AddRequest{URL: server.URL + "/" + name, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return d.ID
	}
	disk.hang()
	var waiting []string
	for i := range e.Settings().MaxActive {
		waiting = append(waiting, add(string(rune('a'+i)), filepath.Join(hung, "new")))
	}
	other := add("other", t.TempDir())
	until(t, e, "the one on another disk", func(s api.Download) bool { return s.ID == other && s.State == api.StateComplete })
	for _, id := range waiting {
		until(t, e, "the disk's trouble", func(s api.Download) bool {
			return s.ID == id && s.State == api.StateWaiting && s.Problem != nil && s.Problem.Code == api.CodeVolumeLost
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for _, do := range []func(context.Context, string) error{e.Pause, e.Resume, e.Pause, e.Resume} {
		if err := do(ctx, waiting[0]); err != nil {
			t.Errorf("while the disk hangs: %v", err)
		}
	}
	disk.comeBack()
	for _, id := range waiting {
		s := until(t, e, "completion", func(s api.Download) bool { return s.ID == id && s.State == api.StateComplete })
		if got, err := os.ReadFile(s.Path); err != nil || string(got) != "good" {
			t.Errorf("%s: %q, %v", s.Path, got, err)
		}
	}
	left, err := os.ReadDir(filepath.Join(hung, "new"))
	if err != nil || len(left) != len(waiting) {
		t.Errorf("%d files are left, %v; want %d", len(left), err, len(waiting))
	}
}

// A disk that hangs while bytes come is noticed, and costs nothing that was durable.
func TestDiskHangsWhileBytesCome(t *testing.T) {
	t.Parallel()
	disk, hung := newMoody(t)
	content := bytes.Repeat([]byte("tributary "), 800_000)
	half := make(chan struct{}) // closed when the second half may come
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, &halved{Reader: bytes.NewReader(content), half: int64(len(content) / 2), next: half})
	}))
	defer server.Close()
	e := open(t, t.TempDir(), Policy{})
	d, err := e.Add(t.Context(), api.AddRequest{URL: server.URL + "/film", Dir: hung})
	if err != nil {
		t.Fatal(err)
	}
	until(t, e, "some pieces", func(s api.Download) bool { return s.VerifiedBytes >= 3<<20 })
	disk.hang()
	close(half)
	until(t, e, "the disk's trouble", func(s api.Download) bool {
		return s.State == api.StateWaiting && s.Problem != nil && s.Problem.Code == api.CodeVolumeLost
	})
	other, err := e.Add(t.Context(), api.AddRequest{URL: server.URL + "/other", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	until(t, e, "the one on another disk", func(s api.Download) bool { return s.ID == other.ID && s.State == api.StateComplete })
	disk.comeBack()
	s := until(t, e, "completion", func(s api.Download) bool { return s.ID == d.ID && s.State == api.StateComplete })
	if got, err := os.ReadFile(s.Path); err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v; want the file", len(got), err)
	}
}

// halved is content whose second half comes when it may.
type halved struct {
	*bytes.Reader
	half int64
	next <-chan struct{}
}

func (h *halved) Read(p []byte) (int, error) {
	if at := h.Size() - int64(h.Len()); at >= h.half {
		<-h.next
	} else {
		p = p[:min(int64(len(p)), h.half-at)]
	}
	return h.Reader.Read(p)
}

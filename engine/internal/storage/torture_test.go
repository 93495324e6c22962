package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
)

// The torture test lets each call to the disk and to the Marker fail once, and looks at what is left.
// Beneath are real files; the model beside them knows what a power cut would leave.

// failure is how a call fails.
type failure struct {
	name  string
	err   error
	short bool // a write takes half of the bytes first; other calls fail as usual
}

var failures = []failure{
	{name: "EIO", err: syscall.EIO},
	{name: "ENOSPC after half a write", err: syscall.ENOSPC, short: true},
	{name: "short write without an error", err: nil, short: true},
}

// rack is a disk whose n-th call fails.
type rack struct {
	mu     sync.Mutex
	calls  int
	failAt int // 0: never
	how    failure
	failed string // the call that failed
	open   int    // files and folders
	inodes map[string]*inode
}

// inode is what the model knows of a file: bytes that are on the disk, and ranges that are not yet. A
// flush that fails loses them, while reading goes on to show them: so does Linux.
type inode struct {
	synced []byte
	dirty  [][2]int64
}

// call counts a call and says how it must fail; a nil error with true is a short write.
func (r *rack) call(name string, isWrite bool) (failure, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.calls != r.failAt {
		return failure{}, false
	}
	r.failed = name
	how := r.how
	if !isWrite && how.err == nil {
		how.err = syscall.EIO
	}
	return how, true
}

func (r *rack) fails(name string) error {
	how, _ := r.call(name, false)
	return how.err
}

func (r *rack) count(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open += n
}

func (r *rack) inode(id string) *inode {
	n := r.inodes[id]
	if n == nil {
		n = &inode{}
		r.inodes[id] = n
	}
	return n
}

func (r *rack) openFolder(path string) (folder, error) {
	if err := r.fails("open folder"); err != nil {
		return nil, err
	}
	return r.folder(openFolder(path))
}

func (r *rack) folder(f folder, err error) (folder, error) {
	if err != nil {
		return nil, err
	}
	r.count(1)
	return &rackFolder{f, r}, nil
}

type rackFolder struct {
	folder
	r *rack
}

func (f *rackFolder) file(name string, open func() (file, error)) (file, error) {
	if err := f.r.fails(name); err != nil {
		return nil, err
	}
	opened, err := open()
	if err != nil {
		return nil, err
	}
	s, err := opened.Stat()
	if err != nil {
		return nil, err
	}
	f.r.count(1)
	return &rackFile{opened, f.r, s.id}, nil
}

func (f *rackFolder) Create(name string) (file, error) {
	return f.file("create", func() (file, error) { return f.folder.Create(name) })
}

func (f *rackFolder) Open(name string, write bool) (file, error) {
	return f.file("open", func() (file, error) { return f.folder.Open(name, write) })
}

func (f *rackFolder) Folder(name string) (folder, error) {
	if err := f.r.fails("open inner folder"); err != nil {
		return nil, err
	}
	return f.r.folder(f.folder.Folder(name))
}

func (f *rackFolder) Exists(name string) (bool, error) {
	if err := f.r.fails("exists"); err != nil {
		return false, err
	}
	return f.folder.Exists(name)
}

func (f *rackFolder) Volume() (volume, error) {
	if err := f.r.fails("volume"); err != nil {
		return volume{}, err
	}
	return f.folder.Volume()
}

func (f *rackFolder) Mkdir(name string) error {
	return cmpOr(f.r.fails("mkdir"), func() error { return f.folder.Mkdir(name) })
}

func (f *rackFolder) MkdirAll(name string) error {
	return cmpOr(f.r.fails("mkdir all"), func() error { return f.folder.MkdirAll(name) })
}

func (f *rackFolder) Remove(name string) error {
	return cmpOr(f.r.fails("remove"), func() error { return f.folder.Remove(name) })
}

func (f *rackFolder) Rename(from, to string) error {
	return cmpOr(f.r.fails("rename"), func() error { return f.folder.Rename(from, to) })
}

// Sync costs nothing here: the model does not lose names.
func (f *rackFolder) Sync(string) error { return f.r.fails("sync folder") }

// Close closes even when it reports an error, as systems do.
func (f *rackFolder) Close() error {
	f.r.count(-1)
	return errors.Join(f.r.fails("close folder"), f.folder.Close())
}

func cmpOr(err error, do func() error) error {
	if err != nil {
		return err
	}
	return do()
}

type rackFile struct {
	file
	r  *rack
	id string
}

func (f *rackFile) ReadAt(b []byte, off int64) (int, error) {
	if err := f.r.fails("read"); err != nil {
		return 0, err
	}
	return f.file.ReadAt(b, off)
}

func (f *rackFile) WriteAt(b []byte, off int64) (int, error) {
	how, failed := f.r.call("write", true)
	if failed && !how.short {
		return 0, how.err
	}
	if failed {
		b = b[:len(b)/2]
	}
	n, err := f.file.WriteAt(b, off)
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	i := f.r.inode(f.id)
	i.dirty = append(i.dirty, [2]int64{off, off + int64(n)})
	if failed {
		return n, how.err
	}
	return n, err
}

func (f *rackFile) Truncate(size int64) error {
	return cmpOr(f.r.fails("truncate"), func() error { return f.file.Truncate(size) })
}

func (f *rackFile) Sync() error {
	err := f.r.fails("sync")
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	i := f.r.inode(f.id)
	for _, d := range i.dirty {
		if err != nil {
			break
		}
		b := make([]byte, d[1]-d[0])
		if _, err := f.file.ReadAt(b, d[0]); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		i.synced = append(i.synced, make([]byte, max(0, d[1]-int64(len(i.synced))))...)
		copy(i.synced[d[0]:], b)
	}
	i.dirty = nil
	return err
}

func (f *rackFile) Stat() (fileStat, error) {
	if err := f.r.fails("stat"); err != nil {
		return fileStat{}, err
	}
	return f.file.Stat()
}

func (f *rackFile) Data(from int64) (start, end int64, err error) {
	if err := f.r.fails("data"); err != nil {
		return 0, 0, err
	}
	return f.file.Data(from)
}

func (f *rackFile) Close() error {
	f.r.count(-1)
	return errors.Join(f.r.fails("close"), f.file.Close())
}

// victim is a download on the rack, with an engine that stores identities as the real one does.
type victim struct {
	t      *testing.T
	rack   *rack
	marks  *marks
	c      *Committer
	dir    string
	layout Layout
	data   []byte
	stored *Identity // nil: nothing was made yet
	clean  bool
	byFile []string // inode of each file, to look it up in the model
}

// MarkDurable fails as told, and otherwise checks the promise: what is marked is on the disk.
func (v *victim) MarkDurable(all map[string][]int) error {
	if err := v.rack.fails("mark"); err != nil {
		return err
	}
	geo := newGeometry(v.layout)
	v.rack.mu.Lock()
	for _, i := range slices.Concat(slices.Collect(maps.Values(all))...) {
		file, at, length := geo.at(i)
		synced := v.rack.inode(v.byFile[file]).synced
		want := pieceOf(&Object{geo: geo}, v.data, i)
		if int64(len(synced)) < at+length || !bytes.Equal(synced[at:at+length], want) {
			v.t.Errorf("piece %d is marked durable, but a power cut would take it (%s failed)", i, v.rack.failed)
		}
	}
	v.rack.mu.Unlock()
	return v.marks.MarkDurable(all)
}

func (v *victim) ClearDurable(id string, pieces []int) error {
	if err := v.rack.fails("clear"); err != nil {
		return err
	}
	return v.marks.ClearDurable(id, pieces)
}

func (v *victim) store(i Identity) error {
	v.stored = &i
	v.byFile = nil
	for _, f := range i.Files {
		v.byFile = append(v.byFile, f.ID)
	}
	return nil
}

func (v *victim) reopen() (*Object, error) {
	o, err := v.c.Reopen(context.Background(), "v", *v.stored, v.layout, v.marks.of("v"), v.clean)
	v.clean = false
	if err == nil {
		err = v.store(o.Identity())
	}
	return o, err
}

// firstRun makes the download, takes half of its pieces and stops.
func (v *victim) firstRun() error {
	o, err := v.c.Create(context.Background(), "v", v.dir, "f", v.layout)
	if err != nil {
		return err
	}
	v.store(o.Identity())
	half := o.geo.pieces() / 2
	for i := range half {
		p := pieceOf(o, v.data, i)
		err = errors.Join(err, o.WriteBlock(i, 0, p[:len(p)/2]), o.WriteBlock(i, int64(len(p)/2), p[len(p)/2:]))
		if err == nil {
			_, err = o.Recheck(context.Background(), []int{i}, verifier(o, v.data))
		}
	}
	if err == nil {
		err = o.WriteBlock(half, 0, pieceOf(o, v.data, half)) // in flight when it stops
	}
	return v.stop(o, err)
}

func (v *victim) stop(o *Object, err error) error {
	cerr := o.Close(context.Background())
	if err == nil && cerr == nil {
		v.store(o.Identity())
		v.clean = true
	}
	return errors.Join(err, cerr)
}

// secondRun takes the rest and gives the name.
func (v *victim) secondRun() error {
	o, err := v.reopen()
	if err != nil {
		return err
	}
	return v.stop(o, v.complete(o))
}

func (v *victim) complete(o *Object) error {
	doubtful, err := o.Doubtful()
	if err == nil {
		_, err = o.Recheck(context.Background(), doubtful, verifier(o, v.data))
	}
	if err != nil {
		return err
	}
	for i := range o.geo.pieces() {
		if err := o.WritePiece(i, pieceOf(o, v.data, i)); err != nil {
			return err
		}
	}
	if _, err := o.Finish(context.Background(), v.store); err != nil {
		return err
	}
	v.store(o.Identity())
	b := make([]byte, 1)
	_, err = o.ReadAt(b, 0, 0)
	return err
}

// torture runs both runs with one failure, then heals the disk, and sees the download through. It
// returns how many calls there were and whether one failed.
func torture(t *testing.T, dir string, l Layout, failAt int, how failure) (calls int, hit bool) {
	v := &victim{
		t: t, dir: dir, layout: l, data: content(l.Length),
		rack:  &rack{failAt: failAt, how: how, inodes: map[string]*inode{}},
		marks: &marks{sets: map[string]Bitmap{}},
	}
	must(t, os.WriteFile(filepath.Join(dir, "f"), []byte("the user's"), 0o600))
	v.c = NewCommitter(Config{Marker: v, Log: slog.New(slog.DiscardHandler)})
	v.c.open = v.rack.openFolder
	defer v.c.Close(context.Background())

	err := v.firstRun()
	if err == nil {
		err = v.secondRun()
	}
	calls, hit = v.rack.calls, v.rack.failed != ""
	if !hit && err != nil {
		t.Fatalf("nothing failed, but: %v", err)
	}
	v.rack.failAt = 0
	for v.stored == nil { // Create failed: it must have left nothing
		checkDir(t, dir, "f")
		if err := v.firstRun(); err != nil {
			t.Fatalf("after %s failed (%s): %v", v.rack.failed, how.name, err)
		}
	}
	o, err := v.reopen()
	if err == nil {
		err = v.stop(o, v.complete(o))
	}
	if err != nil {
		t.Fatalf("after %s failed (%s): %v", v.rack.failed, how.name, err)
	}
	checkFiles(t, filepath.Join(dir, "f (2)"), l, v.data)
	checkDir(t, dir, "f", "f (2)")
	if got, err := os.ReadFile(filepath.Join(dir, "f")); err != nil || string(got) != "the user's" {
		t.Errorf("after %s failed (%s) the user's file is %q, %v", v.rack.failed, how.name, got, err)
	}
	if v.rack.open != 0 {
		t.Errorf("after %s failed (%s) %d files are open", v.rack.failed, how.name, v.rack.open)
	}
	return calls, hit
}

func TestTorture(t *testing.T) {
	for name, l := range map[string]Layout{"file": {Length: 75, PieceLength: 10}, "folder": three} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			n := 0
			run := func(failAt int, how failure) (calls int, hit bool) {
				n++
				dir := filepath.Join(root, fmt.Sprint(n))
				must(t, os.Mkdir(dir, 0o700))
				// In a bubble the committer's timer never comes between, and a goroutine left behind is an error.
				synctest.Test(t, func(t *testing.T) { calls, hit = torture(t, dir, l, failAt, how) })
				must(t, os.RemoveAll(dir))
				return calls, hit
			}
			calls, _ := run(0, failure{})
			for _, how := range failures {
				for k := 1; k <= calls; k++ {
					if _, hit := run(k, how); !hit {
						t.Fatalf("call %d of %d was not reached", k, calls)
					}
				}
			}
			t.Logf("%d calls, each failed in %d ways", calls, len(failures))
		})
	}
}

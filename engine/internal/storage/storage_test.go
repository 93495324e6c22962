package storage

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// marks is a Marker in memory.
type marks struct {
	mu   sync.Mutex
	sets map[string]Bitmap
	err  error // what both calls return
}

func (m *marks) MarkDurable(all map[string][]int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	for id, pieces := range all {
		set := m.sets[id]
		for _, i := range pieces {
			set.set(i)
		}
		m.sets[id] = set
	}
	return nil
}

func (m *marks) ClearDurable(id string, pieces []int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	for _, i := range pieces {
		m.sets[id].clear(i)
	}
	return nil
}

func (m *marks) of(id string) Bitmap {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.sets[id])
}

func (m *marks) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// bench is a committer with what a test needs around it.
type bench struct {
	*Committer
	t      testing.TB
	dir    string
	marks  *marks
	failed chan error // what Failed was told, as much as there is room for: it must not wait
}

func newBench(t testing.TB) *bench {
	b := &bench{t: t, dir: t.TempDir(), marks: &marks{sets: map[string]Bitmap{}}, failed: make(chan error, 10)}
	b.Committer = NewCommitter(Config{
		Marker: b.marks,
		Log:    slog.New(slog.NewTextHandler(t.Output(), nil)),
		Failed: func(_ string, err error) {
			select {
			case b.failed <- err:
			default:
			}
		},
	})
	t.Cleanup(func() { b.Committer.Close(context.Background()) })
	return b
}

func (b *bench) create(name string, l Layout) *Object {
	b.t.Helper()
	o, err := b.Create(b.t.Context(), name, b.dir, name, l)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { o.Close(context.Background()) })
	return o
}

func (b *bench) reopen(id string, ident Identity, l Layout, clean bool) *Object {
	b.t.Helper()
	o, err := b.Reopen(b.t.Context(), id, ident, l, b.marks.of(id), clean)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { o.Close(context.Background()) })
	return o
}

// content is the same pseudo-random bytes for each test; no piece is zeros or like another.
func content(n int64) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(data)
	return data
}

// pieceOf cuts piece i out of an object's bytes, its files one after the other.
func pieceOf(o *Object, data []byte, i int) []byte {
	file, at, length := o.geo.at(i)
	for _, f := range o.geo.layout.Files[:min(file, len(o.geo.layout.Files))] {
		at += f.Length
	}
	return data[at : at+length]
}

func verifier(o *Object, data []byte) func(int, []byte) bool {
	return func(i int, got []byte) bool { return bytes.Equal(got, pieceOf(o, data, i)) }
}

func noHook(Identity) error { return nil }

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// three is a layout of three files of which one is empty: pieces aab, two of them short.
var three = Layout{Length: 25, PieceLength: 10, Files: []FileSpan{
	{Path: []string{"sub", "a"}, Length: 18, FirstPiece: 0},
	{Path: []string{"empty"}, Length: 0, FirstPiece: 2},
	{Path: []string{"sub", "deep", "b"}, Length: 7, FirstPiece: 2},
}}

func TestPiecesBecomeAFile(t *testing.T) {
	for name, l := range map[string]Layout{
		"one.bin":   {Length: 1<<16 + 7, PieceLength: 1 << 14},
		"full.bin":  {Length: 1 << 15, PieceLength: 1 << 14},
		"empty.bin": {Length: 0, PieceLength: 1 << 14},
		"folder":    three,
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			o := b.create(name, l)
			data := content(l.Length)
			for i := range o.geo.pieces() {
				p := pieceOf(o, data, i)
				if i%2 == 0 {
					must(t, o.WritePiece(i, p))
				} else {
					must(t, o.WriteBlock(i, 3, p[3:]), o.WriteBlock(i, 0, p[:3]), o.MarkVerified(i))
				}
			}
			var hooked []Identity
			path, err := o.Finish(t.Context(), func(i Identity) error {
				hooked = append(hooked, i)
				return nil
			})
			must(t, err)
			if want := filepath.Join(b.dir, name); path != want {
				t.Errorf("Finish = %s; want %s", path, want)
			}
			if len(hooked) != 1 || hooked[0].Stage != StageRenaming {
				t.Errorf("Finish announced %+v; want one renaming", hooked)
			}
			if got := b.marks.of(name).Count(); got != o.geo.pieces() {
				t.Errorf("%d pieces are marked; want %d", got, o.geo.pieces())
			}
			// It stays readable, now and in the next run, and takes no more bytes.
			checkReadable(t, o, data)
			must(t, o.Close(t.Context()))
			again := b.reopen(name, o.Identity(), l, true)
			if p := again.Progress(); p.Durable != p.Pieces || again.Identity().Stage != StageComplete {
				t.Errorf("reopened: %+v, %s", p, again.Identity().Stage)
			}
			checkReadable(t, again, data)
			if l.Length > 0 { // a late block is no error
				must(t, again.WriteBlock(0, 0, []byte("bad")))
			}
			checkDir(t, b.dir, name)
			checkFiles(t, path, l, data)
		})
	}
}

func checkReadable(t *testing.T, o *Object, data []byte) {
	t.Helper()
	for i := range o.geo.pieces() {
		want := pieceOf(o, data, i)
		got := make([]byte, len(want))
		if n, err := o.ReadAt(got, i, 0); err != nil || n != len(want) || !bytes.Equal(got, want) {
			t.Errorf("ReadAt piece %d = %d, %v", i, n, err)
		}
	}
}

// checkFiles compares what is on the disk with an object's bytes.
func checkFiles(t *testing.T, path string, l Layout, data []byte) {
	t.Helper()
	files := l.Files
	if files == nil {
		files = []FileSpan{{Length: l.Length}}
	}
	for _, f := range files {
		got, err := os.ReadFile(filepath.Join(append([]string{path}, f.Path...)...))
		must(t, err)
		if !bytes.Equal(got, data[:f.Length]) {
			t.Errorf("%v differs", f.Path)
		}
		data = data[f.Length:]
	}
}

// checkDir compares the names in a folder.
func checkDir(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestVerifiedPiecesTakeNoMoreBytes(t *testing.T) {
	b := newBench(t)
	data := content(20)
	o := b.create("f", Layout{Length: 20, PieceLength: 10})
	must(t, o.WritePiece(0, data[:10]), o.WriteBlock(0, 2, []byte("bad")), o.WritePiece(0, make([]byte, 10)))
	must(t, o.WriteBlock(1, 0, data[10:]), o.MarkVerified(1), o.WriteBlock(1, 0, []byte("bad")))
	checkReadable(t, o, data)
}

func TestWrongCallsChangeNothing(t *testing.T) {
	b := newBench(t)
	o := b.create("f", Layout{Length: 25, PieceLength: 10})
	for name, err := range map[string]error{
		"short piece":      o.WritePiece(0, make([]byte, 9)),
		"long last piece":  o.WritePiece(2, make([]byte, 10)),
		"no such piece":    o.WritePiece(3, make([]byte, 5)),
		"negative piece":   o.WriteBlock(-1, 0, nil),
		"negative offset":  o.WriteBlock(0, -1, nil),
		"beyond the piece": o.WriteBlock(0, 8, make([]byte, 3)),
		"mark no piece":    o.MarkVerified(3),
		"other length":     o.SetLength(24),
	} {
		if err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for _, r := range []struct {
		i, n int
		off  int64
	}{{3, 1, 0}, {-1, 1, 0}, {0, 11, 0}, {0, 1, -1}, {2, 1, 5}} {
		if _, err := o.ReadAt(make([]byte, r.n), r.i, r.off); err == nil {
			t.Errorf("read %+v was taken", r)
		}
	}
	if _, err := o.Finish(t.Context(), noHook); !errors.Is(err, ErrIncomplete) {
		t.Errorf("Finish = %v; want ErrIncomplete", err)
	}
	if got := o.Progress(); got != (Progress{Pieces: 3, Length: 25}) {
		t.Errorf("Progress = %+v", got)
	}
}

func TestBadLayouts(t *testing.T) {
	b := newBench(t)
	one := func(path ...string) Layout {
		return Layout{Length: 1, PieceLength: 1, Files: []FileSpan{{Path: path, Length: 1}}}
	}
	for name, l := range map[string]Layout{
		"no piece length":   {Length: 1},
		"huge piece length": {Length: 1, PieceLength: 1 << 40},
		"negative length":   {Length: -2, PieceLength: 1},
		"too many pieces":   {Length: 1 << 40, PieceLength: 1},
		"up":                one(".."),
		"slash":             one("a/b"),
		"backslash":         one(`a\b`),
		"zero byte":         one("a\x00"),
		"empty component":   one("a", ""),
		"no path":           one(),
		"sum":               {Length: 2, PieceLength: 1, Files: []FileSpan{{Path: []string{"a"}, Length: 1}}},
		"overflow": {Length: 2, PieceLength: 1, Files: []FileSpan{
			{Path: []string{"a"}, Length: 1<<63 - 1}, {Path: []string{"b"}, Length: 1<<63 - 1}}},
		"first piece": {Length: 1, PieceLength: 1, Files: []FileSpan{{Path: []string{"a"}, Length: 1, FirstPiece: 1}}},
		"same path twice": {Length: 2, PieceLength: 1, Files: []FileSpan{
			{Path: []string{"a"}, Length: 1}, {Path: []string{"a"}, Length: 1, FirstPiece: 1}}},
		"file is also a folder": {Length: 2, PieceLength: 1, Files: []FileSpan{
			{Path: []string{"a"}, Length: 1}, {Path: []string{"a", "b"}, Length: 1, FirstPiece: 1}}},
	} {
		if o, err := b.Create(t.Context(), "x", b.dir, "x", l); err == nil {
			o.Close(t.Context())
			t.Errorf("%s was taken", name)
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", `a\b`, "../x", "a\x00b"} {
		if o, err := b.Create(t.Context(), "x", b.dir, name, Layout{PieceLength: 1}); err == nil {
			o.Close(t.Context())
			t.Errorf("name %q was taken", name)
		}
	}
	checkDir(t, b.dir)
}

func TestTakenNamesAreLeftAlone(t *testing.T) {
	b := newBench(t)
	taken := []string{"f.tar.gz", "f (2).tar.gz" + partSuffix}
	for _, name := range taken {
		must(t, os.WriteFile(filepath.Join(b.dir, name), []byte(name), 0o600))
	}
	must(t, os.Symlink("nowhere", filepath.Join(b.dir, "f (3).tar.gz")))
	o := b.create("f.tar.gz", Layout{Length: 3, PieceLength: 10})
	must(t, o.WritePiece(0, []byte("abc")))
	if want := filepath.Join(b.dir, "f (4).tar.gz"); o.Path() != want {
		t.Errorf("Path = %s; want %s", o.Path(), want)
	}
	// The name is taken while the download runs, and the next one while it is given.
	must(t, os.WriteFile(o.Path(), []byte("mine"), 0o600))
	var asked []string
	path, err := o.Finish(t.Context(), func(i Identity) error {
		asked = append(asked, i.Name)
		if len(asked) == 1 {
			return os.WriteFile(filepath.Join(b.dir, i.Name), []byte("mine too"), 0o600)
		}
		return nil
	})
	must(t, err)
	if diff := cmp.Diff([]string{"f (4) (2).tar.gz", "f (4) (3).tar.gz"}, asked); diff != "" {
		t.Error(diff)
	}
	got, err := os.ReadFile(path)
	must(t, err)
	if string(got) != "abc" {
		t.Errorf("%s holds %q", path, got)
	}
	for name, want := range map[string]string{taken[0]: taken[0], taken[1]: taken[1], "f (4).tar.gz": "mine", asked[0]: "mine too"} {
		if got, err := os.ReadFile(filepath.Join(b.dir, name)); err != nil || string(got) != want {
			t.Errorf("%s = %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestStream(t *testing.T) {
	b := newBench(t)
	l := Layout{Length: -1, PieceLength: 10}
	o := b.create("live", l)
	data := content(25)
	must(t, o.WritePiece(0, data[:10]), o.WritePiece(1, data[10:20]))
	if got := o.Progress(); got.Pieces != -1 || got.Length != -1 || got.VerifiedLength != 20 {
		t.Errorf("Progress = %+v", got)
	}
	if _, err := o.Finish(t.Context(), noHook); !errors.Is(err, ErrIncomplete) {
		t.Errorf("Finish without a length = %v; want ErrIncomplete", err)
	}
	must(t, o.Close(t.Context()))

	o = b.reopen("live", o.Identity(), l, true)
	if got := o.Progress(); got.Durable != 2 {
		t.Errorf("reopened: %+v; want 2 durable pieces", got)
	}
	if err := o.SetLength(19); err == nil {
		t.Error("a length was taken that cuts a verified piece")
	}
	must(t, o.SetLength(25), o.SetLength(25), o.WritePiece(2, data[20:]))
	path, err := o.Finish(t.Context(), noHook)
	must(t, err)
	checkFiles(t, path, Layout{Length: 25}, data)
}

// What is stored between two runs: ident and the marks. change is what happens to the file meanwhile.
func TestReopen(t *testing.T) {
	l := Layout{Length: 40, PieceLength: 10}
	touch := func(path string) error {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		if _, err := f.WriteAt([]byte{^content(40)[0]}, 0); err != nil {
			return err
		}
		return f.Close()
	}
	for name, c := range map[string]struct {
		unclean  bool
		change   func(path string) error
		durable  string // right after Reopen; pieces 0 to 2 were written
		verified string // after Recheck of what is doubtful
		err      error
	}{
		"clean":                {durable: "###.", verified: "###."},
		"unclean":              {unclean: true, durable: "###.", verified: "###."},
		"clean, written to":    {change: touch, durable: "....", verified: ".##."},
		"clean, cut short":     {change: func(p string) error { return os.Truncate(p, 25) }, durable: "....", verified: "##.."},
		"unclean, cut short":   {unclean: true, change: func(p string) error { return os.Truncate(p, 25) }, durable: "....", verified: "##.."},
		"clean, copied back":   {change: copyBack, durable: "....", verified: "###."},
		"unclean, copied back": {unclean: true, change: copyBack, durable: "....", verified: "###."},
		"deleted":              {change: os.Remove, err: ErrMissing},
		"replaced by a link":   {change: func(p string) error { return errors.Join(os.Rename(p, p+"2"), os.Symlink(p+"2", p)) }, err: ErrTouched},
		"replaced by a folder": {change: func(p string) error { return errors.Join(os.Remove(p), os.Mkdir(p, 0o700)) }, err: ErrTouched},
		"folder deleted":       {change: func(p string) error { return os.RemoveAll(filepath.Dir(p)) }, err: ErrMissing},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			data := content(40)
			o := b.create("f", l)
			for i := range 3 {
				must(t, o.WritePiece(i, pieceOf(o, data, i)))
			}
			ident := o.Identity()
			must(t, o.Close(t.Context()))
			if !c.unclean {
				ident = o.Identity()
			}
			if c.change != nil {
				must(t, c.change(filepath.Join(b.dir, ident.Part)))
			}
			o, err := b.Reopen(t.Context(), "f", ident, l, b.marks.of("f"), !c.unclean)
			if c.err != nil {
				if !errors.Is(err, c.err) {
					t.Errorf("Reopen = %v; want %v", err, c.err)
				}
				return
			}
			must(t, err)
			defer o.Close(context.Background())
			if got := draw(o.Durable, 4); got != c.durable {
				t.Errorf("durable %s; want %s", got, c.durable)
			}
			if got := draw(b.marks.of("f").Has, 4); got != c.durable {
				t.Errorf("marked %s; want %s", got, c.durable)
			}
			doubtful, err := o.Doubtful()
			must(t, err)
			_, err = o.Recheck(t.Context(), doubtful, verifier(o, data))
			must(t, err, o.flush(t.Context()))
			if got := draw(o.Verified, 4); got != c.verified {
				t.Errorf("verified %s; want %s", got, c.verified)
			}
			if got := draw(b.marks.of("f").Has, 4); got != c.verified {
				t.Errorf("marked after the check %s; want %s", got, c.verified)
			}
		})
	}
}

func copyBack(path string) error {
	data, err := os.ReadFile(path)
	return errors.Join(err, os.Rename(path, path+".old"), os.WriteFile(path, data, 0o600), os.Remove(path+".old"))
}

func draw(has func(int) bool, n int) string {
	return strings.Map(func(r rune) rune {
		if has(int(r - 'A')) {
			return '#'
		}
		return '.'
	}, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[:n])
}

func TestRecheckFindsWhatABlockSpoiled(t *testing.T) {
	b := newBench(t)
	o := b.create("f", Layout{Length: 40, PieceLength: 10})
	data := content(40)
	must(t, o.WritePiece(0, pieceOf(o, data, 0)), o.WritePiece(1, pieceOf(o, data, 1)), o.flush(t.Context()))
	must(t, o.WriteBlock(2, 0, pieceOf(o, data, 2)))
	// Somebody writes to piece 1 behind our back.
	f, err := os.OpenFile(filepath.Join(b.dir, o.Identity().Part), os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt([]byte{^data[12]}, 12)
	must(t, err, f.Close())

	// A block arrives while piece 2 is hashed: it must be hashed again, not be taken as it was read.
	looks := 0
	bad, err := o.Recheck(t.Context(), []int{0, 1, 2}, func(i int, got []byte) bool {
		good := bytes.Equal(got, pieceOf(o, data, i))
		if looks++; i == 2 && looks == 3 {
			must(t, o.WriteBlock(2, 0, []byte("spoiled")))
		}
		return good
	})
	must(t, err)
	if diff := cmp.Diff([]int{1, 2}, bad); diff != "" {
		t.Error(diff)
	}
	if got := draw(o.Verified, 4); got != "#..." {
		t.Errorf("verified %s; want #...", got)
	}
	if got := draw(b.marks.of("f").Has, 4); got != "#..." {
		t.Errorf("marked %s; want #...", got)
	}
	must(t, o.WritePiece(1, pieceOf(o, data, 1)), o.flush(t.Context()))
	if got := draw(b.marks.of("f").Has, 4); got != "##.." {
		t.Errorf("marked %s; want ##..", got)
	}
}

// A stop amid Finish, at each side of the rename.
func TestReopenAmidFinish(t *testing.T) {
	for _, l := range []Layout{{Length: 3, PieceLength: 10}, {Length: 3, PieceLength: 10, Files: []FileSpan{{Path: []string{"a"}, Length: 3}}}} {
		for name, c := range map[string]struct {
			rename bool
			other  bool // somebody else's file takes the final name
			stage  Stage
			names  []string // in the end
		}{
			"before":                 {stage: StagePart, names: []string{"f"}},
			"before, name was taken": {other: true, stage: StagePart, names: []string{"f", "f (2)"}},
			"after":                  {rename: true, stage: StageComplete, names: []string{"f"}},
		} {
			t.Run(name, func(t *testing.T) {
				b := newBench(t)
				o := b.create("f", l)
				must(t, o.WritePiece(0, []byte("abc")))
				stop := errors.New("stop")
				var ident Identity
				_, err := o.Finish(t.Context(), func(i Identity) error {
					ident = i
					return stop
				})
				if !errors.Is(err, stop) {
					t.Fatalf("Finish = %v; want the hook's error", err)
				}
				must(t, o.Close(t.Context()))
				final := filepath.Join(b.dir, "f")
				if c.rename {
					must(t, os.Rename(filepath.Join(b.dir, ident.Part), final))
				}
				if c.other {
					must(t, os.WriteFile(final, []byte("not ours"), 0o600))
				}
				o = b.reopen("f", ident, l, false)
				if got := o.Identity().Stage; got != c.stage {
					t.Errorf("stage %q; want %q", got, c.stage)
				}
				if !o.Durable(0) {
					t.Error("the piece was lost")
				}
				path, err := o.Finish(t.Context(), noHook)
				must(t, err)
				if l.Files != nil {
					path = filepath.Join(path, "a")
				}
				if got, err := os.ReadFile(path); err != nil || string(got) != "abc" {
					t.Errorf("%s holds %q, %v", path, got, err)
				}
				checkDir(t, b.dir, c.names...)
			})
		}
	}
}

// Another file has our final name and the part is gone: it is not taken for ours.
func TestRenamingMissing(t *testing.T) {
	b := newBench(t)
	l := Layout{Length: 3, PieceLength: 10}
	o := b.create("f", l)
	must(t, o.WritePiece(0, []byte("abc")))
	var ident Identity
	o.Finish(t.Context(), func(i Identity) error {
		ident = i
		return errors.New("stop")
	})
	must(t, o.Close(t.Context()))
	must(t, os.WriteFile(filepath.Join(b.dir, "f"), []byte("abc"), 0o600), os.Remove(filepath.Join(b.dir, ident.Part)))
	if _, err := b.Reopen(t.Context(), "f", ident, l, b.marks.of("f"), true); !errors.Is(err, ErrMissing) {
		t.Errorf("Reopen = %v; want ErrMissing", err)
	}
}

func TestFileChangedWhileOpen(t *testing.T) {
	for name, c := range map[string]struct {
		change func(path string) error
		want   error
	}{
		"deleted":   {os.Remove, ErrMissing},
		"cut short": {func(p string) error { return os.Truncate(p, 5) }, ErrTouched},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			l := Layout{Length: 40, PieceLength: 10}
			data := content(40)
			o := b.create("f", l)
			must(t, o.WritePiece(0, data[:10]), o.flush(t.Context()))
			must(t, c.change(filepath.Join(b.dir, o.Identity().Part)))
			must(t, o.WritePiece(1, data[10:20]))
			if err := o.flush(t.Context()); !errors.Is(err, c.want) {
				t.Errorf("flush = %v; want %v", err, c.want)
			}
			if err := <-b.failed; !errors.Is(err, c.want) {
				t.Errorf("Failed was told %v; want %v", err, c.want)
			}
			if err := o.WritePiece(2, data[20:30]); !errors.Is(err, c.want) {
				t.Errorf("WritePiece = %v; want %v", err, c.want)
			}
			if got := draw(b.marks.of("f").Has, 4); got != "#..." {
				t.Errorf("marked %s; want #...", got)
			}
			o.Close(t.Context())
			// The next run must not trust it, even if its size is right again.
			if errors.Is(c.want, ErrTouched) {
				must(t, os.Truncate(filepath.Join(b.dir, o.Identity().Part), 40))
				o = b.reopen("f", o.Identity(), l, true)
				if got := draw(o.Durable, 4); got != "...." {
					t.Errorf("durable %s; want ....", got)
				}
			}
		})
	}
}

func TestReadOfACutFile(t *testing.T) {
	b := newBench(t)
	o := b.create("f", Layout{Length: 40, PieceLength: 10})
	must(t, os.Truncate(filepath.Join(b.dir, o.Identity().Part), 5))
	if _, err := o.ReadAt(make([]byte, 10), 1, 0); !errors.Is(err, ErrTouched) {
		t.Errorf("ReadAt = %v; want ErrTouched", err)
	}
	if err := <-b.failed; !errors.Is(err, ErrTouched) {
		t.Errorf("Failed was told %v; want ErrTouched", err)
	}
}

func TestDiscard(t *testing.T) {
	for name, l := range map[string]Layout{"file": {Length: 10, PieceLength: 10}, "folder": three} {
		b := newBench(t)
		must(t, os.WriteFile(filepath.Join(b.dir, "other"), nil, 0o600))
		o := b.create(name, l)
		must(t, o.WriteBlock(0, 0, []byte("x")), o.Discard())
		checkDir(t, b.dir, "other")
		if err := o.WriteBlock(0, 0, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("write after Discard = %v; want ErrClosed", err)
		}
		must(t, o.Close(t.Context()))
	}
}

func TestDiscardLeavesAnotherFile(t *testing.T) {
	b := newBench(t)
	o := b.create("f", Layout{Length: 10, PieceLength: 10})
	part := filepath.Join(b.dir, o.Identity().Part)
	must(t, os.Rename(part, part+".kept"), os.WriteFile(part, []byte("not ours"), 0o600))
	if err := o.Discard(); !errors.Is(err, ErrMissing) {
		t.Errorf("Discard = %v; want ErrMissing", err)
	}
	checkDir(t, b.dir, "f"+partSuffix, "f"+partSuffix+".kept")
}

func TestUnwritableFolder(t *testing.T) {
	b := newBench(t)
	for name, dir := range map[string]string{"missing": filepath.Join(b.dir, "none"), "a file": filepath.Join(b.dir, "file")} {
		must(t, os.WriteFile(filepath.Join(b.dir, "file"), nil, 0o600))
		if _, err := b.Create(t.Context(), "f", dir, "f", Layout{PieceLength: 1}); !errors.Is(err, ErrFolder) {
			t.Errorf("%s: Create = %v; want ErrFolder", name, err)
		}
	}
	if _, err := b.Create(t.Context(), "f", b.dir, strings.Repeat("x", 300), Layout{PieceLength: 1}); !errors.Is(err, ErrNameTooLong) {
		t.Errorf("long name: Create = %v; want ErrNameTooLong", err)
	}
	if _, err := b.Create(t.Context(), "f", b.dir, "f", Layout{Length: 1 << 50, PieceLength: 64 << 20}); !errors.Is(err, ErrDiskFull) {
		t.Errorf("huge file: Create = %v; want ErrDiskFull", err)
	}
	if _, err := b.Create(t.Context(), "f", "relative", "f", Layout{PieceLength: 1}); err == nil {
		t.Error("a relative folder was taken")
	}
}

func TestManyFilesNeedFewDescriptors(t *testing.T) {
	b := newBench(t)
	l := Layout{PieceLength: 10}
	for i := range 3 * maxOpen {
		l.Files = append(l.Files, FileSpan{Path: []string{"d", string(rune('a'+i%26)) + strings.Repeat("x", i)}, Length: 10, FirstPiece: i})
		l.Length += 10
	}
	data := content(l.Length)
	o := b.create("f", l)
	var d descriptors
	o.files.open = d.count(o.files.open)
	for i := range l.Files {
		must(t, o.WritePiece(i, pieceOf(o, data, i)))
	}
	must(t, o.flush(t.Context())) // the committer opens files beside the writes
	d.mu.Lock()
	if d.most != maxOpen {
		t.Errorf("%d files were open at once; want %d", d.most, maxOpen)
	}
	d.mu.Unlock()
	path, err := o.Finish(t.Context(), noHook)
	must(t, err)
	checkFiles(t, path, l, data)
}

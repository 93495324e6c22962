package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// realistic returns the bytes of a database as a few hundred downloads leave it: branches, leaves,
// overflow pages, buckets inline and apart, free pages.
func realistic(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	s := mustOpen(t, path)
	s.db.NoSync = true // speed; nothing crashes here
	marks := map[string][]int{}
	for i := range 200 {
		id := fmt.Sprintf("download-%03d", i)
		if err := s.PutDownload(id, bytes.Repeat([]byte{byte(i)}, i*20)); err != nil {
			t.Fatal(err)
		}
		marks[id] = []int{i * 10}
		if i%20 == 0 {
			marks[id] = append(marks[id], 6*chunkPieces-1)
		}
	}
	if err := s.MarkDurable(marks); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if err := s.DeleteDownload(fmt.Sprintf("download-%03d", i*3)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// openBytes opens a database with these bytes, uses it and closes it. Whatever the bytes are, that
// must work, in time, and the bytes must be kept where Recovered says or be in use.
func openBytes(t *testing.T, dir string, data []byte) (recovered bool) {
	t.Helper()
	path := filepath.Join(dir, "state.db")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	s, err := Open(path, testLog(t))
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	defer s.Close()
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("Open took %v", took)
	}
	if aside := s.Recovered(); aside != "" {
		recovered = true
		kept, err := os.ReadFile(aside)
		if err != nil || !bytes.Equal(kept, data) {
			t.Errorf("broken database of %d bytes is now %d bytes, %v", len(data), len(kept), err)
		}
		os.Remove(aside)
	}
	all, err := s.Downloads()
	if err != nil {
		t.Errorf("Downloads = %v", err)
	}
	for id := range all {
		s.Durable(id) // may fail, must return
	}
	if err := s.MarkDurable(map[string][]int{"new": {1}}); err != nil {
		t.Errorf("MarkDurable = %v", err)
	}
	return recovered
}

func TestTruncatedDatabase(t *testing.T) {
	whole := realistic(t)
	dir := t.TempDir()
	if openBytes(t, dir, whole) {
		t.Fatal("a good database was taken for broken")
	}
	// At each page's boundary, and within each page.
	for length := 0; length < min(len(whole), 128<<10); length += 4096 {
		openBytes(t, dir, whole[:length])
		openBytes(t, dir, whole[:length+100])
	}
}

func TestGarbageDatabase(t *testing.T) {
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(1, 2))
	for length := 512; length <= 64<<10; length += 4 << 10 {
		data := make([]byte, length)
		for i := range data {
			data[i] = byte(rnd.Uint32())
		}
		if !openBytes(t, dir, data) {
			t.Errorf("%d bytes of garbage were taken for a database", length)
		}
	}
}

// Pages of a good database that are overwritten, one after the other, are either found out or do not
// matter; the meta pages of the last transaction may be lost, bbolt then uses the one before.
func TestOverwrittenPage(t *testing.T) {
	whole := realistic(t)
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(3, 4))
	pages := len(whole) / os.Getpagesize()
	for range 30 {
		data := bytes.Clone(whole)
		page := data[rnd.IntN(pages)*os.Getpagesize():][:os.Getpagesize()]
		for range 1 + rnd.IntN(20) {
			page[rnd.IntN(64)] = byte(rnd.Uint32())
		}
		openBytes(t, dir, data)
	}
}

// FuzzOpen changes a few bytes of a good database anywhere, which leaves the checksums of its meta
// pages right, so that the bytes get past the first look.
func FuzzOpen(f *testing.F) {
	whole := realistic(f)
	f.Add(uint32(0), []byte{1})
	f.Add(uint32(16), []byte{0xED, 0xDA, 0x0C, 0xED})
	for page := range uint32(12) {
		f.Add(page*4096+10, []byte{0xFF, 0xFF, 0xFF})
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		data := bytes.Clone(whole)
		copy(data[int(at)%len(data):], patch)
		openBytes(t, dir, data)
	})
}

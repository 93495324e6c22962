//go:build unix

package storage_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tributary-dl/tributary/engine/internal/storage"
	"github.com/tributary-dl/tributary/engine/internal/store"
)

// The tests of this file use the real state database and the real disk, and take the process, or the
// power, away.

const (
	pieceLength = 16 << 10
	childFolder = "TRIBUTARY_STORAGE_TEST_CHILD"
	childPieces = 256
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		if err := download(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// piece returns the bytes of piece i: none is like another.
func piece(i int) []byte {
	b := make([]byte, pieceLength)
	rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)}).Read(b)
	return b
}

func verify(i int, data []byte) bool { return bytes.Equal(data, piece(i)) }

// session is a state database, a committer and one download in dir, as an engine has them.
type session struct {
	db *store.Store
	c  *storage.Committer
	o  *storage.Object
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// begin opens or makes the download.
func begin(dir string, l storage.Layout) (s *session, err error) {
	s = &session{}
	if s.db, err = store.Open(filepath.Join(dir, "state", "state.db"), discard()); err != nil {
		return nil, err
	}
	s.c = storage.NewCommitter(storage.Config{Marker: s.db, Log: discard()})
	known, err := s.db.Downloads()
	if err != nil {
		return s, err
	}
	if known["d"] == nil {
		if s.o, err = s.c.Create(context.Background(), "d", dir, "file", l); err != nil {
			return s, err
		}
		return s, s.remember(s.o.Identity())
	}
	var ident storage.Identity
	if err := json.Unmarshal(known["d"], &ident); err != nil {
		return s, err
	}
	durable, err := s.db.Durable("d")
	if err != nil {
		return s, err
	}
	s.o, err = s.c.Reopen(context.Background(), "d", ident, l, durable, s.db.Clean())
	return s, err
}

func (s *session) remember(i storage.Identity) error {
	value, err := json.Marshal(i)
	return errors.Join(err, s.db.PutDownload("d", value))
}

// end closes what is open. Errors are the disk's business.
func (s *session) end() {
	if s.o != nil {
		s.o.Close(context.Background())
	}
	if s.c != nil {
		s.c.Close(context.Background())
	}
	s.db.Close()
}

// download is the child: it goes on where the last one was killed, tells each step, and fetches a piece
// for each byte that it is sent.
func download(dir string) error {
	l := storage.Layout{Length: childPieces * pieceLength, PieceLength: pieceLength}
	s, err := begin(dir, l)
	if err != nil {
		return err
	}
	doubtful, err := s.o.Doubtful()
	if err != nil {
		return err
	}
	if _, err := s.o.Recheck(context.Background(), doubtful, verify); err != nil {
		return err
	}
	for i := range s.o.Progress().Pieces {
		if s.o.Verified(i) {
			continue
		}
		if _, err := io.ReadFull(os.Stdin, make([]byte, 1)); err != nil {
			return err
		}
		p := piece(i)
		fmt.Println("fetched", i)
		if err := errors.Join(s.o.WriteBlock(i, 0, p[:len(p)/2]), s.o.WritePiece(i, p)); err != nil {
			return err
		}
		fmt.Println("written", i)
	}
	if _, err := s.o.Finish(context.Background(), s.remember); err != nil {
		return err
	}
	fmt.Println("finished", 0)
	err = s.remember(s.o.Identity())
	s.end()
	return err
}

// Killing a process loses nothing that it wrote: no piece is fetched twice, whatever the committer had
// got to. A child that will be killed may fetch so few pieces that it cannot reach the end before.
func TestKillLoop(t *testing.T) {
	const kills = 6
	dir := t.TempDir()
	written := map[int]bool{}
	rnd := rand.New(rand.NewPCG(5, 6))
	for kill := range kills {
		const pieces = (childPieces - 1) / kills
		runChild(t, dir, pieces, 1+rnd.IntN(2*pieces), written) // each piece is two lines
		t.Logf("%d pieces are written after kill %d", len(written), kill+1)
	}
	runChild(t, dir, childPieces, 0, written)
	got, err := os.ReadFile(filepath.Join(dir, "file"))
	must(t, err)
	for i := range childPieces {
		if !verify(i, got[i*pieceLength:(i+1)*pieceLength]) {
			t.Errorf("piece %d is wrong", i)
		}
	}
}

// runChild lets a child fetch up to so many pieces and adds what it says that it wrote. It kills the child
// at the given line of what it says; 0: the child must come to its end.
func runChild(t *testing.T, dir string, pieces, killAt int, written map[int]bool) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childFolder+"="+dir)
	var stderr bytes.Buffer
	child.Stderr = &stderr
	in, err := child.StdinPipe() // stays open: after the last byte the child waits
	must(t, err)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	_, _ = in.Write(make([]byte, pieces)) // of a child that is gone, Wait tells more
	said := 0
	finished := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var what string
		var i int
		if _, err := fmt.Sscan(lines.Text(), &what, &i); err != nil {
			t.Fatalf("child said %q", lines.Text())
		}
		switch what {
		case "fetched":
			if written[i] {
				t.Errorf("piece %d is fetched again", i)
			}
		case "written":
			written[i] = true
		case "finished":
			finished = true
		}
		if said++; said == killAt {
			must(t, child.Process.Kill())
		}
	}
	err = child.Wait()
	if killAt == 0 && (err != nil || !finished) {
		t.Fatalf("child: %v: %s", err, stderr.String())
	}
	if status, _ := child.ProcessState.Sys().(syscall.WaitStatus); killAt > 0 && status.Signal() != syscall.SIGKILL {
		t.Fatalf("the child was not killed: %v: %s", err, stderr.String())
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

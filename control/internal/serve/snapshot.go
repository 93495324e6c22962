package serve

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/tributary-dl/tributary/control/internal/durable"
	"github.com/tributary-dl/tributary/control/internal/ledger"
)

// The ledger's file can be open in one process only, and `report` must work while `serve` runs. So serve
// hands out copies of it, on a port of this machine, to whoever can read a file in the data directory.

// doorFile says where and how.
const doorFile = "serving.json"

type door struct {
	Address string `json:"address"`
	Token   string `json:"token"`
}

// snapshots serves copies of the ledger.
type snapshots struct {
	path   string // of the door file
	server *http.Server
	work   sync.WaitGroup
}

func serveSnapshots(dir string, l *ledger.Ledger, log *slog.Logger) (*snapshots, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for reports: %w", err)
	}
	d := door{Address: listener.Addr().String(), Token: rand.Text()}
	text, err := json.Marshal(d)
	if err == nil {
		err = durable.Write(filepath.Join(dir, doorFile), text, 0o600)
	}
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s := &snapshots{path: filepath.Join(dir, doorFile)}
	s.server = &http.Server{
		ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		Handler: bounded(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+d.Token)) != 1 {
				http.Error(w, "the token does not fit", http.StatusForbidden)
				return
			}
			if _, err := l.WriteTo(w); err != nil {
				log.Warn("copy of the ledger", "err", err)
				panic(http.ErrAbortHandler) // so that the reader sees a broken copy as broken
			}
		})),
	}
	s.work.Go(func() {
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("reports cannot be served any more", "err", err)
		}
	})
	return s, nil
}

// Close ends copies under way.
func (s *snapshots) Close() error {
	err := errors.Join(os.Remove(s.path), s.server.Close())
	s.work.Wait()
	return err
}

// OpenLedger opens the ledger in dir for reading, or a copy of it if a server is at work there. The
// caller calls close when it is done.
func OpenLedger(ctx context.Context, dir string) (l *ledger.Ledger, close func() error, err error) {
	l, err = ledger.OpenReadOnly(filepath.Join(dir, ledger.FileName))
	if err == nil {
		return l, l.Close, nil
	}
	if !errors.Is(err, ledger.ErrInUse) {
		return nil, nil, err
	}
	folder, err := os.MkdirTemp("", "tributary-report-*")
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(folder)
		}
	}()
	path := filepath.Join(folder, ledger.FileName)
	if err := fetchLedger(ctx, dir, path); err != nil {
		return nil, nil, fmt.Errorf("copy the ledger from the running server: %w", err)
	}
	if l, err = ledger.OpenReadOnly(path); err != nil {
		return nil, nil, err
	}
	return l, func() error { return errors.Join(l.Close(), os.RemoveAll(folder)) }, nil
}

func fetchLedger(ctx context.Context, dir, path string) (err error) {
	text, err := os.ReadFile(filepath.Join(dir, doorFile))
	if err != nil {
		return err
	}
	var d door
	if err := json.Unmarshal(text, &d); err != nil {
		return fmt.Errorf("%s: %w", doorFile, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.Address, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+d.Token)
	answer, err := (&http.Transport{}).RoundTrip(request) // no proxy: the server is on this machine
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answers %s", answer.Status)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(f, answer.Body)
	return err
}

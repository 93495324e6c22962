package edge

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Entry is one request, and one line of the access log. Fields are only ever added.
type Entry struct {
	Time    time.Time `json:"time"`   // when the request came
	Remote  string    `json:"remote"` // address without port
	Method  string    `json:"method"`
	Path    string    `json:"path"`
	Content string    `json:"content,omitempty"` // content ID; only if the bytes of an object were asked for
	Start   int64     `json:"start"`             // first byte of the range; -1 for several ranges
	Length  int64     `json:"length"`            // bytes of the range, or of the object; -1 for several ranges
	Status  int       `json:"status"`
	Sent    int64     `json:"sent"`             // bytes of the body given to the connection; a client that left may not have had the last of them
	Millis  int64     `json:"ms"`               // until the answer was complete or broken off
	Grant   string    `json:"grant,omitempty"`  // ID of the valid grant that came with the request
	Device  string    `json:"device,omitempty"` // GUID of the device that the grant is for
}

// finish fills in what is known when the request is over.
func (e *Entry) finish(w *response, took time.Duration) {
	e.Status, e.Sent, e.Millis = w.status, w.sent, took.Milliseconds()
	if e.Content == "" || w.status != 206 {
		return
	}
	var last, size int64
	if n, _ := fmt.Sscanf(w.Header().Get("Content-Range"), "bytes %d-%d/%d", &e.Start, &last, &size); n == 3 {
		e.Length = last - e.Start + 1
	} else {
		e.Start, e.Length = -1, -1
	}
}

// LogPath returns where the access log of a data directory is.
func LogPath(dataDir string) string { return filepath.Join(dataDir, "edge-log.jsonl") }

// ReadLog calls each for every entry in r until the end, which may be in the middle of a line that is
// being written. It returns the number of bytes that it is done with, so that a caller can go on from
// there later, and the number of lines that are broken, as a power cut leaves them. An error of each
// comes back as it is, before its entry counts as done.
func ReadLog(r io.Reader, each func(Entry) error) (done int64, broken int, err error) {
	lines := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		size := int64(len(line))
		whole := err == nil
		for errors.Is(err, bufio.ErrBufferFull) { // not ours: pass over it without keeping it
			line, err = lines.ReadSlice('\n')
			size += int64(len(line))
		}
		if errors.Is(err, io.EOF) {
			return done, broken, nil
		}
		if err != nil {
			return done, broken, err
		}
		var e Entry
		if !whole || json.Unmarshal(line, &e) != nil {
			if size > 1 { // an empty line only repairs one that was torn
				broken++
			}
		} else if err := each(e); err != nil {
			return done, broken, err
		}
		done += size
	}
}

const (
	maxLine    = 64 << 10 // no entry comes near it
	maxPending = 16 << 20 // bytes that wait for a disk that hangs; then entries are lost, and counted
	wakeAt     = 64 << 10
)

// accessLog appends entries to a file, at least once a second. Requests never wait for the disk.
type accessLog struct {
	file *os.File
	log  *slog.Logger
	lost atomic.Int64

	mu      sync.Mutex
	pending []byte
	entries int64 // in pending
	closed  bool

	wake   chan struct{}
	quit   chan struct{}
	writer sync.WaitGroup
	torn   bool // the file may end in half a line; only the writer knows
}

func openAccessLog(path string, log *slog.Logger) (*accessLog, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open access log: %w", err)
	}
	l := &accessLog{file: f, log: log, wake: make(chan struct{}, 1), quit: make(chan struct{})}
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		last := make([]byte, 1)
		_, err := f.ReadAt(last, info.Size()-1)
		l.torn = err != nil || last[0] != '\n'
	}
	l.writer.Go(l.run)
	return l, nil
}

func (l *accessLog) add(e Entry) {
	line, err := json.Marshal(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || l.closed || len(l.pending) > maxPending {
		l.lost.Add(1)
		return
	}
	l.pending = append(append(l.pending, line...), '\n')
	l.entries++
	if len(l.pending) >= wakeAt {
		select {
		case l.wake <- struct{}{}:
		default: // it is awake
		}
	}
}

func (l *accessLog) run() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-l.wake:
		case <-l.quit:
			return
		}
		if err := l.flush(); err != nil {
			l.log.Error("access log cannot be written", "err", err)
		}
	}
}

// flush writes what is pending. It is called by one goroutine at a time.
func (l *accessLog) flush() error {
	l.mu.Lock()
	data, entries := l.pending, l.entries
	l.pending, l.entries = nil, 0
	l.mu.Unlock()
	if len(data) == 0 {
		return nil
	}
	if l.torn {
		data = append([]byte("\n"), data...)
	}
	_, err := l.file.Write(data)
	l.torn = err != nil
	if err != nil {
		l.lost.Add(entries) // at most: the first of them may stand
	}
	return err
}

func (l *accessLog) close() error {
	l.mu.Lock()
	closed := l.closed
	l.closed = true
	l.mu.Unlock()
	if closed {
		return nil
	}
	close(l.quit)
	l.writer.Wait()
	return errors.Join(l.flush(), l.file.Sync(), l.file.Close())
}

package serve

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tributary-dl/tributary/control/internal/ca"
	"github.com/tributary-dl/tributary/control/internal/publish"
	"github.com/tributary-dl/tributary/control/protocol"
)

// running is a whole control plane on loopback, until the test ends.
type running struct {
	data    string
	address string // host:port of the TLS port
	config  *tls.Config
}

func runAll(t *testing.T, edgeRate int64) running {
	t.Helper()
	r := running{data: t.TempDir()}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan Ready, 1), make(chan error, 1)
	go func() {
		ended <- Run(ctx, Config{Data: r.data, Listen: "127.0.0.1:0", EdgeRate: edgeRate, Log: slog.New(slog.DiscardHandler)},
			func(at Ready) error { ready <- at; return nil })
	}()
	select {
	case at := <-ready:
		r.address = strings.TrimPrefix(at.Edge, "https://")
	case err := <-ended:
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	roots, err := ca.Pool(r.data)
	if err != nil {
		t.Fatal(err)
	}
	r.config = &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", NextProtos: []string{"http/1.1"}}
	return r
}

func (r running) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", r.address, r.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (r running) publish(t *testing.T, name string, size int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, bytes.Repeat([]byte("tributary "), size/10), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := publish.Publish(t.Context(), r.data, file, publish.Options{Policy: protocol.Policy{Mode: protocol.ModeSpeed}}); err != nil {
		t.Fatal(err)
	}
}

// slack is what a busy machine may add to a deadline.
const slack = 10 * time.Second

// answered reads to the end of the connection, which must come by itself, and checks the answer.
func answered(t *testing.T, name string, conn net.Conn, status string) {
	began := time.Now()
	conn.SetReadDeadline(began.Add(bodyTimeout + slack))
	got, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%s: still open after %v", name, time.Since(began))
	}
	if !strings.Contains(string(got), " "+status+" ") {
		t.Errorf("%s: answer %q; want %s", name, got, status)
	}
}

// Whoever promises a body and sends none, or hardly any, must not hold a connection for ever.
func TestBodyThatNeverComesEndsItsConnection(t *testing.T) {
	t.Parallel()
	r := runAll(t, 0)
	r.publish(t, "film.bin", 1_000_000)
	var clients sync.WaitGroup // all at once: each takes as long as a body may
	defer clients.Wait()
	for name, test := range map[string]struct{ request, status string }{
		"grant":             {"POST /.tributary/grant HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", "408"},
		"start page":        {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", "408"},
		"object":            {"GET /film.bin HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", "408"},
		"head of an object": {"HEAD /film.bin HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", "408"},
		"session":           {"GET " + protocol.SessionPath + " HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", "408"},
		"chunked":           {"POST /.tributary/grant HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "408"},
		"no such method":    {"BREW / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", "408"},
		"asks before":       {"POST /.tributary/grant HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n", "408"},
		"too large": {fmt.Sprintf("POST /.tributary/grant HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s",
			maxBody+100, make([]byte, maxBody+1)), "413"},
	} {
		conn := r.dial(t)
		io.WriteString(conn, test.request)
		clients.Go(func() { answered(t, name, conn, test.status) })
	}

	trickling := r.dial(t)
	io.WriteString(trickling, "POST /.tributary/grant HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
	clients.Go(func() { answered(t, "a byte a second", trickling, "408"); trickling.Close() })
	clients.Go(func() {
		for range 100 {
			if _, err := io.WriteString(trickling, "x"); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	})

	text, err := os.ReadFile(filepath.Join(r.data, doorFile))
	if err != nil {
		t.Fatal(err)
	}
	var copies door
	if err := json.Unmarshal(text, &copies); err != nil {
		t.Fatal(err)
	}
	reporting, err := net.Dial("tcp", copies.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reporting.Close() })
	io.WriteString(reporting, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
	clients.Go(func() { answered(t, "copy of the ledger", reporting, "408") })

	config := r.config.Clone()
	config.NextProtos = nil
	modern := &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}, Timeout: bodyTimeout + slack}
	t.Cleanup(modern.CloseIdleConnections)
	body, never := io.Pipe()
	t.Cleanup(func() { never.Close() })
	clients.Go(func() {
		answer, err := modern.Post("https://"+r.address+protocol.GrantPath, "application/json", body)
		if err != nil {
			t.Errorf("HTTP/2: %v", err)
			return
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusRequestTimeout || answer.ProtoMajor != 2 {
			t.Errorf("HTTP/2: %s over %s; want 408", answer.Status, answer.Proto)
		}
	})
}

// The time for a body is not one for the answer, nor for what follows on the same connection.
func TestLongDownloadIsNotCutByTheTimeForBodies(t *testing.T) {
	t.Parallel()
	const rate = 400_000
	r := runAll(t, rate)
	const size = rate * int(bodyTimeout+3*time.Second) / int(time.Second) / 2 // two share the rate
	r.publish(t, "film.bin", size)
	var clients sync.WaitGroup
	defer clients.Wait()
	for name, request := range map[string]string{
		"no body":        "GET /film.bin HTTP/1.1\r\nHost: x\r\n\r\n",
		"a useless body": "GET /film.bin HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
	} {
		conn := r.dial(t)
		began := time.Now()
		conn.SetReadDeadline(began.Add(bodyTimeout + 3*slack))
		io.WriteString(conn, request)
		clients.Go(func() {
			lines := bufio.NewReader(conn)
			if err := took(lines, size); err != nil || time.Since(began) < bodyTimeout {
				t.Errorf("%s: %v after %v; want a download that takes longer than a body may", name, err, time.Since(began))
			}
			io.WriteString(conn, "HEAD /film.bin HTTP/1.1\r\nHost: x\r\n\r\n")
			if _, err := http.ReadResponse(lines, &http.Request{Method: http.MethodHead}); err != nil {
				t.Errorf("%s: the next request on the same connection: %v", name, err)
			}
		})
	}
}

// took reads an answer with that many bytes.
func took(lines *bufio.Reader, size int) error {
	answer, err := http.ReadResponse(lines, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, answer.Body)
	if err == nil && (n != int64(size) || answer.StatusCode != http.StatusOK) {
		err = fmt.Errorf("%s with %d bytes", answer.Status, n)
	}
	return err
}

package client_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/client"
	"github.com/tributary-dl/tributary/engine/localapi/localapitest"
)

func TestNoService(t *testing.T) {
	socket := localapitest.Socket(t)
	c := &client.Client{Socket: socket}
	_, err := c.Status(t.Context())
	if !errors.Is(err, client.ErrUnreachable) {
		t.Fatalf("Status() = %v; want ErrUnreachable", err)
	}
	want := "tributaryd is not running at " + socket + "; start it with \"tributaryd service start\" or \"tributaryd run\""
	if err.Error() != want {
		t.Errorf("Status() says %q; want %q", err, want)
	}
	for _, err := range c.Watch(t.Context()) {
		if !errors.Is(err, client.ErrUnreachable) {
			t.Errorf("Watch() = %v; want ErrUnreachable", err)
		}
	}
}

func TestWatchTellsThatTheServiceStopped(t *testing.T) {
	socket, stop := localapitest.Serve(t, localapitest.NewFake())
	c := &client.Client{Socket: socket}
	var last error
	for e, err := range c.Watch(t.Context()) {
		if e.Synced {
			stop()
		}
		last = err
	}
	if !errors.Is(last, client.ErrUnreachable) || !strings.Contains(last.Error(), "has stopped") {
		t.Errorf("the watch ends with %v; want ErrUnreachable that says so", last)
	}
}

func TestCancelledCallsSaySo(t *testing.T) {
	socket, _ := localapitest.Serve(t, localapitest.NewFake())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &client.Client{Socket: socket}
	if _, err := c.Status(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, client.ErrUnreachable) {
		t.Errorf("Status() = %v; want context.Canceled alone", err)
	}
	for _, err := range c.Watch(ctx) {
		t.Errorf("a watch that its caller has ended yields %v", err)
	}
}

// Something else may answer at the socket: an older service, or no service at all.
func TestStrangeAnswers(t *testing.T) {
	tests := []struct {
		name, answer string
		says         string
	}{
		{"not JSON", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "read the service's answer"},
		{"the wrong JSON", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "read the service's answer"},
		{"an error page", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\n<html", `"502 Bad Gateway"`},
		{"an error without a code", "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\n{}", `"500 Oops"`},
		{"a redirect", "HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n", `"302 Found"`},
		{"not HTTP", "SSH-2.0-OpenSSH_9\r\n", "hung up before it answered"},
		{"nothing", "", "hung up before it answered"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &client.Client{Socket: "pipe", Dial: func(context.Context) (net.Conn, error) {
				ours, theirs := net.Pipe()
				go func() {
					defer theirs.Close()
					if _, err := http.ReadRequest(bufio.NewReader(theirs)); err == nil {
						_, _ = io.WriteString(theirs, tt.answer)
					}
				}()
				return ours, nil
			}}
			_, err := c.Status(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Status() = %v; want %q in it", err, tt.says)
			}
			if _, ok := errors.AsType[*api.Error](err); ok {
				t.Errorf("Status() = %v passes for a refusal of the service", err)
			}
		})
	}
}

// FuzzWatch feeds a watch whatever a broken service may send: it ends with an error, never a panic.
func FuzzWatch(f *testing.F) {
	f.Add([]byte(`{"synced":true}` + "\n"))
	f.Add([]byte(`{"download":{"id":"d1","total_bytes":-1}}` + "\n" + `{"removed":"d1"}`))
	f.Add([]byte(`{"download":[]}`))
	f.Add([]byte("\x00\xff"))
	f.Fuzz(func(t *testing.T, lines []byte) {
		c := &client.Client{Dial: func(context.Context) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go func() {
				defer theirs.Close()
				if _, err := http.ReadRequest(bufio.NewReader(theirs)); err == nil {
					_, _ = io.WriteString(theirs, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+string(lines))
				}
			}()
			return ours, nil
		}}
		var last error
		for _, err := range c.Watch(t.Context()) {
			last = err
		}
		if last == nil {
			t.Error("the watch ends without a reason")
		}
	})
}

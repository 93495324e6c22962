package node

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func TestWhatIsGatheredIsSentAtOnceAndInOrder(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	g := &gatherer{Conn: near}
	g.gather()
	large := bytes.Repeat([]byte("x"), maxSend)
	for _, part := range [][]byte{[]byte("one "), []byte("two "), large} {
		if n, err := g.Write(part); n != len(part) || err != nil { // a pipe would block
			t.Fatalf("%d, %v", n, err)
		}
	}
	sent := make(chan error, 1)
	go func() {
		err := g.release()
		if err == nil {
			_, err = g.Write([]byte(" three"))
		}
		near.Close()
		sent <- err
	}()
	first := make([]byte, 2*maxSend)
	n, _ := far.Read(first)
	if n != maxSend || !bytes.HasPrefix(first, []byte("one two xxx")) {
		t.Errorf("the first write had %d bytes; want all that one may have", n)
	}
	rest, _ := io.ReadAll(far)
	if string(rest) != "xxxxxxxx three" {
		t.Errorf("the rest is %q", rest)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func TestWriteToWhoDoesNotReadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		defer near.Close()
		began := time.Now()
		if _, err := (&gatherer{Conn: near}).Write([]byte("hello")); err == nil || time.Since(began) != writeDeadline {
			t.Errorf("%v after %v; want an error after %v", err, time.Since(began), writeDeadline)
		}
	})
}

package node

import (
	"sync"

	"github.com/coder/websocket"
)

// maxQueued is how many bytes may wait for one client: the answers to several look-ups.
const maxQueued = 256 << 10

// outbox holds what one session has to send. Whoever fills it never waits. There is a writer only while there is
// something to write, since most sessions are silent most of the time and a goroutine costs kilobytes.
type outbox struct {
	mu       sync.Mutex
	messages [][]byte
	bytes    int
	closing  *farewell // set once; nothing is added afterwards
	writing  bool      // a writer is at work
}

// farewell is the WebSocket close frame that ends a session.
type farewell struct {
	code   websocket.StatusCode
	reason string
}

// add queues a message. It reports whether there was room, and whether the caller must start a writer; a closed outbox
// swallows everything.
func (o *outbox) add(message []byte) (room, start bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing != nil {
		return true, false
	}
	if o.bytes+len(message) > maxQueued {
		return false, false
	}
	o.messages = append(o.messages, message)
	o.bytes += len(message)
	return true, o.startLocked()
}

// close lets the writer end the session after what is queued. It reports whether the caller must start a writer.
func (o *outbox) close(code websocket.StatusCode, reason string) (start bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing != nil {
		return false
	}
	o.closing = &farewell{code: code, reason: reason}
	return o.startLocked()
}

func (o *outbox) startLocked() bool {
	start := !o.writing
	o.writing = true
	return start
}

// take empties the outbox for the writer, which must stop when it gets neither messages nor a farewell.
func (o *outbox) take() (messages [][]byte, closing *farewell) {
	o.mu.Lock()
	defer o.mu.Unlock()
	messages, o.messages, o.bytes = o.messages, nil, 0
	o.writing = len(messages) > 0 || o.closing != nil
	return messages, o.closing
}

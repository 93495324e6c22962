package node

import (
	"sync"

	"github.com/coder/websocket"
)

// maxQueued is how many bytes may wait for one client: the answers to several look-ups.
const maxQueued = 256 << 10

// outbox holds what one session has to send. Whoever fills it never waits.
type outbox struct {
	wake chan struct{} // has room for one signal to the writer

	mu       sync.Mutex
	messages [][]byte
	bytes    int
	closing  *farewell // set once; nothing is added afterwards
}

// farewell is the WebSocket close frame that ends a session.
type farewell struct {
	code   websocket.StatusCode
	reason string
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

// add queues a message. It reports whether there was room; a closed outbox swallows everything.
func (o *outbox) add(message []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing != nil {
		return true
	}
	if o.bytes+len(message) > maxQueued {
		return false
	}
	o.messages = append(o.messages, message)
	o.bytes += len(message)
	o.signal()
	return true
}

// close lets the writer end the session after what is queued.
func (o *outbox) close(code websocket.StatusCode, reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing == nil {
		o.closing = &farewell{code: code, reason: reason}
		o.signal()
	}
}

// take empties the outbox.
func (o *outbox) take() (messages [][]byte, closing *farewell) {
	o.mu.Lock()
	defer o.mu.Unlock()
	messages, o.messages, o.bytes = o.messages, nil, 0
	return messages, o.closing
}

func (o *outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

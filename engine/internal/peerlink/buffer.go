package peerlink

import (
	"os"
	"sync"
)

// wantedBuffer is what quic-go asks the system for, in bytes: room for what arrives on a fast link while the reader waits
// for a processor.
const wantedBuffer = 7 << 20

// BufferRemedy is what an administrator can do about a small buffer.
const BufferRemedy = "sysctl -w net.core.rmem_max=7500000 net.core.wmem_max=7500000, as an administrator, and start the service again"

// quietBuffers keeps quic-go from writing about small buffers to the log of the standard library, which goes wherever
// the process was started. Our own log and the doctor say it instead, once, and with the remedy.
var quietBuffers = sync.OnceFunc(func() {
	_ = os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true") // it can only fail for a bad name
})

// SmallBuffer says whether the system gave the socket a smaller buffer than fast links need.
func (e *Endpoint) SmallBuffer() bool { return e.buffer > 0 && e.buffer < wantedBuffer }

// ReceiveBuffer is the size of the socket's buffer in bytes; 0: not known.
func (e *Endpoint) ReceiveBuffer() int { return e.buffer }

package peerlink

import (
	"sync"
	"time"
)

// Signal is what the two ends of an introduction tell each other through the node: how to reach the
// sender by ICE, or that it has given up.
type Signal struct {
	Introduction [16]byte
	Ufrag        string
	Password     string
	Candidates   []string // RFC 8839 candidate-attribute lines, at most 8
	Failed       string   // not empty: the sender gave up, and why
}

// Signaller sends a Signal to the other end of its introduction. It should not block for long: the
// attempt's time runs.
type Signaller interface {
	Signal(Signal) error
}

const (
	maxCredential = 256 // bytes of ufrag and of password (RFC 8839 section 5.4)
	maxFailed     = 200 // bytes

	// Signals that arrive before Connect is called wait here: the node tells both ends at once, and one
	// of them is first.
	maxEarly    = 64
	earlyLife   = 10 * time.Second
	perReceiver = 4 // a peer has little to add to its first signal
)

// acceptable bounds what a peer can make us keep.
func (s Signal) acceptable() bool {
	if len(s.Ufrag) > maxCredential || len(s.Password) > maxCredential || len(s.Candidates) > maxCandidates {
		return false
	}
	for _, c := range s.Candidates {
		if len(c) > maxCandidateLine {
			return false
		}
	}
	return s.Failed != "" || s.Ufrag != "" && s.Password != ""
}

// Deliver hands over a signal that the node relayed. It never blocks; what nobody asks for is forgotten
// after a few seconds.
func (e *Endpoint) Deliver(s Signal) {
	if !s.acceptable() {
		e.log.Debug("signal refused")
		return
	}
	if len(s.Failed) > maxFailed {
		s.Failed = s.Failed[:maxFailed]
	}
	e.signals.deliver(s, time.Now())
}

// mailbox sorts signals by introduction.
type mailbox struct {
	mu    sync.Mutex
	open  map[[16]byte]chan Signal
	early []earlySignal // oldest first, at most maxEarly
}

type earlySignal struct {
	Signal
	arrived time.Time
}

func newMailbox() *mailbox { return &mailbox{open: map[[16]byte]chan Signal{}} }

func (m *mailbox) deliver(s Signal, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if box, ok := m.open[s.Introduction]; ok {
		put(box, s)
		return
	}
	if len(m.early) == maxEarly {
		m.early = m.early[1:]
	}
	m.early = append(m.early, earlySignal{s, now})
}

func put(box chan Signal, s Signal) {
	select {
	case box <- s:
	default: // more signals than an honest peer sends
	}
}

// receive opens the box of an introduction, with what came early in it. ok is false if it is open.
func (m *mailbox) receive(id [16]byte, now time.Time) (box <-chan Signal, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, open := m.open[id]; open {
		return nil, false
	}
	c := make(chan Signal, perReceiver)
	kept := m.early[:0]
	for _, s := range m.early {
		switch {
		case now.Sub(s.arrived) > earlyLife:
		case s.Introduction == id:
			put(c, s.Signal)
		default:
			kept = append(kept, s)
		}
	}
	clear(m.early[len(kept):])
	m.early = kept
	m.open[id] = c
	return c, true
}

func (m *mailbox) close(id [16]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.open, id)
}

package peerlink

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestEarlySignals(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	early := func(n byte) Signal { return Signal{Introduction: [16]byte{n}, Ufrag: "u", Password: "p"} }
	m := newMailbox()
	for n := range byte(maxEarly + 1) {
		m.deliver(early(n), now.Add(time.Duration(n)*100*time.Millisecond))
	}
	last := now.Add(maxEarly * 100 * time.Millisecond)
	for _, tc := range []struct {
		id   byte
		at   time.Time
		want int
		why  string
	}{
		{0, last, 0, "the oldest made room"},
		{1, last, 1, "among the last ones"},
		{1, last, 0, "taken already"},
		{maxEarly, last.Add(earlyLife), 1, "just young enough"},
	} {
		box, ok := m.receive([16]byte{tc.id}, tc.at)
		if !ok || len(box) != tc.want {
			t.Errorf("introduction %d: %d signals, %v; want %d: %s", tc.id, len(box), ok, tc.want, tc.why)
		}
		m.close([16]byte{tc.id})
	}
	if len(m.early) != 0 {
		t.Errorf("%d signals kept beyond their life", len(m.early))
	}

	box, _ := m.receive([16]byte{200}, now)
	if _, ok := m.receive([16]byte{200}, now); ok {
		t.Error("an introduction was opened twice")
	}
	for range 100 {
		m.deliver(early(200), now)
	}
	if len(box) != perReceiver {
		t.Errorf("%d signals queued; want %d", len(box), perReceiver)
	}
}

func TestHostileSignals(t *testing.T) {
	long := strings.Repeat("x", maxCandidateLine+1)
	for name, s := range map[string]Signal{
		"nothing":             {},
		"no password":         {Ufrag: "u"},
		"long ufrag":          {Ufrag: long, Password: "p"},
		"long password":       {Ufrag: "u", Password: long},
		"long candidate":      {Ufrag: "u", Password: "p", Candidates: []string{long}},
		"too many candidates": {Ufrag: "u", Password: "p", Candidates: make([]string, maxCandidates+1)},
	} {
		if s.acceptable() {
			t.Errorf("%s: accepted", name)
		}
	}
	if !(Signal{Failed: "why"}).acceptable() || !(Signal{Ufrag: "u", Password: "p"}).acceptable() {
		t.Error("an honest signal was refused")
	}
}

func TestAttemptsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAttempts(2, 3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := func() error {
			if err := a.count(time.Now()); err != nil {
				return err
			}
			return a.begin(ctx)
		}
		for range 2 {
			if err := begin(); err != nil {
				t.Fatal(err)
			}
		}
		third := make(chan error, 1)
		go func() { third <- begin() }()
		synctest.Wait() // no slot yet
		a.end()
		if err := <-third; err != nil {
			t.Errorf("the third one did not get the slot that was freed: %v", err)
		}
		a.end()
		a.end()
		if err := begin(); !errors.Is(err, ErrBusy) {
			t.Errorf("a fourth one in a minute: %v; want ErrBusy", err)
		}
		time.Sleep(time.Minute)
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 2 {
			if err := begin(); err != nil {
				t.Errorf("a minute later: %v", err)
			}
		}
		if err := begin(); !errors.Is(err, ErrBusy) {
			t.Errorf("no slot in the time of the attempt: %v; want ErrBusy", err)
		}
	})
}

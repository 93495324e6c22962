package peerlink

import (
	"bytes"
	"log"
	"log/slog"
	"net"
	"strings"
	"testing"
)

// A small buffer is told in our log, once, and nothing appears on the standard library's.
func TestSmallBufferIsToldInOurLog(t *testing.T) {
	var standard, ours bytes.Buffer
	log.SetOutput(&standard)
	t.Cleanup(func() { log.SetOutput(t.Output()) })
	e, err := Listen(Config{Listen: "127.0.0.1:0", Device: newDevice(t), Log: slog.New(slog.NewTextHandler(&ours, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if standard.Len() > 0 {
		t.Errorf("the standard log says %q", standard.String())
	}
	if told := strings.Count(ours.String(), "rmem_max"); told > 1 || (told == 1) != e.SmallBuffer() {
		t.Errorf("a buffer of %d bytes is told %d times", e.ReceiveBuffer(), told)
	}
}

func TestReceiveBufferIsWhatTheSocketHas(t *testing.T) {
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	if err := udp.SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	if n := receiveBuffer(udp); n != 0 && (n < 64<<10 || n > 256<<10) {
		t.Errorf("a buffer of 64 KiB is reported as %d bytes", n)
	}
	for bytes, small := range map[int]bool{0: false, 200 << 10: true, wantedBuffer: false} {
		if got := (&Endpoint{buffer: bytes}).SmallBuffer(); got != small {
			t.Errorf("%d bytes are small: %v", bytes, got)
		}
	}
}

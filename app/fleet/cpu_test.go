package fleet

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
)

// asTest makes this test binary behave as a program that works until it is killed.
const asTest = "FLEET_TEST_WORKS"

func TestMain(m *testing.M) {
	if os.Getenv(asTest) != "" {
		os.Stdout.WriteString("{}\n")
		for began := time.Now(); ; {
			if time.Since(began) > time.Minute { // whoever started it is gone
				os.Exit(1)
			}
		}
	}
	os.Exit(m.Run())
}

type working struct{ ThisMachine }

func (w working) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := w.ThisMachine.Command(ctx, name, args...)
	cmd.Env = append(os.Environ(), asTest+"=1")
	return cmd
}

// What a program has taken is known while it runs and after it was killed, and does not shrink.
func TestCPU(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it is read from /proc")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := start(working{}, "worker", self, &struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	const enough = 50 * time.Millisecond
	var running time.Duration
	for deadline := time.Now().Add(20 * time.Second); running < enough; {
		if running, err = p.CPU(); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s after 20 s; want %s", running, enough)
		}
	}
	p.Kill()
	// The kernel counts in ticks of 10 ms before the end, and exactly after it.
	if ended, err := p.CPU(); err != nil || ended < running-10*time.Millisecond {
		t.Errorf("CPU() after the end = %s, %v; want at least %s", ended, err, running)
	}
}

package daemon

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// No port is open to programs or pages of this machine: the local API is a socket in the file system.
func TestNoTCPPortIsOpened(t *testing.T) {
	c := configure(t)
	ctx, stop := context.WithCancel(t.Context())
	var listening []string
	c.Ready = stopWhenReady{func() {
		listening = listeningPorts(t)
		stop()
	}}
	if err := Run(ctx, c); err != nil {
		t.Fatal(err)
	}
	if len(listening) > 0 {
		t.Errorf("the service listens on TCP %q (address:port in hex); want none", listening)
	}
}

// listeningPorts returns the local addresses of this process's listening TCP sockets, see proc_net(5).
func listeningPorts(t *testing.T) (addresses []string) {
	const stateListen = "0A"
	mine := map[string]bool{}
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		target, _ := os.Readlink(link) // one that is closed meanwhile is no listener
		if inode, isSocket := strings.CutPrefix(target, "socket:["); isSocket {
			mine[strings.TrimSuffix(inode, "]")] = true
		}
	}
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		file, err := os.Open(table)
		if err != nil {
			continue // a machine without IPv6
		}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			if f := strings.Fields(lines.Text()); len(f) > 9 && f[3] == stateListen && mine[f[9]] {
				addresses = append(addresses, f[1])
			}
		}
		file.Close()
	}
	return addresses
}

package arena

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tributary-dl/tributary/app/lab"
)

// How long each part of a measurement of courtesy takes.
const (
	aloneTime  = 3 * time.Second
	pingTime   = 2 * time.Second
	rampTime   = 5 * time.Second // from the first request of the other members until uploads run
	besideTime = 7 * time.Second
	restTime   = 3 * time.Second // between two flows, for uploads to come back
	flowStart  = time.Second     // of a flow, which is not counted
)

const (
	flowPort = 9000
	pingPort = 9001
)

// errCourteous ends downloads that were only there to make a member upload.
var errCourteous = errors.New("the measurement of courtesy is over")

// courtesy measures what the uploads of one member do to the rest of its user's traffic: to a TCP flow in each direction
// and to a ping, against a server on the internet.
type courtesy struct {
	user, server *lab.Host
	upMbit       float64 // of the user's line
	flows        net.Listener
	echo         net.PacketConn
	serving      sync.WaitGroup

	up, down float64         // Mbit/s of a flow alone
	ping     []time.Duration // of the line at rest
}

// openCourtesy starts the server and measures the line at rest.
func (st *stage) openCourtesy(ctx context.Context) (c *courtesy, err error) {
	c = &courtesy{}
	for _, m := range st.members {
		if m.Group == st.scenario.Courtesy {
			c.user, c.upMbit = m.host, m.Line.Up
			break
		}
	}
	if c.server, err = st.lab.Host("server", lab.HostOptions{}); err != nil {
		return nil, err
	}
	if c.flows, err = c.server.Listen(flowPort); err != nil {
		return nil, err
	}
	if c.echo, err = c.server.ListenPacket(pingPort); err != nil {
		c.flows.Close()
		return nil, err
	}
	c.serving.Go(c.answerPings)
	if c.ping, err = c.pings(ctx, pingTime); err == nil {
		c.up, err = c.flow(ctx, true, aloneTime)
	}
	if err == nil {
		c.down, err = c.flow(ctx, false, aloneTime)
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("measure the line at rest: %w", err)
	}
	return c, nil
}

func (c *courtesy) close() {
	c.flows.Close()
	c.echo.Close()
	c.serving.Wait()
}

// measure measures beside the uploads, and returns figures.
func (c *courtesy) measure(ctx context.Context) (map[string]float64, error) {
	if err := pause(ctx, rampTime); err != nil {
		return nil, err
	}
	before, err := c.user.Wire()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	pings, err := c.pings(ctx, besideTime)
	if err != nil {
		return nil, err
	}
	after, err := c.user.Wire()
	if err != nil {
		return nil, err
	}
	used := float64(after.Sub(before).Out) * 8 / 1e6 / time.Since(began).Seconds()
	up, err := c.flow(ctx, true, besideTime)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, restTime); err != nil {
		return nil, err
	}
	down, err := c.flow(ctx, false, besideTime)
	if err != nil {
		return nil, err
	}
	return map[string]float64{
		"idle_use":       used / c.upMbit,
		"ping_growth_ms": milliseconds(pings, 0.95) - milliseconds(c.ping, 0.5),
		"flow_up":        up / c.up,
		"flow_down":      down / c.down,
	}, nil
}

func milliseconds(times []time.Duration, share float64) float64 {
	var list []float64
	for _, t := range times {
		list = append(list, float64(t.Microseconds())/1000)
	}
	return percentile(list, share)
}

// usersTCP is the congestion control of what the user sends and fetches: that of Windows, macOS and Linux as they come, and
// not what the machine of the laboratory happens to be set to.
const usersTCP = "cubic"

// flow sends as much as TCP can for a while, from the user or to the user, and returns what arrived in Mbit/s.
func (c *courtesy) flow(ctx context.Context, up bool, d time.Duration) (mbit float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := c.flows.Accept()
		if err == nil {
			accepted <- conn
		}
		close(accepted)
	}()
	from, err := c.user.Dial(c.flows.Addr().String())
	if err != nil {
		return 0, err
	}
	defer from.Close()
	to := <-accepted
	if to == nil {
		return 0, errors.New("the server accepts no flow")
	}
	defer to.Close()
	if !up {
		from, to = to, from
	}
	if err := lab.SetTCP(from, usersTCP); err != nil {
		return 0, err
	}
	var arrived atomic.Int64
	var both sync.WaitGroup
	both.Go(func() {
		block := make([]byte, 64<<10)
		for {
			if _, err := from.Write(block); err != nil {
				return // closed at the end
			}
		}
	})
	both.Go(func() {
		block := make([]byte, 64<<10)
		for {
			n, err := to.Read(block)
			arrived.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	defer both.Wait()
	defer to.Close()
	defer from.Close()
	if err := pause(ctx, flowStart); err != nil {
		return 0, err
	}
	before, began := arrived.Load(), time.Now()
	if err := pause(ctx, d); !errors.Is(err, context.DeadlineExceeded) {
		return 0, err
	}
	return float64(arrived.Load()-before) * 8 / 1e6 / time.Since(began).Seconds(), nil
}

const (
	pingEvery = 25 * time.Millisecond
	pingLost  = time.Second // a ping that did not come back counts as this
)

// pings sends datagrams to the server for a while and returns how long each took to come back.
func (c *courtesy) pings(ctx context.Context, d time.Duration) ([]time.Duration, error) {
	conn, err := c.user.ListenPacket(0)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var sent []time.Time
	var mu sync.Mutex
	var times []time.Duration
	var receiving sync.WaitGroup
	receiving.Go(func() {
		answer := make([]byte, 64)
		for {
			n, _, err := conn.ReadFrom(answer)
			if err != nil {
				return // closed at the end
			}
			mu.Lock()
			if i := int(binary.BigEndian.Uint32(answer)); n >= 4 && i < len(sent) && times[i] == pingLost {
				times[i] = time.Since(sent[i])
			}
			mu.Unlock()
		}
	})
	for end := time.Now().Add(d); err == nil && time.Now().Before(end); err = pause(ctx, pingEvery) {
		mu.Lock()
		question := binary.BigEndian.AppendUint32(nil, uint32(len(sent)))
		sent, times = append(sent, time.Now()), append(times, pingLost)
		mu.Unlock()
		if _, err = conn.WriteTo(append(question, make([]byte, 52)...), c.echo.LocalAddr()); err != nil {
			break
		}
	}
	if err == nil {
		err = pause(ctx, pingLost/2) // the last may be on their way
	}
	conn.Close()
	receiving.Wait()
	return times, err
}

func (c *courtesy) answerPings() {
	question := make([]byte, 64)
	for {
		n, from, err := c.echo.ReadFrom(question)
		if err != nil {
			return
		}
		_, _ = c.echo.WriteTo(question[:n], from) // a lost ping is what it looks like
	}
}

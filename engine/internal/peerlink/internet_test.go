package peerlink

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun"
	"github.com/pion/transport/v2/vnet"
)

// internet is a virtual network in a synctest bubble: a wide area with a STUN server, and hosts behind
// NATs of the kinds that the virtual network knows (IPv4 only; no hairpinning).
type internet struct {
	t       *testing.T
	wan     *vnet.Router
	logs    logging.LoggerFactory
	hosts   byte // so far; numbers the addresses
	nets    []func() error
	dropped atomic.Int64 // how many of the next packets to the STUN server get lost
	loss    atomic.Int64 // percent of all packets that get lost on the wide area
}

const (
	stunServer = "1.2.3.4"
	oneWay     = 10 * time.Millisecond
)

var stunPorts = []string{stunServer + ":3478", stunServer + ":3479"}

// The NATs of the laboratory in RFC 4787's words. cgnat stands for two port-restricted ones in a row.
var (
	fullcone  = &vnet.NATType{MappingBehavior: vnet.EndpointIndependent, FilteringBehavior: vnet.EndpointIndependent}
	addrcone  = &vnet.NATType{MappingBehavior: vnet.EndpointIndependent, FilteringBehavior: vnet.EndpointAddrDependent}
	portcone  = &vnet.NATType{MappingBehavior: vnet.EndpointIndependent, FilteringBehavior: vnet.EndpointAddrPortDependent}
	symmetric = &vnet.NATType{MappingBehavior: vnet.EndpointAddrPortDependent, FilteringBehavior: vnet.EndpointAddrPortDependent}
)

func newInternet(t *testing.T) *internet {
	t.Helper()
	logs := &logging.DefaultLoggerFactory{Writer: t.Output(), DefaultLogLevel: logging.LogLevelError}
	wan, err := vnet.NewRouter(&vnet.RouterConfig{CIDR: "0.0.0.0/0", LoggerFactory: logs, MinDelay: oneWay})
	if err != nil {
		t.Fatal(err)
	}
	in := &internet{t: t, wan: wan, logs: logs}
	wan.AddChunkFilter(func(vnet.Chunk) bool { return rand.Int64N(100) >= in.loss.Load() })
	wan.AddChunkFilter(func(c vnet.Chunk) bool {
		to, ok := c.DestinationAddr().(*net.UDPAddr)
		return !ok || !to.IP.Equal(net.ParseIP(stunServer)) || in.dropped.Add(-1) < 0
	})
	return in
}

// router adds a router with a NAT; an address outside is a NAT's own.
func (in *internet) router(parent *vnet.Router, nat *vnet.NATType, outside, inside string) *vnet.Router {
	in.t.Helper()
	r, err := vnet.NewRouter(&vnet.RouterConfig{StaticIPs: []string{outside}, CIDR: inside, NATType: nat, LoggerFactory: in.logs})
	if err != nil {
		in.t.Fatal(err)
	}
	if err := parent.AddRouter(r); err != nil {
		in.t.Fatal(err)
	}
	return r
}

type host struct {
	*Endpoint
	public string // as a connection node sees it
}

// host adds an installation of the named kind. It listens once the internet has been started.
func (in *internet) host(kind string) func() host {
	in.t.Helper()
	in.hosts++
	public := netip.AddrFrom4([4]byte{27, 1, 1, in.hosts}).String()
	inside := netip.AddrFrom4([4]byte{192, 168, in.hosts, 2}).String()
	lan := inside + "/24"
	var r *vnet.Router
	switch kind {
	case "open":
		r, inside = in.wan, public
	case "fullcone":
		r = in.router(in.wan, fullcone, public, lan)
	case "addrcone":
		r = in.router(in.wan, addrcone, public, lan)
	case "portcone":
		r = in.router(in.wan, portcone, public, lan)
	case "symmetric":
		r = in.router(in.wan, symmetric, public, lan)
	case "cgnat":
		r = in.router(in.router(in.wan, portcone, public, "100.64.0.0/10"), portcone, "100.64.0.7", lan)
	case "cgnatsym":
		r = in.router(in.router(in.wan, symmetric, public, "100.64.0.0/10"), portcone, "100.64.0.7", lan)
	case "blocked":
		r = in.router(in.wan, portcone, public, lan)
		r.AddChunkFilter(func(vnet.Chunk) bool { return false })
	default:
		in.t.Fatalf("no such host: %s", kind)
	}
	nic := in.attach(r, inside)
	return func() host { return host{in.listen(nic, inside), public} }
}

func (in *internet) attach(r *vnet.Router, address string) *vnet.Net {
	in.t.Helper()
	nic, err := vnet.NewNet(&vnet.NetConfig{StaticIP: address})
	if err != nil {
		in.t.Fatal(err)
	}
	if err := r.AddNet(nic); err != nil {
		in.t.Fatal(err)
	}
	return nic
}

func (in *internet) listen(nic *vnet.Net, address string) *Endpoint {
	in.t.Helper()
	conn, err := nic.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(address), Port: 5000})
	if err != nil {
		in.t.Fatal(err)
	}
	at := addresses{routes: []netip.Addr{netip.MustParseAddr(address)}}
	// The wrapper hides methods that the virtual connection has but cannot do.
	e, err := newEndpoint(Config{Device: newDevice(in.t)}, struct{ net.PacketConn }{conn}, func() addresses { return at })
	if err != nil {
		in.t.Fatal(err)
	}
	in.nets = append(in.nets, e.Close)
	return e
}

// start begins routing, with a STUN server on two ports, and returns how to stop everything.
func (in *internet) start() (stop func()) {
	in.t.Helper()
	server := in.attach(in.wan, stunServer)
	if err := in.wan.Start(); err != nil {
		in.t.Fatal(err)
	}
	third, err := server.ListenPacket("udp4", stunServer+":3480")
	if err != nil {
		in.t.Fatal(err)
	}
	in.nets = append(in.nets, third.Close)
	var serving sync.WaitGroup
	for _, at := range stunPorts {
		conn, err := server.ListenPacket("udp4", at)
		if err != nil {
			in.t.Fatal(err)
		}
		in.nets = append(in.nets, conn.Close)
		serving.Go(func() { answerSTUN(conn, third) })
	}
	return func() {
		for _, end := range in.nets {
			_ = end()
		}
		serving.Wait()
		if err := in.wan.Stop(); err != nil {
			in.t.Error(err)
		}
	}
}

// answerSTUN is a STUN server built on pion's encoder, so that ours is not its own judge.
func answerSTUN(conn, third net.PacketConn) {
	buf := make([]byte, maxSTUN)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		request := &stun.Message{Raw: append([]byte(nil), buf[:n]...)}
		if request.Decode() != nil {
			continue
		}
		udp := from.(*net.UDPAddr)
		setters := []stun.Setter{request, stun.BindingSuccess, &stun.XORMappedAddress{IP: udp.IP, Port: udp.Port}}
		if request.Contains(attrArrival) {
			setters = append(setters, raw(attrArrival, binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixMicro()))...))
		}
		answer, err := stun.Build(append(setters, stun.Fingerprint)...)
		if err == nil {
			if request.Contains(stun.AttrChangeRequest) {
				_, _ = third.WriteTo(answer.Raw, from)
				continue
			}
			_, _ = conn.WriteTo(answer.Raw, from)
		}
	}
}

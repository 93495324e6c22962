package peerlink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/logging"
)

// This is the one file that knows pion/ice; candidates cross it as our own type. Moving to another major
// version changes its imports.

var _ ice.UDPMux = (*agentSocket)(nil)

// Checks every 50 ms find a path in 4 to 110 ms where the default of 200 ms takes 600 to 900. The number
// of checks covers the whole attempt: with the default of 7 a peer that starts late is never met.
const checkInterval = 50 * time.Millisecond

var maxChecks = uint16(attemptTime / checkInterval)

// agent looks for a path to one peer.
type agent struct{ ice *ice.Agent }

// newAgent returns an agent that has its local candidates and waits for connect.
func newAgent(ctx context.Context, socket *agentSocket) (*agent, error) {
	interval, checks, now := checkInterval, maxChecks, time.Duration(0)
	a, err := ice.NewAgent(&ice.AgentConfig{
		UDPMux:                 socket,
		CandidateTypes:         []ice.CandidateType{ice.CandidateTypeHost}, // reflexive ones are found by stunMux.ask
		NetworkTypes:           []ice.NetworkType{ice.NetworkTypeUDP4, ice.NetworkTypeUDP6},
		MulticastDNSMode:       ice.MulticastDNSModeDisabled,
		IncludeLoopback:        true, // socket names the addresses; they are chosen already
		CheckInterval:          &interval,
		MaxBindingRequests:     &checks,
		SrflxAcceptanceMinWait: &now,
		PrflxAcceptanceMinWait: &now,
		LoggerFactory:          silent(),
	})
	if err != nil {
		return nil, fmt.Errorf("make an ICE agent: %w", err)
	}
	gathered := make(chan struct{})
	err = errors.Join(
		a.OnCandidate(func(c ice.Candidate) {
			if c == nil {
				close(gathered)
			}
		}),
		a.GatherCandidates())
	if err == nil {
		select {
		case <-gathered:
			return &agent{a}, nil
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return nil, fmt.Errorf("gather candidates: %w", errors.Join(err, a.GracefulClose()))
}

func (a *agent) credentials() (ufrag, password string, err error) {
	return a.ice.GetLocalUserCredentials()
}

// add makes the agent check a candidate of the peer, which the caller has vetted.
func (a *agent) add(c candidate) error {
	remote, err := ice.UnmarshalCandidate(c.line())
	if err != nil {
		return err
	}
	return a.ice.AddRemoteCandidate(remote)
}

// connect checks candidates until a pair works and returns the peer's address in it.
func (a *agent) connect(ctx context.Context, controlling bool, ufrag, password string) (netip.AddrPort, error) {
	start := a.ice.Accept
	if controlling {
		start = a.ice.Dial
	}
	conn, err := start(ctx, ufrag, password)
	if err != nil {
		return netip.AddrPort{}, err
	}
	peer, ok := conn.RemoteAddr().(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}, errors.New("the agent was closed")
	}
	return unmapped(peer.AddrPort()), nil
}

// close ends the agent and waits for its goroutines. Links do not need it: QUIC keeps the path alive for
// a tenth of the packets.
func (a *agent) close() { _ = a.ice.GracefulClose() } // fails only if closed before

// silent keeps pion from writing to standard output about every packet of a stranger.
func silent() logging.LoggerFactory {
	return &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
}

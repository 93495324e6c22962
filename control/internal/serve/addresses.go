package serve

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// addresses are where clients reach us, as opposed to where we listen.
type addresses struct {
	host string // of control plane and edge, without brackets
	base string // https URL
}

// reached works out the base URL from what --advertise says, if it says anything, and from where the
// server listens.
func reached(advertise string, listening net.Addr) (addresses, error) {
	host, port, err := net.SplitHostPort(listening.String())
	if err != nil {
		return addresses{}, err
	}
	if advertise != "" {
		host, port, err = splitAdvertised(advertise, port)
	} else if address, parseErr := netip.ParseAddr(host); parseErr == nil && address.IsUnspecified() {
		err = errors.New("a server that listens on all addresses must be told by which one clients reach it: --advertise")
	}
	if err != nil {
		return addresses{}, err
	}
	a := addresses{host: host, base: "https://" + net.JoinHostPort(host, port)}
	if port == "443" {
		a.base = "https://" + bracketed(host)
	}
	return a, nil
}

// splitAdvertised reads HOST[:PORT], in which an IPv6 address may do without brackets if no port follows.
func splitAdvertised(text, defaultPort string) (host, port string, err error) {
	if address, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return address.String(), defaultPort, nil
	}
	host, port = text, defaultPort
	if strings.Contains(text, ":") {
		if host, port, err = net.SplitHostPort(text); err != nil {
			return "", "", fmt.Errorf("%q is not HOST or HOST:PORT: %w", text, err)
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" {
		return "", "", fmt.Errorf("%q is not HOST or HOST:PORT", text)
	}
	return host, port, nil
}

func bracketed(host string) string {
	if address, err := netip.ParseAddr(host); err == nil && address.Is6() {
		return "[" + host + "]"
	}
	return host
}

// stunAddress is where the STUN server listens if nothing is said: beside the TLS port, on the UDP port
// of the same number.
func stunAddress(given, listen string) string {
	if given != "" {
		return given
	}
	return listen
}

// stunReached lists the two ports of the STUN server as clients reach them: at the address it listens on
// if that is a particular one other than the TLS port's, at the advertised host otherwise.
func stunReached(given, host string, first, second uint16) []string {
	if listening, _, err := net.SplitHostPort(given); err == nil && listening != "" {
		if address, err := netip.ParseAddr(listening); err != nil || !address.IsUnspecified() {
			host = listening
		}
	}
	at := func(port uint16) string { return net.JoinHostPort(host, strconv.Itoa(int(port))) }
	return []string{at(first), at(second)}
}

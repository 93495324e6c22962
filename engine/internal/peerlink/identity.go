package peerlink

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/tributary-dl/tributary/control/protocol"
)

// alpn names what is spoken on a link.
const alpn = "tributary-peer/1"

// identity is how this device shows itself to peers.
type identity struct {
	certificate tls.Certificate
	key         protocol.DeviceKey
}

// newIdentity makes a certificate that carries nothing but the key. Its dates mean nothing and peers do
// not look at them: the introduction says who is who.
func newIdentity(device ed25519.PrivateKey) (identity, error) {
	if len(device) != ed25519.PrivateKeySize {
		return identity{}, errors.New("the device key is not an Ed25519 key")
	}
	key, err := protocol.KeyFrom(device.Public().(ed25519.PublicKey))
	if err != nil {
		return identity{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, device.Public(), device)
	if err != nil {
		return identity{}, fmt.Errorf("make the device certificate: %w", err)
	}
	return identity{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: device}, key}, nil
}

// tlsConfig checks the peer by its key alone: certificate chains, names and dates prove nothing here. TLS
// has verified that the peer holds the private key by the time that pin is called.
func (i identity) tlsConfig(pin func(protocol.DeviceKey) error) *tls.Config {
	return &tls.Config{
		Certificates:           []tls.Certificate{i.certificate},
		ClientAuth:             tls.RequireAnyClientCert,
		InsecureSkipVerify:     true, // VerifyConnection does it
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{alpn},
		ServerName:             "peer",
		SessionTicketsDisabled: true, // a resumed session shows no certificate
		VerifyConnection: func(state tls.ConnectionState) error {
			key, err := peerKey(state)
			if err != nil {
				return err
			}
			return pin(key)
		},
	}
}

func peerKey(state tls.ConnectionState) (protocol.DeviceKey, error) {
	if len(state.PeerCertificates) == 0 {
		return protocol.DeviceKey{}, errors.New("the peer shows no certificate")
	}
	key, ok := state.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok {
		return protocol.DeviceKey{}, errors.New("the peer's key is not an Ed25519 key")
	}
	return protocol.KeyFrom(key)
}

var errOtherPeer = errors.New("the peer is not the introduced one")

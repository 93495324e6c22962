// Package ca makes the certificates of a control plane that was given none: a small authority of its
// own in the data directory, whose ca.pem clients are told to trust. It is for development and closed
// networks; it must never sign anything but this server's certificate.
package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tributary-dl/tributary/control/internal/durable"
)

// Files in the data directory. Those with keys are readable by their owner only.
const (
	CertificateFile = "ca.pem" // what clients trust
	keyFile         = "ca-key.pem"
	serverFile      = "server.pem" // certificate and key of the server
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	serverLife    = 397 * 24 * time.Hour // browsers and Apple's systems take no longer one
	renewBefore   = 30 * 24 * time.Hour
	clocks        = time.Hour // how far a client's clock may be behind
)

// Server returns the TLS configuration of a server that answers for hosts (names and addresses), with a
// certificate of the authority in dir. What is missing is made; a certificate that is valid for another
// month and for all hosts is used again. The caller owns the configuration.
func Server(dir string, hosts []string) (*tls.Config, error) {
	if len(hosts) == 0 {
		return nil, errors.New("no host to make a certificate for")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	authority, err := openAuthority(dir)
	if err != nil {
		return nil, fmt.Errorf("certificate authority in %s: %w", dir, err)
	}
	path := filepath.Join(dir, serverFile)
	server, err := tls.LoadX509KeyPair(path, path)
	if err != nil || !fits(server.Leaf, authority.Leaf, hosts, time.Now()) {
		if server, err = makeServer(path, authority, hosts); err != nil {
			return nil, fmt.Errorf("server certificate: %w", err)
		}
	}
	return &tls.Config{
		Certificates: []tls.Certificate{server},
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{"h2", "http/1.1"},
	}, nil
}

// Pool returns the authority in dir as a client needs it.
func Pool(dir string) (*x509.CertPool, error) {
	text, err := os.ReadFile(filepath.Join(dir, CertificateFile))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", CertificateFile)
	}
	return pool, nil
}

// openAuthority reads the authority, or makes it. An authority that cannot be read is an error and is
// never replaced: clients trust it.
func openAuthority(dir string) (tls.Certificate, error) {
	certPath, keyPath := filepath.Join(dir, CertificateFile), filepath.Join(dir, keyFile)
	if err := makeAuthorityKey(keyPath); err != nil {
		return tls.Certificate{}, err
	}
	if _, err := os.Stat(certPath); errors.Is(err, fs.ErrNotExist) {
		if err := makeAuthority(certPath, keyPath); err != nil {
			return tls.Certificate{}, err
		}
	}
	authority, err := tls.LoadX509KeyPair(certPath, keyPath)
	if err == nil && time.Now().After(authority.Leaf.NotAfter) {
		return authority, fmt.Errorf("%s has expired; remove it and let the clients trust its successor", CertificateFile)
	}
	return authority, err
}

func makeAuthorityKey(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, text, err := newKey()
	if err != nil {
		return err
	}
	return ignoreExist(durable.Create(path, text, 0o600))
}

func makeAuthority(certPath, keyPath string) error {
	text, err := os.ReadFile(keyPath)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return fmt.Errorf("%s holds no key", keyFile)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return fmt.Errorf("%s holds a %T", keyFile, parsed)
	}
	template := newTemplate("Tributary development CA", authorityLife)
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	return ignoreExist(durable.Create(certPath, encode("CERTIFICATE", cert), 0o644))
}

func makeServer(path string, authority tls.Certificate, hosts []string) (tls.Certificate, error) {
	key, keyText, err := newKey()
	if err != nil {
		return tls.Certificate{}, err
	}
	template := newTemplate(hosts[0], min(serverLife, time.Until(authority.Leaf.NotAfter)))
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, authority.Leaf, key.Public(), authority.PrivateKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := slices.Concat(encode("CERTIFICATE", cert), keyText)
	if err := durable.Write(path, text, 0o600); err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(text, text)
}

// fits reports whether the certificate may serve on: signed by the authority, for all hosts, not near its end.
func fits(cert, authority *x509.Certificate, hosts []string, now time.Time) bool {
	for _, host := range hosts {
		if cert.VerifyHostname(host) != nil {
			return false
		}
	}
	renew := min(renewBefore, cert.NotAfter.Sub(cert.NotBefore)/3)
	return cert.CheckSignatureFrom(authority) == nil && now.After(cert.NotBefore) && now.Before(cert.NotAfter.Add(-renew))
}

func newTemplate(name string, life time.Duration) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-clocks), NotAfter: now.Add(life),
	}
}

func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return key, encode("PRIVATE KEY", der), err
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func ignoreExist(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/tributary-dl/tributary/app/config/places"
)

// Flags are the words of `tributaryd run`, as typed. Empty means the default.
type Flags struct {
	Machine            bool // for every user of this machine
	Data               string
	Socket             string
	CA                 string   // PEM file
	Control            string   // URL
	Policies           []string // files or folders
	ListenPeers        string   // ADDR:PORT
	LogLevel           string
	LogFile            string
	AllowLoopbackPeers bool
}

// Daemon is the checked configuration of the service; it does not change while the service runs.
type Daemon struct {
	// Machine: the service works for every user of this machine, each of whom sees only their own downloads. It never
	// opens a path of theirs.
	Machine     bool
	Data        string // absolute
	Socket      string // absolute path, or the name of a pipe
	Roots       *x509.CertPool
	Control     string   // "": what each manifest says
	Policies    []string // absolute paths of files and folders that hold against the user, beside the system's
	ListenPeers string   // "": any address and port
	LogLevel    slog.Level
	LogFile     string // absolute
	// AllowLoopbackPeers takes peers on this very machine for real ones, for demonstrations.
	AllowLoopbackPeers bool
}

// Check turns flags into the configuration of the service. Every error begins with the flag at fault.
func (f Flags) Check() (Daemon, error) {
	at := places.Places{}
	if f.Machine {
		at = places.Machine()
	} else if f.Data == "" || f.Socket == "" || f.LogFile == "" {
		var err error
		if at, err = places.Default(); err != nil && (f.Data == "" || f.Socket == "") {
			return Daemon{}, err
		}
	}
	d := Daemon{Machine: f.Machine, AllowLoopbackPeers: f.AllowLoopbackPeers}
	var err error
	if d.Data, err = absolute(f.Data, at.Data); err != nil {
		return Daemon{}, fmt.Errorf("--data: %w", err)
	}
	if d.Socket, err = socketPath(f.Socket, at.Socket); err != nil {
		return Daemon{}, fmt.Errorf("--socket: %w", err)
	}
	logFile := at.Log
	if f.Data != "" { // whoever moves the state moves the log with it
		logFile = filepath.Join(d.Data, "tributaryd.log")
	}
	if d.LogFile, err = absolute(f.LogFile, logFile); err != nil {
		return Daemon{}, fmt.Errorf("--log-file: %w", err)
	}
	if d.Roots, err = roots(f.CA); err != nil {
		return Daemon{}, fmt.Errorf("--ca: %w", err)
	}
	if d.Control, err = ControlURL(f.Control); err != nil {
		return Daemon{}, fmt.Errorf("--control: %w", err)
	}
	for _, path := range f.Policies {
		whole, err := filepath.Abs(path)
		if err != nil {
			return Daemon{}, fmt.Errorf("--policy: %w", err)
		}
		d.Policies = append(d.Policies, whole)
	}
	if d.ListenPeers, err = listenAddress(f.ListenPeers); err != nil {
		return Daemon{}, fmt.Errorf("--listen-peers: %w", err)
	}
	if f.LogLevel != "" {
		if err := d.LogLevel.UnmarshalText([]byte(f.LogLevel)); err != nil {
			return Daemon{}, fmt.Errorf("--log-level: %q is not one of debug, info, warn, error", f.LogLevel)
		}
	}
	return d, nil
}

func absolute(given, fallback string) (string, error) {
	if given == "" {
		given = fallback
	}
	return filepath.Abs(given)
}

func socketPath(given, fallback string) (string, error) {
	if given == "" {
		given = fallback
	}
	if strings.HasPrefix(given, `\\.\pipe\`) {
		return given, nil
	}
	return filepath.Abs(given)
}

// roots returns the system's certificates and those of the PEM file; nil, which means the system's
// alone, without a file.
func roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a machine without certificates can still use the given ones
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return pool, nil
}

// ControlURL checks the URL of a control plane and brings it into one form; "" is fine.
func ControlURL(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return "", fmt.Errorf("%q is not a URL with a host", text)
	}
	if u.Scheme != "https" {
		return "", fmt.Errorf("%q: a control plane is spoken to over https only", text)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("the URL of a control plane has no user, query or fragment")
	}
	return strings.TrimSuffix(text, "/"), nil
}

func listenAddress(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	withHost := text
	if strings.HasPrefix(text, ":") {
		withHost = "0.0.0.0" + text
	}
	if _, err := netip.ParseAddrPort(withHost); err != nil {
		return "", fmt.Errorf("%q is not ADDR:PORT with a numeric address, like 0.0.0.0:4500 or [::]:0", text)
	}
	return text, nil
}

// Arguments returns the words that give another process, with another working folder and environment, the
// configuration that d was checked from.
func (d Daemon) Arguments(f Flags) []string {
	var words []string
	for _, place := range []struct{ flag, given, path string }{
		{"--data", f.Data, d.Data}, {"--socket", f.Socket, d.Socket}, {"--log-file", f.LogFile, d.LogFile},
	} {
		if place.given != "" || !d.Machine { // where the machine's service lives, its service manager says
			words = append(words, place.flag, place.path)
		}
	}
	if f.CA != "" {
		if absolute, err := filepath.Abs(f.CA); err == nil { // as it was when d was checked
			words = append(words, "--ca", absolute)
		}
	}
	for _, path := range d.Policies {
		words = append(words, "--policy", path)
	}
	for _, word := range []struct{ flag, value string }{
		{"--control", d.Control}, {"--listen-peers", d.ListenPeers}, {"--log-level", f.LogLevel},
	} {
		if word.value != "" {
			words = append(words, word.flag, word.value)
		}
	}
	if d.Machine {
		words = append(words, "--machine")
	}
	if d.AllowLoopbackPeers {
		words = append(words, "--allow-loopback-peers")
	}
	return words
}

package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// reference is how far a plain download is: what a browser would do. It is reported several times a
// second; the last report has the SHA-256.
type reference struct {
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
	SHA256  string  `json:"sha256,omitempty"`
}

// plainGet downloads a URL in one plain GET, keeps nothing, and prints references, a line each.
func plainGet(ctx context.Context, url, ca string, out io.Writer) error {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate", ca)
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	began := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: %s", url, response.Status)
	}
	const (
		chunk  = 256 << 10
		period = 200 * time.Millisecond
	)
	lines := json.NewEncoder(out)
	h := sha256.New()
	var got reference
	for reported := began; ; {
		n, err := io.CopyN(h, response.Body, chunk)
		got.Bytes += n
		got.Seconds = time.Since(began).Seconds()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("get %s: %w", url, err)
		}
		if time.Since(reported) < period {
			continue
		}
		reported = time.Now()
		if err := lines.Encode(got); err != nil {
			return err
		}
	}
	got.SHA256 = hex.EncodeToString(h.Sum(nil))
	return lines.Encode(got)
}

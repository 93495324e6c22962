package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// reference is what a plain download took: what a browser would have done.
type reference struct {
	SHA256  string  `json:"sha256"`
	Seconds float64 `json:"seconds"`
}

// plainGet downloads a URL in one plain GET, keeps nothing, and prints a reference.
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
	h := sha256.New()
	if _, err := io.Copy(h, response.Body); err != nil {
		return fmt.Errorf("get %s: %w", url, err)
	}
	return json.NewEncoder(out).Encode(reference{
		SHA256:  fmt.Sprintf("%x", h.Sum(nil)),
		Seconds: time.Since(began).Seconds(),
	})
}

package edge

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// Kind says what a caller can do about an Error.
type Kind int

// The kinds of errors.
const (
	Temporary   Kind = iota + 1 // may pass by itself: try again, not before RetryAfter
	Refused                     // the server does not give the file: the user has to act
	Changed                     // it is another file now: what is there must never be mixed with it
	NoRanges                    // only Stream from 0 works
	Certificate                 // the server could not prove who it is
	BadURL                      // the URL, a header or the proxy that was given cannot be used
	Blocked                     // the URL leads to an address that this download may not reach
	Protocol                    // the answer makes no sense
)

// Error is what every method of this package returns when the server, or the way to it, is at fault. The
// caller's own errors (its context's, its sink's) come back as they are.
type Error struct {
	Kind       Kind
	Code       string        // one of the codes of api.Problem
	Text       string        // a sentence for people, without secrets
	Remedy     string        // what the user can do; may be empty
	RetryAfter time.Duration // 0: the server or the mirrors said nothing, see Backoff
	Err        error         // the cause, for logs; may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return e.Text
	}
	return e.Text + " (" + e.Err.Error() + ")"
}

func (e *Error) Unwrap() error { return e.Err }

func (e Error) retryAfter(d time.Duration) *Error {
	e.RetryAfter = d
	return &e
}

// KindOf returns the kind of err, and 0 for an error that is not of this package.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return 0
}

func badURL(remedy, format string, args ...any) *Error {
	return &Error{Kind: BadURL, Code: api.CodeBadURL, Text: fmt.Sprintf(format, args...), Remedy: remedy}
}

func nonsense(host, format string, args ...any) *Error {
	return &Error{Kind: Protocol, Code: api.CodeEdgeRefused,
		Text: fmt.Sprintf("The answer of %s makes no sense: %s.", host, fmt.Sprintf(format, args...))}
}

func changed(host, what string) *Error {
	return &Error{Kind: Changed, Code: api.CodeChanged,
		Text:   fmt.Sprintf("The file on %s is not the one that this download began with: %s.", host, what),
		Remedy: "Start the download again to get the new file."}
}

func noRanges(host, why string) *Error {
	return &Error{Kind: NoRanges, Code: api.CodeEdgeRefused,
		Text: fmt.Sprintf("%s does not send parts of the file: %s.", host, why)}
}

// errStalled is the cause with which a watchdog ends a request.
var errStalled = errors.New("the bytes stopped coming")

// transportError turns what net/http returns into an Error. ctx is the request's: if the caller ended it,
// its cause is returned as it is.
func transportError(ctx context.Context, host string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errStalled) {
		return cause
	}
	if e, ok := errors.AsType[*blockedError](err); ok {
		return blocked(host, e)
	}
	if e := certificateError(host, err); e != nil {
		return e
	}
	if garbled(err) {
		e := nonsense(host, "it does not follow the rules of HTTP")
		e.Err = err
		return e
	}
	return &Error{Kind: Temporary, Code: api.CodeEdgeUnreachable, Text: unreachable(ctx, host, err), Err: err}
}

func unreachable(ctx context.Context, host string, err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return fmt.Sprintf("There is no server called %s, or this computer is not connected.", host)
	}
	if errors.Is(context.Cause(ctx), errStalled) {
		return fmt.Sprintf("%s stopped sending.", host)
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return fmt.Sprintf("%s does not answer in time.", host)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		switch op.Op {
		case "dial":
			return fmt.Sprintf("%s cannot be reached.", host)
		case "proxyconnect", "socks connect":
			return fmt.Sprintf("%s cannot be reached through the proxy.", host)
		}
	}
	return fmt.Sprintf("The connection to %s broke.", host)
}

func certificateError(host string, err error) *Error {
	var what string
	remedy := "If this is your own server, tell Tributary the certificate of its authority."
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		roots     x509.SystemRootsError
		other     *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		what, remedy = "its certificate is not valid at this time", "Check this computer's clock; otherwise only the owner of the server can mend it."
	case errors.As(err, &authority):
		what = "its certificate comes from an authority that this computer does not know"
	case errors.As(err, &name):
		what, remedy = "its certificate belongs to another name", "Check the address."
	case errors.As(err, &roots):
		what, remedy = "this computer has no list of certificate authorities", "Install the package ca-certificates."
	case errors.As(err, &other):
		what = "its certificate is not valid"
	default:
		return nil
	}
	return &Error{Kind: Certificate, Code: api.CodeCertificate, Remedy: remedy, Err: err,
		Text: fmt.Sprintf("%s could not prove who it is: %s. Nothing was taken from it.", host, what)}
}

// garbled tells an answer that is not HTTP from a connection that broke. net/http has no type for it.
func garbled(err error) bool {
	if _, ok := errors.AsType[textproto.ProtocolError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		return true
	}
	text := err.Error()
	for _, sign := range []string{"malformed", "invalid byte in chunk length", "server response headers exceeded", "unsupported transfer encoding", "bad Content-Length"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// statusError turns an answer that is neither success nor redirect into an Error.
func statusError(host string, resp *http.Response, withPassword bool, now time.Time) *Error {
	e := &Error{Kind: Refused, Code: api.CodeEdgeRefused, Err: fmt.Errorf("status %d", resp.StatusCode)}
	switch code := resp.StatusCode; code {
	case http.StatusUnauthorized:
		e.Text, e.Remedy = fmt.Sprintf("%s needs a name and a password.", host), "Add the download again with them."
		if withPassword {
			e.Text, e.Remedy = fmt.Sprintf("%s does not accept this name and password.", host), "Check them."
		}
	case http.StatusForbidden:
		e.Text, e.Remedy = fmt.Sprintf("%s does not allow this download.", host), "Perhaps the link has expired, or it needs you to be logged in."
	case http.StatusNotFound:
		e.Text, e.Remedy = fmt.Sprintf("%s has no such file.", host), "Check the address."
	case http.StatusGone:
		e.Text = fmt.Sprintf("%s says that the file was removed for good.", host)
	case http.StatusUnavailableForLegalReasons:
		e.Text = fmt.Sprintf("%s may not give this file for legal reasons.", host)
	case http.StatusProxyAuthRequired:
		e.Text, e.Remedy = "The proxy needs a name and a password.", "Write them into the proxy's address."
	case http.StatusRequestedRangeNotSatisfiable:
		e.Kind, e.Text = Protocol, fmt.Sprintf("%s has no such part of the file.", host)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		e.Kind, e.Code, e.Text = Temporary, api.CodeEdgeBusy, fmt.Sprintf("%s is busy.", host)
	case http.StatusRequestTimeout, http.StatusTooEarly:
		e.Kind, e.Code, e.Text = Temporary, api.CodeEdgeBusy, fmt.Sprintf("%s asks to try again.", host)
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		e.Text = fmt.Sprintf("%s cannot serve this file (status %d).", host, code)
	default:
		switch {
		case code >= 500:
			e.Kind, e.Code, e.Text = Temporary, api.CodeEdgeUnreachable, fmt.Sprintf("%s has a fault of its own (status %d).", host, code)
		case code >= 400:
			e.Text = fmt.Sprintf("%s refuses this download (status %d).", host, code)
		default:
			e.Kind, e.Text = Protocol, fmt.Sprintf("%s gave an answer that is not a file (status %d).", host, code)
		}
	}
	if e.Kind == Temporary {
		e.RetryAfter = parseRetryAfter(resp.Header.Get("Retry-After"), now)
	}
	return e
}

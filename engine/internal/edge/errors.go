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
	"strconv"
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
	Say, Do    api.Phrase    // Text and Remedy for other languages; empty where those are too rare
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

// Fault makes an error of a phrase and, unless do is empty, the code of what to do.
func Fault(kind Kind, code string, say api.Phrase, do string) *Error {
	return (&Error{Kind: kind, Code: code}).tell(say, do)
}

// tell sets what people read.
func (e *Error) tell(say api.Phrase, do string) *Error {
	e.Say, e.Text, e.Do, e.Remedy = say, say.English(), api.Phrase{}, ""
	if do != "" {
		e.Do = api.Say(do)
		e.Remedy = e.Do.English()
	}
	return e
}

func (e *Error) because(err error) *Error {
	e.Err = err
	return e
}

func badURL(remedy, format string, args ...any) *Error {
	return &Error{Kind: BadURL, Code: api.CodeBadURL, Text: fmt.Sprintf(format, args...), Remedy: remedy}
}

func nonsense(host, format string, args ...any) *Error {
	return Fault(Protocol, api.CodeEdgeRefused, api.Say(api.SayNonsense, "host", host, "detail", fmt.Sprintf(format, args...)), "")
}

func changed(host, what string) *Error {
	return Fault(Changed, api.CodeChanged, api.Say(api.SayChanged, "host", host, "detail", what), api.DoStartAgain)
}

func noRanges(host, why string) *Error {
	return Fault(NoRanges, api.CodeEdgeRefused, api.Say(api.SayNoRanges, "host", host, "detail", why), "")
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
		return nonsense(host, "it does not follow the rules of HTTP").because(err)
	}
	return Fault(Temporary, api.CodeEdgeUnreachable, api.Say(unreachable(ctx, err), "host", host), "").because(err)
}

// unreachable returns the code of what a connection failed with.
func unreachable(ctx context.Context, err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return api.SayNoServer
	}
	if errors.Is(context.Cause(ctx), errStalled) {
		return api.SayStalled
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return api.SayNoAnswer
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		switch op.Op {
		case "dial":
			return api.SayNotReached
		case "proxyconnect", "socks connect":
			return api.SayProxyNotReached
		}
	}
	return api.SayBroke
}

func certificateError(host string, err error) *Error {
	var say, do string
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		roots     x509.SystemRootsError
		other     *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		say, do = api.SayCertExpired, api.DoClock
	case errors.As(err, &authority):
		say, do = api.SayCertAuthority, api.DoAuthority
	case errors.As(err, &name):
		say, do = api.SayCertName, api.DoAddress
	case errors.As(err, &roots):
		say, do = api.SayCertRoots, api.DoRoots
	case errors.As(err, &other):
		say, do = api.SayCertInvalid, api.DoAuthority
	default:
		return nil
	}
	return Fault(Certificate, api.CodeCertificate, api.Say(say, "host", host), do).because(err)
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
	code := resp.StatusCode
	refused := func(say, do string) *Error {
		return Fault(Refused, api.CodeEdgeRefused, api.Say(say, "host", host), do)
	}
	numbered := func(kind Kind, problem, say string) *Error {
		return Fault(kind, problem, api.Say(say, "host", host, "status", strconv.Itoa(code)), "")
	}
	var e *Error
	switch {
	case code == http.StatusUnauthorized && withPassword:
		e = refused(api.SayWrongPassword, api.DoCheckPassword)
	case code == http.StatusUnauthorized:
		e = refused(api.SayNeedsPassword, api.DoGivePassword)
	case code == http.StatusForbidden:
		e = refused(api.SayForbidden, api.DoLogin)
	case code == http.StatusNotFound:
		e = refused(api.SayNotFound, api.DoAddress)
	case code == http.StatusGone:
		e = refused(api.SayGone, "")
	case code == http.StatusUnavailableForLegalReasons:
		e = refused(api.SayLegal, "")
	case code == http.StatusProxyAuthRequired:
		e = refused(api.SayProxyPassword, api.DoProxyAddress)
	case code == http.StatusRequestedRangeNotSatisfiable:
		e = Fault(Protocol, api.CodeEdgeRefused, api.Say(api.SayNoPart, "host", host), "")
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable:
		e = Fault(Temporary, api.CodeEdgeBusy, api.Say(api.SayBusy, "host", host), "")
	case code == http.StatusRequestTimeout || code == http.StatusTooEarly:
		e = Fault(Temporary, api.CodeEdgeBusy, api.Say(api.SayAskAgain, "host", host), "")
	case code == http.StatusNotImplemented || code == http.StatusHTTPVersionNotSupported:
		e = numbered(Refused, api.CodeEdgeRefused, api.SayCannotServe)
	case code >= 500:
		e = numbered(Temporary, api.CodeEdgeUnreachable, api.SayServerFault)
	case code >= 400:
		e = numbered(Refused, api.CodeEdgeRefused, api.SayRefuses)
	default:
		e = numbered(Protocol, api.CodeEdgeRefused, api.SayNotAFile)
	}
	if e.Kind == Temporary {
		e.RetryAfter = parseRetryAfter(resp.Header.Get("Retry-After"), now)
	}
	return e.because(fmt.Errorf("status %d", code))
}

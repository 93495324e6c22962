package edge

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// question is what is still wanted of a file. It moves on as bytes come.
type question struct {
	off    int64
	length int64 // -1: to the end, wherever that is
	ranged bool  // ask for a part; else for the whole, from its beginning
}

func (q question) rangeHeader() string {
	if q.length < 0 {
		return fmt.Sprintf("bytes=%d-", q.off)
	}
	return fmt.Sprintf("bytes=%d-%d", q.off, q.off+q.length-1)
}

// expectation is what an answer is checked against.
type expectation struct {
	question
	size      int64     // of the file, -1: unknown
	validator Validator // zero: take what comes
}

// ask makes one request for what q still wants, and moves q on by what came. An *Error is the
// mirror's fault; other errors are the caller's.
func (s *Source) ask(ctx context.Context, m *mirror, to location, q *question, dst intake) error {
	ctx, dog := watch(ctx, s.client.timeouts)
	defer dog.stop()
	want := expectation{question: *q, size: s.size}
	if !s.opt.Hashed {
		want.validator = s.validator(m)
	}
	win := newWindow(s.opt.Window)
	ctx = s.trace(ctx, m, win)
	msg := message{method: http.MethodGet, header: http.Header{}, windowed: win.bounded}
	if q.ranged {
		msg.header.Set("Range", q.rangeHeader())
		if c := want.validator.condition(to.Host); c != "" {
			msg.header.Set("If-Range", c)
		}
	}
	resp, from, err := s.session.send(ctx, to, msg)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if !wanted(q.ranged, resp.StatusCode) {
		return s.session.failure(from, resp)
	}
	if bad := want.check(from, resp); bad != nil {
		return bad
	}
	s.learned(m, from, validatorOf(from, resp.Header))
	dog.resume()
	body, err := decoded(from, resp, dog)
	if err != nil {
		return transportError(ctx, from.Hostname(), err)
	}
	return s.receive(ctx, &reception{mirror: m, host: from.Hostname(), body: body, dog: dog, window: win}, q, dst)
}

func (s *Source) validator(m *mirror) Validator {
	s.mu.Lock()
	defer s.mu.Unlock()
	return m.validator
}

// wanted tells whether check has a say about an answer of that status; if not, it is a refusal.
func wanted(ranged bool, status int) bool {
	switch status {
	case http.StatusOK, http.StatusNonAuthoritativeInfo, http.StatusPartialContent:
		return true
	case http.StatusRequestedRangeNotSatisfiable:
		return ranged
	}
	return false
}

// check compares an answer's header with what was asked for, and returns nil if exactly that follows.
func (x expectation) check(from location, resp *http.Response) *Error {
	host := from.Hostname()
	if resp.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		if r, ok := parseContentRange(resp.Header.Get("Content-Range")); ok && x.size >= 0 && r.total != x.size {
			return changed(host, fmt.Sprintf("it has %d bytes now", r.total))
		}
		return nonsense(host, "it has no bytes at %d of the file", x.off)
	}
	got := validatorOf(from, resp.Header)
	if x.ranged && x.validator.differs(got) { // the whole file can be spliced with nothing
		return changed(host, "its version is another one")
	}
	if resp.StatusCode == http.StatusPartialContent {
		return x.checkPart(host, resp)
	}
	if x.ranged && got.isZero() && x.validator.condition(from.Host) != "" {
		return changed(host, "it did not confirm its version")
	}
	return x.checkWhole(host, resp)
}

// checkWhole judges a 200.
func (x expectation) checkWhole(host string, resp *http.Response) *Error {
	if encoding(resp) == "" && x.size >= 0 && resp.ContentLength >= 0 && resp.ContentLength != x.size {
		return changed(host, fmt.Sprintf("it has %d bytes now", resp.ContentLength))
	}
	if !x.ranged {
		return nil
	}
	if whole := x.off == 0 && x.length == x.size; whole && encoding(resp) == "" && resp.ContentLength == x.size {
		return nil
	}
	return noRanges(host, "it sends only the whole file")
}

// checkPart judges a 206.
func (x expectation) checkPart(host string, resp *http.Response) *Error {
	if !x.ranged {
		return nonsense(host, "it was asked for the whole file and sent a part")
	}
	if e := encoding(resp); e != "" {
		return noRanges(host, fmt.Sprintf("it compresses them (%s)", clip(e)))
	}
	r, ok := parseContentRange(resp.Header.Get("Content-Range"))
	if !ok || r.first < 0 {
		return nonsense(host, "it does not say which part of the file it sends")
	}
	if r.total >= 0 && x.size >= 0 && r.total != x.size {
		return changed(host, fmt.Sprintf("it has %d bytes now", r.total))
	}
	last := x.off + x.length - 1
	if x.length < 0 {
		last = r.total - 1
	}
	if r.first != x.off || r.last != last {
		return nonsense(host, "it was asked for bytes %d to %d and sent %d to %d", x.off, last, r.first, r.last)
	}
	if resp.ContentLength >= 0 && resp.ContentLength != r.last-r.first+1 {
		return nonsense(host, "it announces %d bytes and sends %d", r.last-r.first+1, resp.ContentLength)
	}
	return nil
}

// decoded undoes a gzip coding that was not asked for. Servers also use that header for files that are
// compressed by themselves; those stay as they are.
func decoded(from location, resp *http.Response, dog *watchdog) (io.Reader, error) {
	switch e := encoding(resp); e {
	case "":
		return resp.Body, nil
	case "gzip", "x-gzip":
		if compressedFile(from, resp.Header) {
			return resp.Body, nil
		}
		body, err := gzip.NewReader(dog.reader(resp.Body))
		if err != nil {
			return nil, fmt.Errorf("read gzip header: %w", err)
		}
		return body, nil
	default:
		return nil, Fault(Refused, api.CodeEdgeRefused, api.Say(api.SayCompressed, "host", from.Hostname(), "detail", clip(e)), "")
	}
}

func compressedFile(from location, h http.Header) bool {
	name := dispositionName(h.Get("Content-Disposition"))
	if name == "" {
		name = from.Path
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".gz", ".tgz", ".svgz", ".taz":
		return true
	}
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	switch strings.TrimSpace(kind) {
	case "application/gzip", "application/x-gzip":
		return true
	}
	return false
}

// reception is one answer whose body is being read.
type reception struct {
	mirror *mirror
	host   string
	body   io.Reader
	dog    *watchdog
	window *window
}

// receive reads an answer's body into dst until q is satisfied.
func (s *Source) receive(ctx context.Context, r *reception, q *question, dst intake) error {
	paid := allowance{limiter: s.opt.Limiter}
	for q.length != 0 {
		buf := dst.space()
		if q.length > 0 {
			buf = buf[:min(int64(len(buf)), q.length)]
		}
		buf, err := paid.clip(ctx, r.dog, buf)
		if err != nil {
			return transportError(ctx, r.host, err)
		}
		n, err := r.body.Read(buf)
		if n > 0 {
			now := time.Now()
			paid.spent(n)
			r.window.adjust()
			r.dog.fed(n)
			s.received(r.mirror, n, now)
			q.advance(n)
			// A disk that is slower than the line is not the server's fault.
			if err := r.dog.aside(func() error { return dst.took(n, r.mirror.url, now) }); err != nil {
				return err
			}
		}
		switch {
		case err == nil || q.length == 0:
		case errors.Is(err, io.EOF) && q.length < 0:
			return nil
		case errors.Is(err, io.EOF):
			return Fault(Temporary, api.CodeEdgeUnreachable, api.Say(api.SayCutShort, "host", r.host), "").because(io.ErrUnexpectedEOF)
		default:
			return transportError(ctx, r.host, err)
		}
	}
	return r.atEnd()
}

func (q *question) advance(n int) {
	q.off += int64(n)
	if q.length > 0 {
		q.length -= int64(n)
	}
}

// atEnd makes sure that an answer has no more bytes than it should, and so frees its connection.
func (r *reception) atEnd() error {
	var extra [1]byte
	if n, _ := r.body.Read(extra[:]); n > 0 {
		return nonsense(r.host, "it sends more than it announced")
	}
	return nil
}

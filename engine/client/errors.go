package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	"github.com/tributary-dl/tributary/engine/api"
)

// ErrUnreachable is what errors.Is finds in the error of a call that reached no service.
var ErrUnreachable = errors.New("tributaryd cannot be reached")

// unreachable is a failed dial as a sentence that says what to try.
type unreachable struct {
	advice string
	cause  error
}

func (u *unreachable) Error() string        { return u.advice }
func (u *unreachable) Unwrap() error        { return u.cause }
func (u *unreachable) Is(target error) bool { return target == ErrUnreachable }

// dialError marks an error of the dial, so that it can be told from one of the conversation after it.
type dialError struct{ error }

func (d *dialError) Unwrap() error { return d.error }

// callFault turns what net/http returned into what a person can use.
func callFault(ctx context.Context, socket string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	dial, ok := errors.AsType[*dialError](err)
	if !ok {
		return &unreachable{advice: fmt.Sprintf("tributaryd at %s hung up before it answered; look at its log, and try again", socket), cause: err}
	}
	if errors.Is(dial, fs.ErrPermission) {
		return &unreachable{advice: fmt.Sprintf("you may not use tributaryd at %s: it belongs to another user; start your own with \"tributaryd run\"", socket), cause: dial}
	}
	return &unreachable{advice: fmt.Sprintf("tributaryd is not running at %s; start it with \"tributaryd service start\" or \"tributaryd run\"", socket), cause: dial}
}

// refused reads the *api.Error of an answer that is not a success.
func refused(r *http.Response) error {
	var e api.Error
	err := json.NewDecoder(io.LimitReader(r.Body, api.MaxBody)).Decode(&e)
	if err != nil || e.Code == "" {
		return fmt.Errorf("the service answered %q and nothing that this program understands; are both of one version?", r.Status)
	}
	return &e
}

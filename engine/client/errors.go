package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/tributary-dl/tributary/engine/api"
	"github.com/tributary-dl/tributary/engine/client/internal/http1"
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

// dialFault turns a failed dial into what a person can use.
func dialFault(ctx context.Context, socket string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, fs.ErrPermission) {
		return &unreachable{advice: fmt.Sprintf("you may not use tributaryd at %s: it belongs to another user; start your own with \"tributaryd run\"", socket), cause: err}
	}
	return &unreachable{advice: fmt.Sprintf("tributaryd is not running at %s; start it with \"tributaryd service start\" or \"tributaryd run\"", socket), cause: err}
}

// callFault does the same for a conversation that broke off before there was an answer.
func callFault(ctx context.Context, socket string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &unreachable{advice: fmt.Sprintf("tributaryd at %s hung up before it answered; look at its log, and try again", socket), cause: err}
}

// refused reads the *api.Error of an answer that is not a success.
func refused(r *http1.Response) error {
	var e api.Error
	err := json.NewDecoder(io.LimitReader(r.Body, api.MaxBody)).Decode(&e)
	if err != nil || e.Code == "" {
		return fmt.Errorf("the service answered %q and nothing that this program understands; are both of one version?", r.Status)
	}
	return &e
}

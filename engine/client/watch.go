package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/tributary-dl/tributary/engine/api"
)

// Watch yields every download, then an event with Synced, then the newest snapshot of each download that
// changes. It goes on until the loop is left or ctx ends; if the service goes away first, the last pair
// carries an error, which is ErrUnreachable. Watch again to start afresh.
func (c *Client) Watch(ctx context.Context) iter.Seq2[api.Event, error] { return c.WatchEvery(ctx, 0) }

// WatchEvery is Watch for those who look seldom: changes come together, not oftener than every, at most a minute.
// Between them the service wakes nobody.
func (c *Client) WatchEvery(ctx context.Context, every time.Duration) iter.Seq2[api.Event, error] {
	path := "/v1/watch"
	if every > 0 {
		path += "?every=" + every.String()
	}
	return func(yield func(api.Event, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		response, err := c.send(ctx, nil, get, path, nil)
		if err != nil {
			if ctx.Err() == nil {
				yield(api.Event{}, err)
			}
			return
		}
		defer response.close()
		for lines := json.NewDecoder(response.Body); ; {
			var event api.Event
			if err := lines.Decode(&event); err != nil {
				if ctx.Err() == nil {
					yield(api.Event{}, watchFault(c.Socket, err))
				}
				return
			}
			if !yield(event, nil) {
				return
			}
		}
	}
}

func watchFault(socket string, err error) error {
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("read an event of the service: %w", err)
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the service ended the watch")
	}
	return &unreachable{advice: "tributaryd at " + socket + " has stopped; start it with \"tributaryd service start\" or \"tributaryd run\"", cause: err}
}

package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/tributary-dl/tributary/control/protocol"
)

const (
	maxManifest = 16 << 20 // bytes
	maxGrant    = 64 << 10 // bytes of JSON
)

// Manifest fetches the document at rawURL, as a part of the download that req asks for: with its proxy, and
// its secrets if it is the same server. What it returns has not been checked in any way.
func (c *Client) Manifest(ctx context.Context, req Request, rawURL string) ([]byte, error) {
	return c.document(ctx, req, rawURL, message{method: http.MethodGet}, maxManifest)
}

// Grant asks an edge for a grant. at is any URL of that edge; the question goes to its root. The grant is
// returned as it came, sealed and unchecked.
func (c *Client) Grant(ctx context.Context, req Request, at string, question protocol.GrantRequest) ([]byte, error) {
	body, err := json.Marshal(question)
	if err != nil {
		return nil, fmt.Errorf("encode grant request: %w", err)
	}
	edge, bad := parseURL(at)
	if bad != nil {
		return nil, bad
	}
	post := message{method: http.MethodPost, body: body, header: http.Header{"Content-Type": {"application/json"}}}
	raw, err := c.document(ctx, req, edge.ResolveReference(&url.URL{Path: protocol.GrantPath}).String(), post, maxGrant)
	if err != nil {
		return nil, err
	}
	var answer protocol.GrantAnswer
	if err := json.Unmarshal(raw, &answer); err != nil || len(answer.Grant) == 0 {
		e := nonsense(edge.Hostname(), "it was asked for a grant and sent something else")
		e.Err = err
		return nil, e
	}
	return answer.Grant, nil
}

// document exchanges one message for a small answer.
func (c *Client) document(ctx context.Context, req Request, rawURL string, msg message, limit int64) ([]byte, error) {
	s, err := c.newSession(req)
	if err != nil {
		return nil, err
	}
	to, bad := parseURL(rawURL)
	if bad != nil {
		return nil, bad
	}
	to.user = nil // the URL comes from a server
	ctx, dog := watch(ctx, c.timeouts)
	defer dog.stop()
	resp, from, err := s.send(ctx, to, msg)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, s.failure(from, resp)
	}
	return readAll(ctx, from, resp, dog, limit)
}

package llm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// anthropicVersion is the protocol that package speaks: docs "API versioning", unchanged since 2023.
const anthropicVersion = "2023-06-01"

// authorize puts the key into the header that the protocol wants; never into the address, which proxies log.
func (e *endpoint) authorize(h http.Header) {
	switch e.API {
	case Anthropic:
		h.Set("Anthropic-Version", anthropicVersion)
		if e.key.Set() {
			h.Set("X-Api-Key", e.key.value)
		}
	case Gemini:
		if e.key.Set() {
			h.Set("X-Goog-Api-Key", e.key.value)
		}
	default:
		if e.key.Set() {
			h.Set("Authorization", "Bearer "+e.key.value)
			if strings.Contains(e.URL, ".azure.com") {
				h.Set("Api-Key", e.key.value)
			}
		}
	}
}

// address joins a path to the endpoint's URL, keeping a query such as Azure's api-version.
func (e *endpoint) address(path string) string {
	base, query, ok := strings.Cut(e.URL, "?")
	out := strings.TrimRight(base, "/") + path
	if !ok {
		return out
	}
	if strings.Contains(out, "?") {
		return out + "&" + query
	}
	return out + "?" + query
}

// post sends JSON.
func (c *Client) post(ctx context.Context, e *endpoint, path string, body any) (*http.Response, *Error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, &Error{Kind: KindRejected, Endpoint: e.Name, Msg: err.Error()}
	}
	return c.request(ctx, e, http.MethodPost, path, "application/json", bytes.NewReader(b))
}

// request sends any request. Failures come back as *Error without the address, which may hold a query.
func (c *Client) request(ctx context.Context, e *endpoint, method, path, contentType string, body io.Reader) (*http.Response, *Error) {
	req, err := e.newRequest(ctx, method, e.address(path), contentType, body)
	if err != nil {
		return nil, &Error{Kind: KindRejected, Endpoint: e.Name, Msg: "the address is not valid"}
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, e.readFailure(err)
	}
	return res, nil
}

func (e *endpoint) newRequest(ctx context.Context, method, address, contentType string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	e.authorize(req.Header)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("User-Agent", "syncabel")
	return req, nil
}

// callTimeout bounds calls of batch APIs: the upload of a shard over a slow line.
const callTimeout = time.Hour

// call sends a request and decodes the reply of status 200 into out.
func (c *Client) call(ctx context.Context, e *endpoint, method, path, contentType string, body io.Reader, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	res, failure := c.request(ctx, e, method, path, contentType, body)
	if failure != nil {
		return failure
	}
	return c.answer(e, res, out)
}

// answer decodes a reply of status 200 into out, unless that is nil, and closes it.
func (c *Client) answer(e *endpoint, res *http.Response, out any) error {
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxReply))
	switch {
	case err != nil:
		return e.readFailure(err)
	case res.StatusCode != http.StatusOK:
		return e.statusFailure(res, b, c.opt.MaxBackOff)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return &Error{Kind: KindMalformed, Endpoint: e.Name, Msg: err.Error()}
	}
	return nil
}

// errProtocol marks replies that are not what the protocol says.
var errProtocol = errors.New("not the protocol")

// readFailure names an error of connecting or reading.
func (e *endpoint) readFailure(err error) *Error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	kind := KindNetwork
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errProtocol):
		kind = KindMalformed
	case errors.As(err, &timeout) && timeout.Timeout():
		kind = KindTimeout
	}
	return &Error{Kind: kind, Endpoint: e.Name, Msg: e.key.scrub(err.Error())}
}

// statusFailure names a reply other than 200.
func (e *endpoint) statusFailure(res *http.Response, body []byte, maxWait time.Duration) *Error {
	out := &Error{Status: res.StatusCode, Endpoint: e.Name, Msg: e.words(body)}
	out.retryAfter = min(retryAfter(res.Header, time.Now()), maxWait)
	switch code := res.StatusCode; {
	case code == 429 && strings.Contains(string(body), "insufficient_quota"), code == 402:
		out.Kind = KindDenied // no money: waiting does not help
	case code == 429:
		out.Kind = KindRate
	case code == 401, code == 403, code == 404, code == 405, 300 <= code && code < 400:
		out.Kind = KindDenied
	case code == 408, code == 409, code == 425, code >= 500:
		out.Kind = KindServer
	case code >= 400:
		out.Kind = KindRejected
	default:
		out.Kind = KindMalformed
	}
	return out
}

// maxWords bounds what is kept of a server's error message.
const maxWords = 300

// words returns the message of an error reply, short, on one line and without the key.
func (e *endpoint) words(body []byte) string {
	var r struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  any             `json:"detail"`
	}
	s := string(body)
	if json.Unmarshal(body, &r) == nil {
		var inner struct {
			Message string `json:"message"`
		}
		switch {
		case json.Unmarshal(r.Error, &inner) == nil && inner.Message != "":
			s = inner.Message
		case r.Message != "":
			s = r.Message
		}
	}
	s = strings.Join(strings.Fields(e.key.scrub(s)), " ")
	for len(s) > maxWords {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// retryAfter reads the header of that name: seconds or a date (RFC 9110, 10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(v, 64); err == nil && s > 0 && s < 1e6 {
		return time.Duration(s * float64(time.Second))
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

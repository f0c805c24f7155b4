package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longestPause bounds what a server may ask us to wait, and the waits between tries.
const longestPause = 30 * time.Second

// A Call is one request with what its reply must hold.
type Call struct {
	Route    int                // replica to prefer
	Path     string             // e.g. /generate
	Body     any                // sent as JSON by POST; nil: GET
	Prefixes int                // in Body, for the statistics
	Read     func([]byte) error // takes the reply; an error that is ErrProtocol is tried again
}

// Do sends a call until a replica answers it well. Queries are pure, so repeating one is always safe.
func (p *Pool) Do(ctx context.Context, c Call) error {
	var body []byte
	if c.Body != nil {
		var err error
		if body, err = json.Marshal(c.Body); err != nil {
			return fmt.Errorf("asking the oracle: %w", err)
		}
	}
	var last error
	avoid := -1
	for try := range p.Tries {
		at, err := p.take(ctx, c.Route, avoid)
		if err != nil {
			return err
		}
		f := p.send(ctx, p.replicas[at].url, &c, body, try)
		pause := f.after
		if f.err != nil && f.retry && pause == 0 {
			pause = p.backOff(try)
		}
		p.give(at, f.busy, f.err != nil && !f.busy, pause)
		switch {
		case f.err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !f.retry:
			return f.err
		}
		last, avoid = f.err, at
	}
	if errors.Is(last, ErrProtocol) {
		return fmt.Errorf("after %d tries: %w", p.Tries, last)
	}
	return fmt.Errorf("%w: %d tries, the last: %w", ErrUnavailable, p.Tries, last)
}

// backOff doubles with every try and scatters, so that a thousand workers do not come back at once.
func (p *Pool) backOff(try int) time.Duration {
	d := min(p.Wait<<min(try, 16), longestPause)
	return d/2 + time.Duration(rand.Int64N(int64(d/2)+1))
}

// failure of one request; err nil: none.
type failure struct {
	err   error
	retry bool
	busy  bool          // 429 or 503
	after time.Duration // the server's wish
}

// send makes one request.
func (p *Pool) send(ctx context.Context, base string, c *Call, body []byte, try int) failure {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	method := http.MethodPost
	if body == nil {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, base+c.Path, bytes.NewReader(body))
	if err != nil {
		return failure{err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "syncabel")
	p.key.Bearer(req.Header)
	res, err := p.client.Do(req)
	if err != nil {
		p.count(c, try, 0)
		return failure{err: fmt.Errorf("asking %s: %w", base, err), retry: true}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, p.MaxReply+1))
	p.count(c, try, len(b))
	switch {
	case err != nil:
		return failure{err: fmt.Errorf("reading the reply of %s: %w", base, err), retry: true}
	case int64(len(b)) > p.MaxReply:
		return failure{err: fmt.Errorf("the reply of %s has more than %d bytes", base, p.MaxReply)}
	case res.StatusCode != http.StatusOK:
		return status(base, c.Path, res, b)
	}
	if err := c.Read(b); err != nil {
		return failure{err: fmt.Errorf("the reply of %s to %s: %w", base, c.Path, err), retry: errors.Is(err, ErrProtocol)}
	}
	return failure{}
}

func (p *Pool) count(c *Call, try, read int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Requests++
	p.stats.Prefixes += int64(c.Prefixes)
	p.stats.Read += int64(read)
	if try > 0 {
		p.stats.Retries++
	}
}

// status tells what a status other than 200 means. What the server says may quote the prompt: only its first bytes are passed on,
// and only of refusals, which the user has to understand.
func status(base, path string, res *http.Response, body []byte) failure {
	after := retryAfter(res.Header.Get("Retry-After"))
	switch code := res.StatusCode; {
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		return failure{err: fmt.Errorf("%s: %s", base, res.Status), retry: true, busy: true, after: after}
	case code >= 500, code == http.StatusRequestTimeout:
		return failure{err: fmt.Errorf("%s: %s", base, res.Status), retry: true, after: after}
	case code >= 300 && code < 400:
		return failure{err: fmt.Errorf("%w: %s redirects %s: give the address it redirects to", ErrRefused, base, path)}
	default:
		return failure{err: fmt.Errorf("%w: %s%s: %s: %s", ErrRefused, base, path, res.Status, excerpt(body))}
	}
}

func excerpt(b []byte) string {
	return strings.ToValidUTF8(strings.Join(strings.Fields(string(b[:min(len(b), 300)])), " "), "")
}

func retryAfter(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Second, longestPause)
}

// JSON returns a Read that decodes the reply and then checks it. A reply that is no JSON was cut off.
func JSON[T any](check func(*T) error) func([]byte) error {
	return func(b []byte) error {
		var v T
		if err := json.Unmarshal(b, &v); err != nil {
			return fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		return check(&v)
	}
}

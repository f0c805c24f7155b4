package llm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// Options of a Client. Zero values are the defaults.
type Options struct {
	Attempts   int           // sendings of one request before it fails; default 10: a busy server loses a few in a row
	MinBackOff time.Duration // before the second attempt, doubled after each; default 500 ms
	MaxBackOff time.Duration // default 60 s: also what a server may ask for at most by Retry-After
	BreakAfter int           // failures in a row that open an endpoint's circuit; default 10, well above chance at a failure rate of one in ten
	GiveUp     time.Duration // with every circuit open and no answer for so long, the run ends; default 10 min, a server's restart
	FirstWait  time.Duration // the same before any answer came; default 30 s: the address may be wrong
}

func (o *Options) defaults() {
	if o.Attempts == 0 {
		o.Attempts = 10
	}
	if o.MinBackOff == 0 {
		o.MinBackOff = 500 * time.Millisecond
	}
	if o.MaxBackOff == 0 {
		o.MaxBackOff = time.Minute
	}
	if o.BreakAfter == 0 {
		o.BreakAfter = 10
	}
	if o.FirstWait == 0 {
		o.FirstWait = 30 * time.Second
	}
	if o.GiveUp == 0 {
		o.GiveUp = 10 * time.Minute
	}
}

// backOff returns the pause before attempt n (from 1): doubled each time, half of it by chance, so that requests that failed
// together do not come back together.
func (o *Options) backOff(n int) time.Duration {
	d := min(o.MinBackOff<<min(n-1, 20), o.MaxBackOff)
	return d/2 + rand.N(d/2+1)
}

// maxRateLimited bounds how often one request is put off by rate limits, which do not count as attempts.
const maxRateLimited = 200

// A Client sends requests to one or several endpoints. It is safe for concurrent use.
type Client struct {
	opt  Options
	pool *pool
	http *http.Client
}

// NewClient makes a client and reads the endpoints' keys; it connects to nothing yet.
func NewClient(endpoints []Endpoint, opt Options) (*Client, error) {
	if len(endpoints) == 0 {
		return nil, errors.New("no endpoint is configured: name the url of an OpenAI-compatible server")
	}
	opt.defaults()
	c := &Client{opt: opt}
	var list []*endpoint
	for _, cfg := range endpoints {
		e, err := newEndpoint(cfg)
		if err != nil {
			return nil, err
		}
		for _, other := range list {
			if other.Name == e.Name {
				return nil, fmt.Errorf("two endpoints are called %q: give them names", e.Name)
			}
		}
		list = append(list, e)
	}
	c.pool = newPool(list, &c.opt)
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, c.InFlight()
	t.DisableCompression = true // answers are a few hundred bytes
	c.http = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a key must not follow to another address
	}}
	return c, nil
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// InFlight returns how many requests the endpoints take at a time, together.
func (c *Client) InFlight() int {
	n := 0
	for _, e := range c.pool.endpoints {
		n += e.InFlight
	}
	return n
}

// Price returns the price of an endpoint by name.
func (c *Client) Price(name string) Price {
	for _, e := range c.pool.endpoints {
		if e.Name == name {
			return e.Price()
		}
	}
	return Price{}
}

// Do sends a request until it is answered, refused for good, or out of attempts; those failures are an *Error. Any other error
// concerns the run: ErrUnavailable, ErrDenied or the context's.
func (c *Client) Do(ctx context.Context, r *Request) (*Response, error) {
	var last *Error
	var from *endpoint // whose failure last is
	limited := 0
	for attempt := 1; attempt <= c.opt.Attempts; attempt++ {
		e, err := c.pool.acquire(ctx, from)
		if err != nil {
			return nil, err
		}
		resp, failure := c.send(ctx, e, r)
		gone := ctx.Err() != nil
		open := c.pool.release(e, failure, !gone || failure == nil)
		switch {
		case failure == nil:
			return resp, nil
		case gone:
			return nil, ctx.Err()
		case failure.Kind == KindDenied:
			attempt-- // another endpoint may take it; acquire ends the loop when none is left
			continue
		case !failure.Transient():
			return nil, failure
		}
		if last, from = failure, e; failure.Kind == KindRate {
			if limited++; limited < maxRateLimited {
				attempt-- // the endpoint waits, not the request
			}
			continue
		}
		if failure.Kind == KindNetwork && open {
			attempt-- // the server is away: acquire waits for it, and knows when to give up
			continue
		}
		if attempt < c.opt.Attempts {
			if err := sleep(ctx, max(c.opt.backOff(attempt), failure.retryAfter)); err != nil {
				return nil, err
			}
		}
	}
	return nil, last
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// maxReply bounds a reply; an answer of a few hundred tokens has some kilobytes.
const maxReply = 16 << 20

// send makes one attempt at one endpoint.
func (c *Client) send(ctx context.Context, e *endpoint, r *Request) (*Response, *Error) {
	watch, cancel := newWatchdog(ctx, time.Duration(e.Timeout)*time.Second)
	defer cancel()
	for {
		schema := e.schema(r)
		res, failure := c.post(watch.ctx, e, e.chatPath(r), e.encode(r, schema))
		if failure != nil {
			return nil, watch.explain(failure)
		}
		if res.StatusCode == http.StatusOK {
			out, err := e.read(watch, res.Body)
			res.Body.Close()
			if err != nil {
				return nil, watch.explain(e.readFailure(err))
			}
			out.Endpoint = e.Name
			out.Text = withoutThoughts(out.Text)
			return out, finishFailure(e, out)
		}
		b, _ := io.ReadAll(io.LimitReader(res.Body, maxReply))
		res.Body.Close()
		if e.adapt(res.StatusCode, string(b), schema) {
			continue
		}
		return nil, e.statusFailure(res, b, c.opt.MaxBackOff)
	}
}

// withoutThoughts leaves out what a reasoning model writes before its answer, where the server does not do so.
func withoutThoughts(s string) string {
	rest, ok := strings.CutPrefix(strings.TrimLeft(s, " \n"), "<think>")
	if !ok {
		return s
	}
	if _, after, ok := strings.Cut(rest, "</think>"); ok {
		return strings.TrimLeft(after, " \n")
	}
	return "" // cut within its thoughts
}

// finishFailure turns replies that hold no answer into failures.
func finishFailure(e *endpoint, r *Response) *Error {
	switch {
	case r.Finish == FinishFilter:
		return &Error{Kind: KindFiltered, Endpoint: e.Name}
	case r.Text == "" && r.Finish == FinishLength:
		return &Error{Kind: KindLength, Endpoint: e.Name, Msg: "no token of the answer within the limit"}
	case r.Text == "":
		return &Error{Kind: KindEmpty, Endpoint: e.Name}
	}
	return nil
}

// watchdog cancels a request that takes too long; reading a stream feeds it.
type watchdog struct {
	ctx   context.Context
	timer *time.Timer
	limit time.Duration
}

var errTimeout = errors.New("no reply in time")

func newWatchdog(ctx context.Context, limit time.Duration) (*watchdog, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watchdog{ctx: ctx, limit: limit, timer: time.AfterFunc(limit, func() { cancel(errTimeout) })}
	return w, func() { w.timer.Stop(); cancel(nil) }
}

func (w *watchdog) feed() { w.timer.Reset(w.limit) }

// explain calls a failure by its cause when the watchdog was it.
func (w *watchdog) explain(e *Error) *Error {
	if context.Cause(w.ctx) == errTimeout {
		e.Kind, e.Msg = KindTimeout, fmt.Sprintf("none within %s", w.limit)
	}
	return e
}

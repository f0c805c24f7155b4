package llm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// pool hands out endpoints: the one with the most room among those whose circuit is closed and whose server did not ask to wait.
type pool struct {
	opt *Options

	mu        sync.Mutex
	endpoints []*endpoint
	changed   chan struct{} // closed when an endpoint may have become free
	healthy   time.Time     // when an endpoint last answered, or the client was made
	answered  bool          // an endpoint has answered
	last      error         // what spoke against an endpoint last
}

func newPool(list []*endpoint, opt *Options) *pool {
	return &pool{opt: opt, endpoints: list, changed: make(chan struct{}), healthy: time.Now()}
}

// acquire waits for an endpoint, which must be released. The one that failed the request last is avoided while another works.
func (p *pool) acquire(ctx context.Context, avoid *endpoint) (*endpoint, error) {
	for {
		p.mu.Lock()
		e, wait, err := p.pick(time.Now(), avoid)
		changed := p.changed
		p.mu.Unlock()
		if err != nil {
			return nil, err
		}
		if e != nil {
			if e.limiter != nil {
				if err := e.limiter.Wait(ctx); err != nil {
					p.release(e, nil, false)
					return nil, fmt.Errorf("waiting for %s: %w", e.Name, context.Cause(ctx))
				}
			}
			return e, nil
		}
		timer := time.NewTimer(wait + rand.N(wait/4+time.Millisecond))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// maxNap bounds how long a waiter sleeps before it looks again.
const maxNap = time.Second

// pick returns the freest endpoint, or how long to wait for one.
func (p *pool) pick(now time.Time, avoid *endpoint) (*endpoint, time.Duration, error) {
	if !slices.ContainsFunc(p.endpoints, func(e *endpoint) bool { return e != avoid && e.denied == nil && e.open == 0 }) {
		avoid = nil
	}
	var best *endpoint
	wait, usable, broken := maxNap, 0, 0
	var denied []error
	for _, e := range p.endpoints {
		if e.denied != nil {
			denied = append(denied, e.denied)
			continue
		}
		usable++
		if e.open > 0 {
			broken++
		}
		switch {
		case now.Before(e.until):
			wait = min(wait, e.until.Sub(now))
		case e == avoid, e.open > 0 && e.probing, e.inFlight >= e.InFlight:
		case best == nil || e.inFlight*best.InFlight < best.inFlight*e.InFlight:
			best = e
		}
	}
	switch {
	case usable == 0:
		return nil, 0, fmt.Errorf("%w: %v", ErrDenied, errors.Join(denied...)) // not wrapped: an *Error is the fault of one request
	case broken == usable && now.Sub(p.healthy) > p.patience():
		return nil, 0, fmt.Errorf("%w for %s: is the server running at its url? Last: %v", ErrUnavailable, p.patience(), p.last)
	case best == nil:
		return nil, wait, nil
	}
	best.inFlight++
	best.probing = best.open > 0
	return best, 0, nil
}

func (p *pool) patience() time.Duration {
	if p.answered {
		return p.opt.GiveUp
	}
	return min(p.opt.FirstWait, p.opt.GiveUp)
}

// release gives an endpoint back, notes how it went and returns whether the endpoint's circuit is open now. A request that was not
// sent, or whose caller went away, says nothing.
func (p *pool) release(e *endpoint, failure *Error, sent bool) (open bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.inFlight--
	now := time.Now()
	probe := e.probing
	if e.open > 0 {
		e.probing = false
	}
	switch {
	case !sent:
	case failure == nil || !failure.unhealthy() && failure.Kind != KindRate && failure.Kind != KindDenied:
		e.failures, e.open, p.healthy, p.answered = 0, 0, now, true
	case failure.Kind == KindDenied:
		e.denied = failure
	case failure.Kind == KindRate:
		p.healthy = now
		e.until = later(e.until, now.Add(max(failure.retryAfter, p.opt.backOff(1))))
	default:
		e.failures++
		p.last = failure
		if failure.retryAfter > 0 {
			e.until = later(e.until, now.Add(failure.retryAfter))
		}
		if e.failures >= p.opt.BreakAfter && (e.open == 0 || probe) {
			e.open = min(max(2*e.open, p.opt.MinBackOff), p.opt.MaxBackOff)
			e.until = later(e.until, now.Add(e.open))
		}
	}
	close(p.changed)
	p.changed = make(chan struct{})
	return e.open > 0
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

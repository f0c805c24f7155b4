package llm

import (
	"errors"
	"fmt"
	"time"
)

// ErrUnavailable ends a run whose endpoints have all been out of order for longer than Options.GiveUp: nothing is wrong with
// the requests, the same command goes on later.
var ErrUnavailable = errors.New("no endpoint answers")

// ErrDenied ends a run whose endpoints all refuse its credentials or do not know its model or address.
var ErrDenied = errors.New("no endpoint accepts the requests")

// Kinds of failures, the reasons that journals and reports give.
const (
	KindRate      = "rate limit"
	KindServer    = "server error"
	KindTimeout   = "timeout"
	KindNetwork   = "connection"        // refused, reset, cut
	KindMalformed = "malformed reply"   // not the protocol: truncated JSON, an event stream without end
	KindRejected  = "request rejected"  // 4xx that no retry will change
	KindDenied    = "denied"            // 401, 403, 404: the endpoint's fault or the configuration's, not the request's
	KindFiltered  = "refused by filter" // the provider's content filter
	KindLength    = "cut by token limit"
	KindEmpty     = "empty answer"
	KindUnusable  = "unusable answer" // Options.Accept said no
	KindExpired   = "expired in batch"
)

// An Error is a failed request.
type Error struct {
	Kind     string
	Status   int    // HTTP; 0 without a reply
	Endpoint string // name
	Msg      string // the server's words, shortened and without secrets

	retryAfter time.Duration
}

func (e *Error) Error() string {
	s := e.Kind
	if e.Status != 0 {
		s = fmt.Sprintf("%s (HTTP %d)", s, e.Status)
	}
	if e.Endpoint != "" {
		s = e.Endpoint + ": " + s
	}
	if e.Msg != "" {
		s += ": " + e.Msg
	}
	return s
}

// Transient reports whether the same request may succeed later.
func (e *Error) Transient() bool {
	switch e.Kind {
	case KindRejected, KindDenied, KindFiltered:
		return false
	}
	return true
}

// unhealthy reports whether the failure speaks against the endpoint rather than the request.
func (e *Error) unhealthy() bool {
	switch e.Kind {
	case KindServer, KindTimeout, KindNetwork, KindMalformed:
		return true
	}
	return false
}

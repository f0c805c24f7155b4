package llm

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
)

// Requests are read one by one, so that millions take no memory.
type Requests = iter.Seq2[*Request, error]

// Accept says whether an answer is usable, by an error that says why not. It is called by many goroutines.
type Accept = func(*Request, *Response) error

// A Run sends many requests and writes every answer into a journal. Zero values are the defaults.
type Run struct {
	Client  *Client
	Journal *Journal
	Total   int // requests to come, when known: for progress, and to make room once

	Accept Accept  // nil takes any answer that is not cut by the token limit
	Asks   int     // answers asked for, each with another seed, before a request counts as missing; default 3
	Again  bool    // also ask again what failed for good before
	Budget float64 // the run stops before it spends more, journal included; 0: no limit

	Progress func(Status) // called after every request
}

// A Status is how far a run is.
type Status struct {
	Done    int64 // answered now
	Before  int64 // in the journal already
	Failed  int64 // missing after all attempts, now
	Total   int64 // as Run.Total
	Spent   Totals
	Reasons map[string]int64 // of the failed, by Kind; only in the Status that Do returns
}

// ErrBudget ends a run that has spent its budget.
var ErrBudget = errors.New("the budget is spent")

const defaultAsks = 3

// Do sends the requests of seq that the journal does not have, as many at a time as the endpoints take, and returns when all
// are answered or recorded as missing. Memory does not grow with the number of requests, but for 17 bytes each. An error of
// seq, of the journal, or one that concerns the whole run (see Client.Do) stops it; what was answered is in the journal.
func (r *Run) Do(ctx context.Context, seq Requests) (Status, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &runner{Run: r, status: Status{Total: int64(r.Total), Reasons: map[string]int64{}}, queued: map[Key]bool{}}
	w.status.Spent = r.Journal.Spent()
	r.Journal.Expect(r.Total)
	queue := make(chan keyed)
	var wg sync.WaitGroup
	for range r.Client.InFlight() {
		wg.Go(func() {
			for q := range queue {
				if err := w.one(ctx, q); err != nil {
					cancel(err)
				}
			}
		})
	}
	err := w.feed(ctx, seq, queue)
	close(queue)
	wg.Wait()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return w.status, err
}

// keyed is a request with its key.
type keyed struct {
	*Request
	key Key
}

type runner struct {
	*Run
	mu     sync.Mutex
	status Status
	queued map[Key]bool // in flight: a request that comes twice is sent once
}

func (w *runner) feed(ctx context.Context, seq Requests, queue chan<- keyed) error {
	for req, err := range seq {
		if err != nil {
			return err
		}
		q := keyed{req, req.Key()}
		send, err := w.begin(q.key)
		if err != nil {
			return err
		}
		if !send {
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case queue <- q:
		}
	}
	return nil
}

// begin claims a request, unless it is answered or under way. A spent budget ends the feeding; what is under way is finished,
// as it is paid for.
func (w *runner) begin(k Key) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queued[k] || w.Journal.has(k, w.Again) {
		w.status.Before++
		return false, nil
	}
	if w.Budget > 0 && w.status.Spent.Cost >= w.Budget {
		return false, fmt.Errorf("%w: %.2f of %.2f", ErrBudget, w.status.Spent.Cost, w.Budget)
	}
	w.queued[k] = true
	return true, nil
}

// one answers a request. Its error concerns the run.
func (w *runner) one(ctx context.Context, q keyed) error {
	e, err := w.ask(ctx, q)
	if err != nil {
		return err
	}
	if err := w.Journal.Append(*e); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.queued, e.Key)
	w.status.Spent.add(e)
	if e.Error == "" {
		w.status.Done++
	} else {
		w.status.Failed++
		w.status.Reasons[e.Error]++
	}
	if w.Progress != nil {
		s := w.status
		s.Reasons = nil
		w.Progress(s)
	}
	return nil
}

// seedStep parts the seeds of one request's answers.
const seedStep = 1_000_003

// ask asks until an answer is usable.
func (w *runner) ask(ctx context.Context, q keyed) (*Entry, error) {
	e, req := &Entry{Key: q.key}, q.Request
	asks := w.Asks
	if asks == 0 {
		asks = defaultAsks
	}
	paid := 0
	for n := range asks {
		sent := req
		if n > 0 && req.Seed != 0 {
			again := *req
			again.Seed += int64(n) * seedStep
			sent = &again
		}
		resp, err := w.Client.Do(ctx, sent)
		if err != nil {
			var failure *Error
			if !errors.As(err, &failure) {
				return nil, err
			}
			e.fail(failure)
			if e.Final || failure.Kind != KindEmpty && failure.Kind != KindLength {
				break // Client.Do has tried often enough
			}
			continue
		}
		paid++
		e.Endpoint, e.Model = resp.Endpoint, resp.Model
		e.Usage.Add(resp.Usage)
		e.Cost += w.Client.Price(resp.Endpoint).Of(resp.Usage)
		if failure := w.judge(req, resp); failure != nil {
			e.fail(failure)
			e.Raw = resp.Text
			continue
		}
		e.Answer, e.Error, e.Detail, e.Raw = resp.Text, "", "", ""
		break
	}
	if paid > 1 {
		e.Asked = paid
	}
	return e, nil
}

func (e *Entry) fail(f *Error) { e.Error, e.Detail, e.Final = f.Kind, f.Error(), !f.Transient() }

// judge returns why an answer is unusable.
func (w *runner) judge(req *Request, resp *Response) *Error {
	switch {
	case w.Accept != nil:
		if err := w.Accept(req, resp); err != nil {
			kind := KindUnusable
			if resp.Finish == FinishLength {
				kind = KindLength
			}
			return &Error{Kind: kind, Endpoint: resp.Endpoint, Msg: err.Error()}
		}
	case resp.Finish == FinishLength:
		return &Error{Kind: KindLength, Endpoint: resp.Endpoint}
	}
	return nil
}

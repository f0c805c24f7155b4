package serve

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"syncabel/internal/corpus"
	"syncabel/internal/prediction"
)

// Errors of the pool.
var (
	errBusy     = errors.New("the server is busy: too many mentions are waiting to be linked")
	errDraining = errors.New("the server is stopping")
)

// pool links with several linkers. Requests that wait together share one call, since a batch of mentions costs less than as
// many single ones.
type pool struct {
	jobs    chan *job
	waiting atomic.Int64  // mentions accepted and not yet answered
	limit   int64         // of waiting
	bulk    chan struct{} // held by long documents, so that one worker stays free for short ones
	stop    chan struct{}
	once    sync.Once
	wg      sync.WaitGroup
	ending  atomic.Bool
	linked  atomic.Int64 // mentions, for metrics
	batches atomic.Int64
}

// Sizes in mentions: a call takes up to batchMentions of several requests; a request above longDocument goes alone.
const (
	batchMentions = 16
	longDocument  = 64
)

type job struct {
	ctx  context.Context
	docs []corpus.Document
	n    int                // mentions
	with func(Linker) error // instead of linking: something else that needs a linker
	out  []prediction.Prediction
	err  error
	done chan struct{}
}

func newPool(linkers []Linker, limit int) *pool {
	p := &pool{jobs: make(chan *job, limit), limit: int64(limit), bulk: make(chan struct{}, max(len(linkers)-1, 1)), stop: make(chan struct{})}
	for _, l := range linkers {
		p.wg.Go(func() { p.work(l) })
	}
	return p
}

// link links the mentions of docs. It answers errBusy at once when too many are waiting.
func (p *pool) link(ctx context.Context, docs []corpus.Document) ([]prediction.Prediction, error) {
	n := corpus.Mentions(docs)
	if n == 0 {
		return nil, nil
	}
	if p.ending.Load() {
		return nil, errDraining
	}
	if p.waiting.Add(int64(n)) > p.limit && p.waiting.Load() != int64(n) { // a long document is served when nothing else waits
		p.waiting.Add(int64(-n))
		return nil, errBusy
	}
	if n > longDocument {
		select {
		case p.bulk <- struct{}{}:
			defer func() { <-p.bulk }()
		case <-ctx.Done():
			p.waiting.Add(int64(-n))
			return nil, ctx.Err()
		}
	}
	j := &job{ctx: ctx, docs: docs, n: n, done: make(chan struct{})}
	if err := p.do(j); err != nil {
		return nil, err
	}
	return j.out, nil
}

// use lends a linker to f.
func (p *pool) use(ctx context.Context, f func(Linker) error) error {
	if p.ending.Load() {
		return errDraining
	}
	if p.waiting.Add(1) > p.limit {
		p.waiting.Add(-1)
		return errBusy
	}
	return p.do(&job{ctx: ctx, n: 1, with: f, done: make(chan struct{})})
}

// do hands a job that is counted as waiting to a worker.
func (p *pool) do(j *job) error {
	select {
	case p.jobs <- j:
	default:
		p.waiting.Add(int64(-j.n))
		return errBusy
	}
	select {
	case <-j.done:
		return j.err
	case <-j.ctx.Done(): // the worker still counts it off
		return j.ctx.Err()
	case <-p.stop:
		return errDraining
	}
}

// work is one worker.
func (p *pool) work(l Linker) {
	for {
		select {
		case <-p.stop:
			return
		case j := <-p.jobs:
			p.batch(l, p.gather(j))
		}
	}
}

// gather adds what waits to a first job, up to a batch.
func (p *pool) gather(first *job) []*job {
	batch, n := []*job{first}, first.n
	for n < batchMentions {
		select {
		case j := <-p.jobs:
			batch, n = append(batch, j), n+j.n
		default:
			return batch
		}
	}
	return batch
}

// batch links several jobs in one call. A job whose client is gone is passed over; when the call fails, each job is tried
// alone, so that one bad document does not fail its neighbours.
func (p *pool) batch(l Linker, batch []*job) {
	p.batches.Add(1)
	live := batch[:0:0]
	var docs []corpus.Document
	for _, j := range batch {
		switch j.err = j.ctx.Err(); {
		case j.err != nil:
		case j.with != nil:
			j.err = j.with(l)
		default:
			live, docs = append(live, j), append(docs, j.docs...)
		}
	}
	if len(live) == 1 {
		live[0].out, live[0].err = l.Link(live[0].ctx, docs)
	} else if len(live) > 1 {
		p.together(l, live, docs)
	}
	for _, j := range batch {
		p.waiting.Add(int64(-j.n))
		if j.err == nil && j.with == nil {
			p.linked.Add(int64(j.n))
		}
		close(j.done)
	}
}

// together runs a call that belongs to several clients: it outlives any one of them, but not for long.
func (p *pool) together(l Linker, live []*job, docs []corpus.Document) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := l.Link(ctx, docs)
	for _, j := range live {
		if err != nil {
			j.out, j.err = l.Link(j.ctx, j.docs)
			continue
		}
		j.out, out = out[:j.n], out[j.n:]
	}
}

// drain refuses new work.
func (p *pool) drain() { p.ending.Store(true) }

func (p *pool) close() {
	p.drain()
	p.once.Do(func() { close(p.stop) })
	p.wg.Wait()
}

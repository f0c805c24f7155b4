package remote

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"syncabel/internal/llm"
	"syncabel/internal/oracle"
)

// A Pool spreads requests over the replicas of a server. Prefixes that begin alike go to the same replica, whose prefix cache
// then holds them, unless that one is down or much busier than the others. It is safe for concurrent use.
type Pool struct {
	Options
	key    llm.Secret
	client *http.Client

	mu       sync.Mutex
	replicas []*replica
	changed  chan struct{} // closed and replaced whenever a waiting request may try again
	stats    Stats
}

// Stats count what was sent.
type Stats struct {
	Queries  int64 // questions of the search
	Rounds   int64 // batches of questions that the search waited for
	Requests int64 // HTTP requests, repeated ones included
	Retries  int64 // of these
	Prefixes int64 // prefixes sent in them
	Read     int64 // bytes of replies
}

// replica is one server; its fields belong to the pool's lock.
type replica struct {
	url      string
	inFlight int
	limit    float64   // of inFlight: halved by 429 and 503, raised by one after that many successes
	until    time.Time // nothing is sent before
}

// routeTokens of a prefix choose its replica: enough to tell sentences apart, few enough to be the same for all steps of a search.
const routeTokens = 16

// Route returns the replica a prefix belongs to.
func (p *Pool) Route(prefix []int32) int {
	h := fnv.New64a()
	var b [4]byte
	for _, t := range prefix[:min(routeTokens, len(prefix))] {
		binary.LittleEndian.PutUint32(b[:], uint32(t))
		h.Write(b[:])
	}
	return int(h.Sum64() % uint64(len(p.replicas)))
}

// Batches groups the indices of queries by replica, at most Batch in one, in their order.
func (p *Pool) Batches(queries []oracle.Query) [][]int {
	open := map[int]int{}
	var out [][]int
	for i := range queries {
		r := p.Route(queries[i].Prefix)
		at, ok := open[r]
		if !ok || len(out[at]) == p.Batch {
			at = len(out)
			open[r] = at
			out = append(out, nil)
		}
		out[at] = append(out[at], i)
	}
	return out
}

// Each runs f(0) to f(n-1), as many at a time as all replicas take, and returns the first error.
func (p *Pool) Each(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.InFlight * len(p.replicas))
	for i := range n {
		g.Go(func() error { return f(ctx, i) })
	}
	return g.Wait()
}

// Stats returns what was sent so far.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// Asked counts a batch of questions.
func (p *Pool) Asked(queries int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.Rounds++
	p.stats.Queries += int64(queries)
}

// busier is how many requests more than the least busy replica one may have before others take its work.
const busier = 8

// take waits until a replica has room and takes it: the one at route if possible. avoid is one that has just failed, -1: none.
func (p *Pool) take(ctx context.Context, route, avoid int) (int, error) {
	for {
		p.mu.Lock()
		now := time.Now()
		i, wait := p.choose(route, avoid, now)
		if i >= 0 {
			p.replicas[i].inFlight++
			p.mu.Unlock()
			return i, nil
		}
		changed := p.changed
		p.mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return 0, context.Cause(ctx)
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// choose returns the replica to send to, or -1 and how long to wait at most.
func (p *Pool) choose(route, avoid int, now time.Time) (at int, wait time.Duration) {
	least, wait := -1, time.Second
	for k := range p.replicas {
		i := (route + k) % len(p.replicas)
		r := p.replicas[i]
		if left := r.until.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		if r.inFlight >= max(1, int(r.limit)) || i == avoid && len(p.replicas) > 1 && p.other(avoid, now) {
			continue
		}
		if least < 0 || r.inFlight+busier < p.replicas[least].inFlight {
			least = i
		}
	}
	return least, max(wait, time.Millisecond)
}

// other reports whether a replica besides i could be asked now or soon.
func (p *Pool) other(i int, now time.Time) bool {
	for k, r := range p.replicas {
		if k != i && !r.until.After(now) {
			return true
		}
	}
	return false
}

// give returns a replica after a request; busy says that it wants less, failed that it did not answer, pause how long to leave it.
func (p *Pool) give(i int, busy, failed bool, pause time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.replicas[i]
	r.inFlight--
	switch {
	case busy:
		r.limit = max(1, r.limit/2)
	case !failed:
		r.limit = min(float64(p.InFlight), r.limit+1/r.limit)
	}
	if pause > 0 {
		if u := time.Now().Add(pause); u.After(r.until) {
			r.until = u
		}
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

package shard

import (
	"bytes"
	"cmp"
	"container/heap"
	_ "embed"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/pelletier/go-toml/v2"
)

// DefaultCosts are the figures that the published table was made from.
//
//go:embed costs.toml
var DefaultCosts []byte

// A Figure is a number with where it comes from.
type Figure struct {
	Value  float64 `toml:"value"`
	Source string  `toml:"source"`
}

// Costs are what a simulation is made from.
type Costs struct {
	Input   Figure        `toml:"input_bytes"`     // of input a mention
	Output  Figure        `toml:"output_bytes"`    // of merged output a mention
	Plan    Figure        `toml:"plan_mb"`         // a second that planning reads, by one process
	Merge   Figure        `toml:"merge_mb"`        // a second that merging reads, hashes and writes, by one process
	Shared  Figure        `toml:"storage_gb"`      // a second that all workers together read from the shared storage
	Single  Figure        `toml:"worker_gb"`       // a second that one worker reads from it
	Kills   Figure        `toml:"kills"`           // a worker and hour
	Restart Figure        `toml:"restart_seconds"` // from a kill until the worker begins again
	Spread  Figure        `toml:"spread"`          // standard deviation of the logarithm of a worker's speed
	Workers []WorkerCosts `toml:"worker"`
}

// WorkerCosts are those of one kind of worker.
type WorkerCosts struct {
	Name    string `toml:"name"`
	Mention Figure `toml:"mention_ms"`    // milliseconds of a worker
	Start   Figure `toml:"start_seconds"` // of a process, reading not counted: every shard is a process
	Reads   Figure `toml:"reads_gb"`      // weights and stores, at every start
	Chunk   Figure `toml:"chunk"`         // mentions answered together: a kill loses half of them
	Price   Figure `toml:"price_hour"`
}

// ReadCosts reads a file of costs.
func ReadCosts(b []byte) (*Costs, error) {
	var c Costs
	d := toml.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return nil, fmt.Errorf("reading costs: %w", err)
	}
	positive := map[string]float64{"input_bytes": c.Input.Value, "output_bytes": c.Output.Value, "plan_mb": c.Plan.Value, "merge_mb": c.Merge.Value,
		"storage_gb": c.Shared.Value, "worker_gb": c.Single.Value}
	for _, w := range c.Workers {
		positive["mention_ms of "+w.Name], positive["chunk of "+w.Name] = w.Mention.Value, w.Chunk.Value
	}
	for _, k := range slices.Sorted(maps.Keys(positive)) {
		if !(positive[k] > 0) {
			return nil, fmt.Errorf("reading costs: %s must be above 0", k)
		}
	}
	if len(c.Workers) == 0 {
		return nil, fmt.Errorf("reading costs: no [[worker]] is described")
	}
	return &c, nil
}

// What can bind.
const (
	BindsCompute = "linking"
	BindsStart   = "starts"
	BindsStorage = "storage"
	BindsKills   = "kills"
	BindsTail    = "stragglers"
	BindsSerial  = "plan and merge"
)

// An Outcome is one simulated run.
type Outcome struct {
	Workers int
	Hours   float64            // from planning to the merged file
	Paid    float64            // worker hours
	Cost    float64            // at the price of the worker
	Kills   int                // that hit a worker at work
	Share   map[string]float64 // of Hours by what binds; sums to 1
}

// Binds returns what takes most of the time, and what most of it after that.
func (o *Outcome) Binds() (first, second string) {
	keys := slices.SortedFunc(maps.Keys(o.Share), func(a, b string) int { return cmp.Or(cmp.Compare(o.Share[b], o.Share[a]), cmp.Compare(a, b)) })
	return keys[0], keys[1]
}

// Simulate runs mentions in shards over workers, by the clock: a free worker takes the next shard. Every shard starts a process, reads
// weights and stores from a storage that serves one after another, computes at its worker's speed, whose mean is 1, and is
// killed by chance, which loses half a chunk and a start. Planning before and merging after are one process each.
func (c *Costs) Simulate(w *WorkerCosts, mentions float64, shards, workers int, seed uint64) Outcome {
	s := &simulation{Costs: c, w: w, rng: rand.New(rand.NewPCG(seed, uint64(workers)))}
	free, mean := s.hosts(workers)
	work := mentions / float64(shards) * w.Mention.Value / 1000 * mean
	var end, sum float64
	for len(free) > 0 {
		h := &free[0]
		if h.left == 0 && shards > 0 {
			h.left = work / h.speed
			shards--
		}
		if h.left == 0 {
			end, sum = max(end, h.free), sum+h.free
			heap.Pop(&free)
			continue
		}
		s.turn(h)
		heap.Fix(&free, 0)
	}
	idle := end*float64(workers) - sum
	serial := mentions * (c.Input.Value/c.Plan.Value + c.Output.Value/c.Merge.Value) / 1e6
	total, n := end+serial, float64(workers)
	o := Outcome{Workers: workers, Hours: total / 3600, Kills: s.kills, Paid: sum / 3600}
	o.Cost = o.Paid * w.Price.Value
	o.Share = map[string]float64{BindsCompute: s.compute / n / total, BindsStart: s.start / n / total, BindsStorage: s.storage / n / total,
		BindsKills: s.lost / n / total, BindsTail: idle / n / total, BindsSerial: serial / total}
	return o
}

// simulation counts worker seconds by what they went to.
type simulation struct {
	*Costs
	w                             *WorkerCosts
	rng                           *rand.Rand
	served                        float64 // when the storage is free
	compute, start, storage, lost float64
	kills                         int
}

// hosts are the workers, all free, and their mean speed.
func (s *simulation) hosts(n int) (q queue, mean float64) {
	q = make(queue, n)
	for i := range q {
		q[i].speed = math.Exp(s.Spread.Value * s.rng.NormFloat64())
		mean += q[i].speed / float64(n)
	}
	return q, mean
}

// turn lets a host begin and work until its shard is done or it is killed, which leaves the rest for another turn: turns come by
// the clock, so that the storage serves in order.
func (s *simulation) turn(h *host) {
	start, storage := &s.start, &s.storage
	if h.killed {
		start, storage = &s.lost, &s.lost
	}
	at := s.begin(h.free, start, storage)
	until := math.Inf(1)
	if s.Kills.Value > 0 {
		until = s.rng.ExpFloat64() / s.Kills.Value * 3600
	}
	if h.killed = until < h.left; !h.killed {
		s.compute += h.left
		h.free, h.left = at+h.left, 0
		return
	}
	s.kills++
	gone := min(until, s.w.Chunk.Value/2*s.w.Mention.Value/1000/h.speed)
	s.compute += until - gone
	s.lost += gone + s.Restart.Value
	h.free, h.left = at+until+s.Restart.Value, h.left-until+gone
}

// begin starts a process and returns when it has read what it needs; start and reading go to their accounts.
func (s *simulation) begin(at float64, start, storage *float64) float64 {
	ready := at + s.w.Start.Value
	*start += s.w.Start.Value
	s.served = max(s.served, ready) + s.w.Reads.Value/s.Shared.Value
	read := max(s.served, ready+s.w.Reads.Value/s.Single.Value)
	*storage += read - ready
	return read
}

// host is a worker: when it is free, how fast it is, what is left of its shard in its own seconds, and whether it was killed in it.
type host struct {
	free, speed, left float64
	killed            bool
}

// queue is a heap of hosts, the next free one first.
type queue []host

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].free < q[j].free }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(h any)        { *q = append(*q, h.(host)) }

// Pop removes the last.
func (q *queue) Pop() any {
	h := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return h
}

package model

import (
	"fmt"

	"syncabel/internal/kernel"
)

// A Row is one token to run through the network. It attends to the nodes of its path and to itself. Rows of one Run may
// name each other's nodes if the named row comes first, so a prompt, or a whole tree of continuations, is one call.
type Row struct {
	Token int32
	Pos   int32   // position in its sequence, from 0
	Node  int32   // where its key, value and hidden state go
	Path  []int32 // nodes it attends to, oldest first, itself not included
}

// A Session runs a model for decoding. Keys, values and final hidden states live in an arena of nodes, so a fork of a
// hypothesis is a copy of its path and nothing else. It is not safe for concurrent use.
//
// Results are the same bits whatever other rows a Run holds and however many threads there are.
type Session struct {
	f        *Frozen
	pool     *kernel.Pool
	nodes    int
	kv       [][]float32 // per layer: (nodes, 2*KV*D), key then value
	hidden   []float32   // (nodes,C) after the last norm
	weights  []sessionLayer
	head     projection
	cos, sin []float32
	// scratch, (rows, ...)
	x, n, qkv, y, gu, h []float32
	cap                 int

	// what the running tasks read; they are bound once
	rows     []Row
	now      *layer
	kvNow    []float32
	rowFunc  func(s *Session, lo, hi int)
	rowTask  func(i int)
	path     func(row int) ([]int32, int32)
	logits   []float32
	logZ     []float64
	logZTask func(i int)
}

type sessionLayer struct{ qkv, out, gateUp, down projection }

// SessionOptions of NewSession.
type SessionOptions struct {
	Nodes   int // size of the arena; default 4096
	Threads int // 0: all processors
}

// NewSession prepares a model in memory for decoding. It must not be trained meanwhile.
func NewSession(m *Model, opt SessionOptions) *Session { return NewFrozenSession(m.Frozen(), opt) }

// NewFrozenSession prepares a model for decoding.
func NewFrozenSession(f *Frozen, opt SessionOptions) *Session {
	if opt.Nodes <= 0 {
		opt.Nodes = 4096
	}
	c := f.Config
	s := &Session{f: f, pool: kernel.NewPool(opt.Threads), nodes: opt.Nodes}
	pack := f.bytes <= packBelow
	s.kv = make([][]float32, c.Layers)
	for i := range s.kv {
		s.kv[i] = make([]float32, opt.Nodes*2*c.KVHeads*c.HeadWidth)
		l := &f.layers[i]
		s.weights = append(s.weights, sessionLayer{newProjection(pack, l.qkv...), newProjection(pack, l.outW...),
			newProjection(pack, l.gateUp...), newProjection(pack, l.downW...)})
	}
	s.hidden = make([]float32, opt.Nodes*c.Width)
	s.head = newProjection(pack, f.head)
	s.cos, s.sin = c.rope(min(c.Context, opt.Nodes)) // a path is no longer than the arena
	s.bind()
	s.pool.Begin() // a search thinks between its passes, for less time than waking a thread takes
	return s
}

// bind makes the tasks of the pool's loops.
func (s *Session) bind() {
	s.rowTask = func(i int) { s.rowFunc(s, i*sessionBlock, min((i+1)*sessionBlock, len(s.rows))) }
	s.path = func(i int) ([]int32, int32) { return s.rows[i].Path, s.rows[i].Node }
	s.logZTask = func(i int) {
		v := s.f.Config.Vocab
		s.logZ[i] = kernel.LogSumExp(s.logits[i*v : (i+1)*v])
	}
}

// Close stops the session's threads.
func (s *Session) Close() { s.pool.Close() }

// Nodes returns the size of the arena.
func (s *Session) Nodes() int { return s.nodes }

// Context returns the longest sequence in tokens that model and arena hold.
func (s *Session) Context() int { return min(s.f.Config.Context, s.nodes) }

// Vocab returns V.
func (s *Session) Vocab() int { return s.f.Config.Vocab }

func (s *Session) grow(t int) {
	if t <= s.cap {
		return
	}
	c := s.f.Config
	f := func(k int) []float32 { return make([]float32, t*k) }
	s.x, s.n, s.qkv = f(c.Width), f(c.Width), f((c.Heads+2*c.KVHeads)*c.HeadWidth)
	s.y, s.gu, s.h = f(c.Heads*c.HeadWidth), f(2*c.Hidden), f(c.Hidden)
	s.cap = t
}

// runRows is the number of rows that go through the network together: enough to read every weight once for many rows, few enough
// that their activations stay small beside the weights.
const runRows = 256

// Run computes keys, values and hidden states of rows.
func (s *Session) Run(rows []Row) error {
	if err := s.check(rows); err != nil {
		return err
	}
	for lo := 0; lo < len(rows); lo += runRows {
		s.run(rows[lo:min(lo+runRows, len(rows))])
	}
	return nil
}

func (s *Session) run(rows []Row) {
	s.grow(len(rows))
	c := s.f.Config
	for i, r := range rows {
		s.f.embed.Row(s.x[i*c.Width:(i+1)*c.Width], int(r.Token))
	}
	s.rows = rows
	longest := 0
	for i := range rows {
		longest = max(longest, len(rows[i].Path))
	}
	for l := range s.weights {
		s.layer(l, longest)
	}
	for i, r := range rows {
		kernel.RMSNorm(s.hidden[int(r.Node)*c.Width:(int(r.Node)+1)*c.Width], s.x[i*c.Width:(i+1)*c.Width], s.f.norm, nil, c.Width, c.NormEps)
	}
}

func (s *Session) check(rows []Row) error {
	for _, r := range rows {
		if r.Token < 0 || int(r.Token) >= s.f.Config.Vocab {
			return fmt.Errorf("token %d is outside the vocabulary of %d", r.Token, s.f.Config.Vocab)
		}
		if int(r.Pos) >= s.Context() || r.Pos < 0 {
			return fmt.Errorf("position %d is outside the context of %d tokens", r.Pos, s.Context())
		}
		if r.Node < 0 || int(r.Node) >= s.nodes {
			return fmt.Errorf("node %d is outside the arena of %d", r.Node, s.nodes)
		}
	}
	return nil
}

func (s *Session) layer(l int, longest int) {
	c, p, t := &s.f.Config, &s.weights[l], len(s.rows)
	s.now, s.kvNow = &s.f.layers[l].layer, s.kv[l]
	s.each(sessionNormIn)
	p.qkv.mul(s.pool, t, s.n, s.qkv, (c.Heads+2*c.KVHeads)*c.HeadWidth)
	s.each(sessionKeys)
	a := kernel.Attention{Heads: c.Heads, KVHeads: c.KVHeads, Width: c.HeadWidth, Window: c.window(l)}
	kernel.PathAttention{Attention: a, Path: s.path}.Run(s.pool, t, longest, s.y, s.qkv, s.kv[l])
	p.out.mul(s.pool, t, s.y, s.n, c.Width)
	s.each(sessionNormMiddle)
	p.gateUp.mul(s.pool, t, s.n, s.gu, 2*c.Hidden)
	s.each(sessionActivate)
	p.down.mul(s.pool, t, s.h, s.n, c.Width)
	s.each(sessionAdd)
}

// sessionBlock is the number of rows that one task of a row function takes.
const sessionBlock = 8

// each runs f over blocks of the running rows. f captures nothing, so that decoding allocates nothing.
func (s *Session) each(f func(s *Session, lo, hi int)) {
	s.rowFunc = f
	s.pool.For((len(s.rows)+sessionBlock-1)/sessionBlock, s.rowTask)
}

func sessionNormIn(s *Session, lo, hi int) {
	c := s.f.Config.Width
	kernel.RMSNorm(s.n[lo*c:hi*c], s.x[lo*c:hi*c], s.now.norm1, nil, c, s.f.Config.NormEps)
}

// sessionKeys turns queries and keys to their positions and keeps keys and values at their nodes.
func sessionKeys(s *Session, lo, hi int) {
	c, w := &s.f.Config, s.now
	qd, kd, half := c.Heads*c.HeadWidth, c.KVHeads*c.HeadWidth, c.HeadWidth/2
	for i := lo; i < hi; i++ {
		r, row := &s.rows[i], s.qkv[i*(qd+2*kd):(i+1)*(qd+2*kd)]
		if w.bias != nil {
			kernel.Axpy(1, w.bias, row)
		}
		if w.qNorm != nil {
			c.normHeads(w, row, row, nil)
		}
		kernel.Rotate(row[:qd+kd], s.cos[int(r.Pos)*half:(int(r.Pos)+1)*half], s.sin[int(r.Pos)*half:(int(r.Pos)+1)*half], c.HeadWidth, 1)
		copy(s.kvNow[int(r.Node)*2*kd:(int(r.Node)+1)*2*kd], row[qd:])
	}
}

func sessionNormMiddle(s *Session, lo, hi int) {
	sessionAdd(s, lo, hi)
	c := s.f.Config.Width
	kernel.RMSNorm(s.n[lo*c:hi*c], s.x[lo*c:hi*c], s.now.norm2, nil, c, s.f.Config.NormEps)
}

func sessionActivate(s *Session, lo, hi int) {
	f := s.f.Config.Hidden
	for i := lo; i < hi; i++ {
		kernel.SwiGLU(s.h[i*f:(i+1)*f], s.gu[i*2*f:(i+1)*2*f])
	}
}

func sessionAdd(s *Session, lo, hi int) {
	c := s.f.Config.Width
	kernel.Axpy(1, s.n[lo*c:hi*c], s.x[lo*c:hi*c])
}

// Logits computes the logits of what follows each of the given nodes, which earlier Runs filled, into dst (nodes,V).
func (s *Session) Logits(nodes []int32, dst []float32) {
	c := s.f.Config
	s.grow(len(nodes))
	for i, n := range nodes {
		copy(s.n[i*c.Width:(i+1)*c.Width], s.hidden[int(n)*c.Width:(int(n)+1)*c.Width])
	}
	s.head.mul(s.pool, len(nodes), s.n, dst, c.Vocab)
}

// LogZ writes the log of the softmax's denominator of each row of logits (rows,V).
func (s *Session) LogZ(logits []float32, dst []float64) {
	s.logits, s.logZ = logits, dst
	s.pool.For(len(dst), s.logZTask)
}

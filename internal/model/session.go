package model

import (
	"fmt"
	"math"

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
		s.weights = append(s.weights, sessionLayer{newProjection(pack, l.qkv...), newProjection(pack, l.outM...),
			newProjection(pack, l.gateUp...), newProjection(pack, l.downM...)})
	}
	s.hidden = make([]float32, opt.Nodes*c.Width)
	s.head = newProjection(pack, f.head)
	s.cos, s.sin = c.rope(min(c.Context, opt.Nodes)) // a path is no longer than the arena
	return s
}

// Close stops the session's threads.
func (s *Session) Close() { s.pool.Close() }

// Nodes returns the size of the arena.
func (s *Session) Nodes() int { return s.nodes }

// Context returns the longest sequence in tokens that model and arena hold.
func (s *Session) Context() int { return min(s.f.Config.Context, s.nodes) }

// Vocab returns V.
func (s *Session) Vocab() int { return s.f.Config.Vocab }

// Begin and End bracket a search: in between, idle threads stay awake.
func (s *Session) Begin() { s.pool.Begin() }

// End closes what Begin opened.
func (s *Session) End() { s.pool.End() }

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

// Run computes keys, values and hidden states of rows.
func (s *Session) Run(rows []Row) error {
	if err := s.check(rows); err != nil {
		return err
	}
	s.grow(len(rows))
	c := s.f.Config
	for i, r := range rows {
		s.f.embed.Row(s.x[i*c.Width:(i+1)*c.Width], int(r.Token))
	}
	for l := range s.weights {
		s.layer(l, rows)
	}
	for i, r := range rows {
		kernel.RMSNorm(s.hidden[int(r.Node)*c.Width:(int(r.Node)+1)*c.Width], s.x[i*c.Width:(i+1)*c.Width], s.f.norm, nil, c.Width, c.NormEps)
	}
	return nil
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

func (s *Session) layer(l int, rows []Row) {
	c, w, p, t := s.f.Config, &s.f.layers[l].layer, &s.weights[l], len(rows)
	qd, kd := c.Heads*c.HeadWidth, c.KVHeads*c.HeadWidth
	stride := qd + 2*kd
	x, n := s.x[:t*c.Width], s.n[:t*c.Width]
	kernel.RMSNorm(n, x, w.norm1, nil, c.Width, c.NormEps)
	p.qkv.mul(s.pool, t, n, s.qkv, stride)
	half := c.HeadWidth / 2
	for i, r := range rows {
		row := s.qkv[i*stride : (i+1)*stride]
		if w.bias != nil {
			kernel.Axpy(1, w.bias, row)
		}
		if w.qNorm != nil {
			c.normHeads(w, row, row, nil)
		}
		kernel.Rotate(row[:qd+kd], s.cos[int(r.Pos)*half:(int(r.Pos)+1)*half], s.sin[int(r.Pos)*half:(int(r.Pos)+1)*half], c.HeadWidth, 1)
		copy(s.kv[l][int(r.Node)*2*kd:(int(r.Node)+1)*2*kd], row[qd:])
	}
	s.pool.For((t+7)/8, func(b int) {
		for i := b * 8; i < min(b*8+8, t); i++ {
			s.attend(l, i, &rows[i])
		}
	})
	p.out.mul(s.pool, t, s.y, n, c.Width)
	kernel.Axpy(1, n, x)
	kernel.RMSNorm(n, x, w.norm2, nil, c.Width, c.NormEps)
	p.gateUp.mul(s.pool, t, n, s.gu, 2*c.Hidden)
	s.pool.For((t+7)/8, func(b int) {
		for i := b * 8; i < min(b*8+8, t); i++ {
			kernel.SwiGLU(s.h[i*c.Hidden:(i+1)*c.Hidden], s.gu[i*2*c.Hidden:(i+1)*2*c.Hidden])
		}
	})
	p.down.mul(s.pool, t, s.h, n, c.Width)
	kernel.Axpy(1, n, x)
}

// maxStackPath is the longest path whose attention weights fit on the stack.
const maxStackPath = 512

// attend computes the attention of one row over its path and itself.
func (s *Session) attend(l, i int, r *Row) {
	c := s.f.Config
	d, kd := c.HeadWidth, c.KVHeads*c.HeadWidth
	stride := (c.Heads + 2*c.KVHeads) * d
	scale := float32(1 / math.Sqrt(float64(d)))
	var stack [maxStackPath]float32
	path := r.Path
	if w := c.window(l); w > 0 {
		path = path[max(0, len(path)-(w-1)):]
	}
	p := stack[:0]
	if len(path)+1 > maxStackPath {
		p = make([]float32, 0, len(path)+1)
	}
	p = p[:len(path)+1]
	kv := s.kv[l]
	for h := range c.Heads {
		g := h * c.KVHeads / c.Heads * d
		q := s.qkv[i*stride+h*d : i*stride+(h+1)*d]
		for j, node := range path {
			p[j] = scale * kernel.Dot(q, kv[int(node)*2*kd+g:])
		}
		p[len(path)] = scale * kernel.Dot(q, kv[int(r.Node)*2*kd+g:])
		kernel.Softmax(p)
		y := s.y[(i*c.Heads+h)*d : (i*c.Heads+h+1)*d]
		clear(y)
		for j, node := range path {
			kernel.Axpy(p[j], kv[int(node)*2*kd+kd+g:int(node)*2*kd+kd+g+d], y)
		}
		kernel.Axpy(p[len(path)], kv[int(r.Node)*2*kd+kd+g:int(r.Node)*2*kd+kd+g+d], y)
	}
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
	v := s.f.Config.Vocab
	s.pool.For(len(dst), func(i int) { dst[i] = kernel.LogSumExp(logits[i*v : (i+1)*v]) })
}

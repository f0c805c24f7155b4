package model

import (
	"syncabel/internal/kernel"
)

// A Batch is a number of examples packed behind each other. Attention does not reach over an example's start, and
// positions start again there.
type Batch struct {
	Tokens  []int32 // (T)
	Targets []int32 // (T) the token that follows; -1 where nothing is learnt
	Starts  []int32 // first token of each example, ascending, the first is 0
}

// rowBlock is the number of rows that one task of a row-wise kernel takes. Gradients of norm weights are summed within a
// block and then over blocks in order, so the sum does not depend on the number of threads.
const rowBlock = 64

// acts keeps what the backward pass needs of one layer.
type acts struct {
	x    []float32 // (T,C) input of the block
	inv1 []float32 // (T)
	n1   []float32 // (T,C) normalised
	qkv  []float32 // (T,(H+2KV)*D) after rotation
	y    []float32 // (T,H*D) attention output
	xm   []float32 // (T,C) after attention
	inv2 []float32 // (T)
	n2   []float32 // (T,C)
	gu   []float32 // (T,2F)
	h    []float32 // (T,F)

	heads    []float32 // (T,(H+KV)*D) q and k before their norm, where they have one
	invHeads []float32 // (T,H+KV)
}

// network is the memory and code of one forward and backward pass over a batch.
type network struct {
	m        *Model
	pool     *kernel.Pool
	cos, sin []float32
	layers   []acts
	x        []float32 // (T,C) output of the last block
	inv      []float32
	seg      []int32 // (segments+1)
	pos      []int32 // (T) position in its example
	cap      int

	// recompute keeps only the input of each layer; everything else is one layer's memory, which the backward pass fills again. It is
	// switched on by itself where the activations of a batch would take more than recomputeAbove.
	recompute bool

	now  pass
	f    rowFunc   // of the running pass over rows
	task func(int) // n.rowTask, bound once: a step allocates no closures
}

// A rowFunc works on rows [lo,hi) of what n.now holds.
type rowFunc func(n *network, lo, hi int)

// pass is what the row functions of the running block read.
type pass struct {
	w, dw *layer
	a     *acts
	g     *grads
	next  []float32
	t     int

	sum          sumFunc // of sumRows, and where it adds to
	to           []float32
	x, norm, inv []float32 // of the norm whose gradient is taken
	from, heads  int       // of headNormBackward
}

// recomputeAbove is a gibibyte: a model of 10M weights then trains on 16k tokens a step in less than two.
const recomputeAbove = 1 << 30

func (n *network) grow(t int) {
	if t <= n.cap {
		return
	}
	c := n.m.Config
	qd, kd := c.Heads*c.HeadWidth, c.KVHeads*c.HeadWidth
	n.cap = t
	if row := 4*c.Width + 2*qd + 2*kd + 3*c.Hidden; 4*t*c.Layers > recomputeAbove/row {
		n.recompute = true
	}
	n.layers = make([]acts, c.Layers)
	f := func(k int) []float32 { return make([]float32, t*k) }
	for i := range n.layers {
		if i > 0 && n.recompute {
			n.layers[i] = n.layers[0]
			n.layers[i].x = f(c.Width)
			continue
		}
		n.layers[i] = acts{x: f(c.Width), inv1: f(1), n1: f(c.Width), qkv: f(qd + 2*kd), y: f(qd), xm: f(c.Width), inv2: f(1), n2: f(c.Width),
			gu: f(2 * c.Hidden), h: f(c.Hidden)}
		if c.qkNorm() {
			n.layers[i].heads, n.layers[i].invHeads = f(qd+kd), f(c.Heads+c.KVHeads)
		}
	}
	n.x, n.inv = f(c.Width), f(1)
	n.cos, n.sin = c.rope(t)
}

// forward fills the activations of a batch and leaves the last residual stream in n.x.
func (n *network) forward(b *Batch) {
	m, t := n.m, len(b.Tokens)
	c := m.Config
	n.grow(t)
	n.seg = append(append(n.seg[:0], b.Starts...), int32(t))
	n.pos = n.pos[:0]
	for s := range b.Starts {
		for i := n.seg[s]; i < n.seg[s+1]; i++ {
			n.pos = append(n.pos, i-n.seg[s])
		}
	}
	x := n.layers[0].x
	for i, tok := range b.Tokens {
		copy(x[i*c.Width:(i+1)*c.Width], m.embed[int(tok)*c.Width:])
	}
	for l := range n.layers {
		n.block(&m.layers[l], &n.layers[l], n.after(l), t, c.window(l))
	}
}

// after returns where the output of layer l goes.
func (n *network) after(l int) []float32 {
	if l+1 < len(n.layers) {
		return n.layers[l+1].x
	}
	return n.x
}

// block runs one layer: x -> xm = x + attention(norm(x)) -> next = xm + mlp(norm(xm)).
func (n *network) block(w *layer, a *acts, next []float32, t, window int) {
	c := n.m.Config
	qd, kd := c.Heads*c.HeadWidth, c.KVHeads*c.HeadWidth
	qkvd := qd + 2*kd
	n.now = pass{w: w, a: a, next: next, t: t}
	n.rows(normIn)
	kernel.Gemm(n.pool, kernel.NT, false, t, qkvd, c.Width, a.n1, c.Width, w.qkv, c.Width, a.qkv, qkvd)
	n.rows(headsIn)
	n.attention(window).Forward(n.pool, a.y, a.qkv, n.seg)
	kernel.Gemm(n.pool, kernel.NT, true, t, c.Width, qd, a.y, qd, w.out, qd, a.xm, c.Width)
	n.rows(normMiddle)
	kernel.Gemm(n.pool, kernel.NT, false, t, 2*c.Hidden, c.Width, a.n2, c.Width, w.gateUp, c.Width, a.gu, 2*c.Hidden)
	n.rows(activate)
	kernel.Gemm(n.pool, kernel.NT, true, t, c.Width, c.Hidden, a.h, c.Hidden, w.down, c.Hidden, next, c.Width)
}

// normIn normalises the input of a block, and starts xm with it.
func normIn(n *network, lo, hi int) {
	c, a := n.m.Config.Width, n.now.a
	kernel.RMSNorm(a.n1[lo*c:hi*c], a.x[lo*c:hi*c], n.now.w.norm1, a.inv1[lo:hi], c, n.m.Config.NormEps)
	copy(a.xm[lo*c:hi*c], a.x[lo*c:hi*c])
}

// normMiddle normalises what attention has added to, and starts the block's output with it.
func normMiddle(n *network, lo, hi int) {
	c, a := n.m.Config.Width, n.now.a
	kernel.RMSNorm(a.n2[lo*c:hi*c], a.xm[lo*c:hi*c], n.now.w.norm2, a.inv2[lo:hi], c, n.m.Config.NormEps)
	copy(n.now.next[lo*c:hi*c], a.xm[lo*c:hi*c])
}

func activate(n *network, lo, hi int) {
	f, a := n.m.Config.Hidden, n.now.a
	for i := lo; i < hi; i++ {
		kernel.SwiGLU(a.h[i*f:(i+1)*f], a.gu[i*2*f:(i+1)*2*f])
	}
}

// rows runs f over blocks of the batch's rows.
func (n *network) rows(f rowFunc) {
	if n.task == nil {
		n.task = func(i int) { n.f(n, i*rowBlock, min((i+1)*rowBlock, n.now.t)) }
	}
	n.f = f
	n.pool.For((n.now.t+rowBlock-1)/rowBlock, n.task)
}

func (n *network) attention(window int) kernel.Attention {
	c := n.m.Config
	return kernel.Attention{Heads: c.Heads, KVHeads: c.KVHeads, Width: c.HeadWidth, Window: window}
}

// headsIn adds the biases of q, k, v and normalises the heads of q and k, where the family has these, and turns q and k to
// their positions.
func headsIn(n *network, lo, hi int) {
	c, w, a := &n.m.Config, n.now.w, n.now.a
	qk, qkvd := (c.Heads+c.KVHeads)*c.HeadWidth, (c.Heads+2*c.KVHeads)*c.HeadWidth
	for i := lo; i < hi; i++ {
		row := a.qkv[i*qkvd : (i+1)*qkvd]
		if w.bias != nil {
			kernel.Axpy(1, w.bias, row)
		}
		if w.qNorm != nil {
			copy(a.heads[i*qk:(i+1)*qk], row)
			c.normHeads(w, row, a.heads[i*qk:(i+1)*qk], a.invHeads[i*(c.Heads+c.KVHeads):(i+1)*(c.Heads+c.KVHeads)])
		}
		n.rotate(row, i, 1)
	}
}

// normHeads normalises every head of q and k of one row from src into dst; inv (H+KV) may be nil.
func (c *Config) normHeads(w *layer, dst, src, inv []float32) {
	q, k := c.Heads*c.HeadWidth, (c.Heads+c.KVHeads)*c.HeadWidth
	var invQ, invK []float32
	if inv != nil {
		invQ, invK = inv[:c.Heads], inv[c.Heads:]
	}
	kernel.RMSNorm(dst[:q], src[:q], w.qNorm, invQ, c.HeadWidth, c.NormEps)
	kernel.RMSNorm(dst[q:k], src[q:k], w.kNorm, invK, c.HeadWidth, c.NormEps)
}

// rotate turns the q and k parts of row i of qkv to its position, or back.
func (n *network) rotate(row []float32, i int, sign float32) {
	c := &n.m.Config
	half := c.HeadWidth / 2
	p := int(n.pos[i])
	kernel.Rotate(row[:(c.Heads+c.KVHeads)*c.HeadWidth], n.cos[p*half:(p+1)*half], n.sin[p*half:(p+1)*half], c.HeadWidth, sign)
}

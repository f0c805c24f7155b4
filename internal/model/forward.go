package model

import (
	"math"

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
	cap      int

	// recompute keeps only the input of each layer; everything else is one layer's memory, which the backward pass fills again.
	recompute bool
}

func (n *network) grow(t int) {
	if t <= n.cap {
		return
	}
	c := n.m.Config
	qd, kd := c.Heads*c.HeadWidth, c.KVHeads*c.HeadWidth
	n.cap = t
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
	n.cos, n.sin = c.rope(max(c.Context, t))
}

// forward fills the activations of a batch and leaves the last residual stream in n.x.
func (n *network) forward(b *Batch) {
	m, t := n.m, len(b.Tokens)
	c := m.Config
	n.grow(t)
	n.seg = append(append(n.seg[:0], b.Starts...), int32(t))
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
	n.rows(t, func(lo, hi int) {
		kernel.RMSNorm(a.n1[lo*c.Width:hi*c.Width], a.x[lo*c.Width:hi*c.Width], w.norm1, a.inv1[lo:hi], c.Width, c.NormEps)
	})
	kernel.Gemm(n.pool, kernel.NT, false, t, qkvd, c.Width, a.n1, c.Width, w.qkv, c.Width, a.qkv, qkvd)
	n.heads(w, a, t)
	n.segments(func(lo, hi int) {
		n.rotate(a.qkv, lo, hi, 1)
		n.attend(a, lo, hi, window)
	})
	kernel.Gemm(n.pool, kernel.NT, false, t, c.Width, qd, a.y, qd, w.out, qd, a.xm, c.Width)
	n.rows(t, func(lo, hi int) {
		s := a.xm[lo*c.Width : hi*c.Width]
		kernel.Axpy(1, a.x[lo*c.Width:hi*c.Width], s)
		kernel.RMSNorm(a.n2[lo*c.Width:hi*c.Width], s, w.norm2, a.inv2[lo:hi], c.Width, c.NormEps)
	})
	kernel.Gemm(n.pool, kernel.NT, false, t, 2*c.Hidden, c.Width, a.n2, c.Width, w.gateUp, c.Width, a.gu, 2*c.Hidden)
	n.rows(t, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			kernel.SwiGLU(a.h[i*c.Hidden:(i+1)*c.Hidden], a.gu[i*2*c.Hidden:(i+1)*2*c.Hidden])
		}
	})
	kernel.Gemm(n.pool, kernel.NT, false, t, c.Width, c.Hidden, a.h, c.Hidden, w.down, c.Hidden, next, c.Width)
	n.rows(t, func(lo, hi int) { kernel.Axpy(1, a.xm[lo*c.Width:hi*c.Width], next[lo*c.Width:hi*c.Width]) })
}

// rows runs f over blocks of rows.
func (n *network) rows(t int, f func(lo, hi int)) {
	n.pool.For((t+rowBlock-1)/rowBlock, func(i int) { f(i*rowBlock, min((i+1)*rowBlock, t)) })
}

// segments runs f over the examples of the batch.
func (n *network) segments(f func(lo, hi int)) {
	n.pool.For(len(n.seg)-1, func(i int) { f(int(n.seg[i]), int(n.seg[i+1])) })
}

// heads adds the biases of q, k, v and normalises the heads of q and k, where the family has these.
func (n *network) heads(w *layer, a *acts, t int) {
	c := n.m.Config
	qk, qkvd := (c.Heads+c.KVHeads)*c.HeadWidth, (c.Heads+2*c.KVHeads)*c.HeadWidth
	if w.bias == nil && w.qNorm == nil {
		return
	}
	n.rows(t, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			row := a.qkv[i*qkvd : (i+1)*qkvd]
			if w.bias != nil {
				kernel.Axpy(1, w.bias, row)
			}
			if w.qNorm != nil {
				copy(a.heads[i*qk:(i+1)*qk], row)
				c.normHeads(w, row, a.heads[i*qk:(i+1)*qk], a.invHeads[i*(c.Heads+c.KVHeads):(i+1)*(c.Heads+c.KVHeads)])
			}
		}
	})
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

// rotate turns the q and k parts of rows [lo,hi) of qkv to their positions.
func (n *network) rotate(qkv []float32, lo, hi int, sign float32) {
	c := n.m.Config
	half := c.HeadWidth / 2
	qk, stride := (c.Heads+c.KVHeads)*c.HeadWidth, (c.Heads+2*c.KVHeads)*c.HeadWidth
	for i := lo; i < hi; i++ {
		p := i - lo
		kernel.Rotate(qkv[i*stride:i*stride+qk], n.cos[p*half:(p+1)*half], n.sin[p*half:(p+1)*half], c.HeadWidth, sign)
	}
}

// attend computes causal attention of one example:
//
//	y[i,h] = sum over j <= i of softmax(q[i,h]·k[j,g]/sqrt(D)) v[j,g],   g = h*KV/H
//
// With a window, j > i-window as well.
func (n *network) attend(a *acts, lo, hi, window int) {
	c := n.m.Config
	d, stride := c.HeadWidth, (c.Heads+2*c.KVHeads)*c.HeadWidth
	scale := float32(1 / math.Sqrt(float64(d)))
	p := make([]float32, hi-lo)
	for h := range c.Heads {
		k, v := n.kvOffsets(h)
		for i := lo; i < hi; i++ {
			q := a.qkv[i*stride+h*d : i*stride+(h+1)*d]
			first := firstInWindow(lo, i, window)
			probs := p[:i-first+1]
			for j := range probs {
				probs[j] = scale * kernel.Dot(q, a.qkv[(first+j)*stride+k:])
			}
			kernel.Softmax(probs)
			y := a.y[(i*c.Heads+h)*d : (i*c.Heads+h+1)*d]
			clear(y)
			for j, w := range probs {
				kernel.Axpy(w, a.qkv[(first+j)*stride+v:(first+j)*stride+v+d], y)
			}
		}
	}
}

// firstInWindow returns the first row that row i attends to in an example that starts at row lo.
func firstInWindow(lo, i, window int) int {
	if window == 0 {
		return lo
	}
	return max(lo, i-window+1)
}

// kvOffsets returns where the key and value of head h stand inside a row of qkv.
func (n *network) kvOffsets(h int) (k, v int) {
	c := n.m.Config
	g := h * c.KVHeads / c.Heads
	return (c.Heads + g) * c.HeadWidth, (c.Heads + c.KVHeads + g) * c.HeadWidth
}

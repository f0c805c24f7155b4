package model

import (
	"syncabel/internal/kernel"
)

// grads is the memory of the backward pass.
type grads struct {
	g    *Model    // gradients, shaped like the model
	dx   []float32 // (T,C) gradient of the residual stream
	dn   []float32 // (T,C)
	dqkv []float32 // (T,(H+2KV)*D)
	dy   []float32 // (T,H*D)
	dh   []float32 // (T,F)
	part []float32 // (blocks, max(C,(H+2KV)*D)) partial gradients of a norm weight or a bias
	cap  int
}

func (g *grads) grow(t int) {
	if t <= g.cap {
		return
	}
	c := g.g.Config
	qd, kd := c.Heads*c.HeadWidth, c.KVHeads*c.HeadWidth
	f := func(k int) []float32 { return make([]float32, t*k) }
	g.dx, g.dn, g.dqkv, g.dy, g.dh = f(c.Width), f(c.Width), f(qd+2*kd), f(qd), f(c.Hidden)
	g.part = make([]float32, (t+rowBlock-1)/rowBlock*max(c.Width, qd+2*kd))
	g.cap = t
}

// backward takes the gradient of the last residual stream in g.dx and adds every weight's gradient to g.g.
func (n *network) backward(g *grads, b *Batch) {
	c := n.m.Config
	for l := len(n.layers) - 1; l >= 0; l-- {
		if n.recompute && l < len(n.layers)-1 { // the last layer's memory is as the forward pass left it
			n.block(&n.m.layers[l], &n.layers[l], n.after(l), len(b.Tokens), c.window(l))
		}
		n.blockBackward(&n.m.layers[l], &g.g.layers[l], &n.layers[l], g, len(b.Tokens), c.window(l))
	}
	for i, tok := range b.Tokens {
		kernel.Axpy(1, g.dx[i*c.Width:(i+1)*c.Width], g.g.embed[int(tok)*c.Width:(int(tok)+1)*c.Width])
	}
}

func (n *network) blockBackward(w, dw *layer, a *acts, g *grads, t, window int) {
	c := n.m.Config
	qd := c.Heads * c.HeadWidth
	qkvd := qd + 2*c.KVHeads*c.HeadWidth
	n.now = pass{w: w, dw: dw, a: a, g: g, t: t}
	// mlp: dx is the gradient of next, and also goes past the block
	kernel.Gemm(n.pool, kernel.TN, true, c.Width, c.Hidden, t, g.dx, c.Width, a.h, c.Hidden, dw.down, c.Hidden)
	kernel.Gemm(n.pool, kernel.NN, false, t, c.Hidden, c.Width, g.dx, c.Width, w.down, c.Hidden, g.dh, c.Hidden)
	n.rows(activateBackward)
	kernel.Gemm(n.pool, kernel.TN, true, 2*c.Hidden, c.Width, t, a.gu, 2*c.Hidden, a.n2, c.Width, dw.gateUp, c.Width)
	kernel.Gemm(n.pool, kernel.NN, false, t, c.Width, 2*c.Hidden, a.gu, 2*c.Hidden, w.gateUp, c.Width, g.dn, c.Width)
	n.normBackward(a.xm, w.norm2, dw.norm2, a.inv2)
	// attention
	kernel.Gemm(n.pool, kernel.TN, true, c.Width, qd, t, g.dx, c.Width, a.y, qd, dw.out, qd)
	kernel.Gemm(n.pool, kernel.NN, false, t, qd, c.Width, g.dx, c.Width, w.out, qd, g.dy, qd)
	n.attention(window).Backward(n.pool, g.dqkv, g.dy, a.qkv, n.seg)
	n.rows(rotateBackward)
	n.headsBackward()
	kernel.Gemm(n.pool, kernel.TN, true, qkvd, c.Width, t, g.dqkv, qkvd, a.n1, c.Width, dw.qkv, c.Width)
	kernel.Gemm(n.pool, kernel.NN, false, t, c.Width, qkvd, g.dqkv, qkvd, w.qkv, c.Width, g.dn, c.Width)
	n.normBackward(a.x, w.norm1, dw.norm1, a.inv1)
}

func activateBackward(n *network, lo, hi int) {
	f, a, g := n.m.Config.Hidden, n.now.a, n.now.g
	for i := lo; i < hi; i++ {
		kernel.SwiGLUBackward(a.gu[i*2*f:(i+1)*2*f], g.dh[i*f:(i+1)*f])
	}
}

func rotateBackward(n *network, lo, hi int) {
	c := &n.m.Config
	stride := (c.Heads + 2*c.KVHeads) * c.HeadWidth
	for i := lo; i < hi; i++ {
		n.rotate(n.now.g.dqkv[i*stride:(i+1)*stride], i, -1)
	}
}

// normBackward adds the gradient g.dn through a norm of x to g.dx and to the norm's weight.
func (n *network) normBackward(x, w, dw, inv []float32) {
	n.now.x, n.now.norm, n.now.inv = x, w, inv
	n.sumRows(dw, func(n *network, part []float32, lo, hi int) {
		c, p, g := n.m.Config.Width, &n.now, n.now.g
		kernel.RMSNormBackward(g.dx[lo*c:hi*c], part, g.dn[lo*c:hi*c], p.x[lo*c:hi*c], p.norm, p.inv[lo:hi], c)
	})
}

// A sumFunc adds to part what rows [lo,hi) contribute to the gradient of a vector. It captures nothing.
type sumFunc func(n *network, part []float32, lo, hi int)

// sumRows adds to dw what f adds to a zeroed part for each block of rows, in the order of blocks.
func (n *network) sumRows(dw []float32, f sumFunc) {
	n.now.sum, n.now.to = f, dw
	n.rows(func(n *network, lo, hi int) {
		c := len(n.now.to)
		part := n.now.g.part[lo/rowBlock*c : (lo/rowBlock+1)*c]
		clear(part)
		n.now.sum(n, part, lo, hi)
	})
	c := len(dw)
	for i := 0; i*rowBlock < n.now.t; i++ {
		kernel.Axpy(1, n.now.g.part[i*c:(i+1)*c], dw)
	}
}

// headsBackward takes g.dqkv back through the norms of q and k and sums the gradient of the biases.
func (n *network) headsBackward() {
	c, w, dw := &n.m.Config, n.now.w, n.now.dw
	if w.qNorm != nil {
		n.headNormBackward(dw.qNorm, w.qNorm, 0, c.Heads)
		n.headNormBackward(dw.kNorm, w.kNorm, c.Heads, c.KVHeads)
	}
	if w.bias != nil {
		n.sumRows(dw.bias, func(n *network, part []float32, lo, hi int) {
			k := len(part)
			for i := lo; i < hi; i++ {
				kernel.Axpy(1, n.now.g.dqkv[i*k:(i+1)*k], part)
			}
		})
	}
}

// headNormBackward replaces the gradient of some heads of a row, heads from the from-th on, by that before their norm.
func (n *network) headNormBackward(dw, w []float32, from, heads int) {
	n.now.norm, n.now.from, n.now.heads = w, from, heads
	n.sumRows(dw, func(n *network, part []float32, lo, hi int) {
		c, p, a, g := &n.m.Config, &n.now, n.now.a, n.now.g
		d, all, stride := c.HeadWidth, c.Heads+c.KVHeads, (c.Heads+2*c.KVHeads)*c.HeadWidth
		to := p.from + p.heads
		for i := lo; i < hi; i++ {
			dy := g.dy[i*c.Heads*d : (i*c.Heads+p.heads)*d] // no longer needed
			dx := g.dqkv[i*stride+p.from*d : i*stride+to*d]
			copy(dy, dx)
			clear(dx)
			kernel.RMSNormBackward(dx, part, dy, a.heads[(i*all+p.from)*d:(i*all+to)*d], p.norm, a.invHeads[i*all+p.from:i*all+to], d)
		}
	})
}

package model

import (
	"math"

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
	// mlp: dx is the gradient of next, and also goes past the block
	kernel.Gemm(n.pool, kernel.TN, true, c.Width, c.Hidden, t, g.dx, c.Width, a.h, c.Hidden, dw.down, c.Hidden)
	kernel.Gemm(n.pool, kernel.NN, false, t, c.Hidden, c.Width, g.dx, c.Width, w.down, c.Hidden, g.dh, c.Hidden)
	n.rows(t, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			kernel.SwiGLUBackward(a.gu[i*2*c.Hidden:(i+1)*2*c.Hidden], g.dh[i*c.Hidden:(i+1)*c.Hidden])
		}
	})
	kernel.Gemm(n.pool, kernel.TN, true, 2*c.Hidden, c.Width, t, a.gu, 2*c.Hidden, a.n2, c.Width, dw.gateUp, c.Width)
	kernel.Gemm(n.pool, kernel.NN, false, t, c.Width, 2*c.Hidden, a.gu, 2*c.Hidden, w.gateUp, c.Width, g.dn, c.Width)
	n.normBackward(g, g.dn, a.xm, w.norm2, dw.norm2, a.inv2, t)
	// attention
	kernel.Gemm(n.pool, kernel.TN, true, c.Width, qd, t, g.dx, c.Width, a.y, qd, dw.out, qd)
	kernel.Gemm(n.pool, kernel.NN, false, t, qd, c.Width, g.dx, c.Width, w.out, qd, g.dy, qd)
	n.segments(func(lo, hi int) {
		n.attendBackward(a, g, lo, hi, window)
		n.rotate(g.dqkv, lo, hi, -1)
	})
	n.headsBackward(w, dw, a, g, t)
	kernel.Gemm(n.pool, kernel.TN, true, qkvd, c.Width, t, g.dqkv, qkvd, a.n1, c.Width, dw.qkv, c.Width)
	kernel.Gemm(n.pool, kernel.NN, false, t, c.Width, qkvd, g.dqkv, qkvd, w.qkv, c.Width, g.dn, c.Width)
	n.normBackward(g, g.dn, a.x, w.norm1, dw.norm1, a.inv1, t)
}

// normBackward adds the gradient through a norm to g.dx and to the norm's weight.
func (n *network) normBackward(g *grads, dy, x, w, dw, inv []float32, t int) {
	c := n.m.Config.Width
	n.sumRows(g, dw, t, func(part []float32, lo, hi int) {
		kernel.RMSNormBackward(g.dx[lo*c:hi*c], part, dy[lo*c:hi*c], x[lo*c:hi*c], w, inv[lo:hi], c)
	})
}

// sumRows adds to dw what f adds to a zeroed part for each block of rows, in the order of blocks.
func (n *network) sumRows(g *grads, dw []float32, t int, f func(part []float32, lo, hi int)) {
	c := len(dw)
	n.rows(t, func(lo, hi int) {
		part := g.part[lo/rowBlock*c : (lo/rowBlock+1)*c]
		clear(part)
		f(part, lo, hi)
	})
	for i := 0; i*rowBlock < t; i++ {
		kernel.Axpy(1, g.part[i*c:(i+1)*c], dw)
	}
}

// headsBackward takes g.dqkv back through the norms of q and k and sums the gradient of the biases.
func (n *network) headsBackward(w, dw *layer, a *acts, g *grads, t int) {
	c := n.m.Config
	if w.qNorm != nil {
		n.headNormBackward(g, dw.qNorm, w.qNorm, a, t, 0, c.Heads)
		n.headNormBackward(g, dw.kNorm, w.kNorm, a, t, c.Heads, c.Heads+c.KVHeads)
	}
	if w.bias != nil {
		k := len(w.bias)
		n.sumRows(g, dw.bias, t, func(part []float32, lo, hi int) {
			for i := lo; i < hi; i++ {
				kernel.Axpy(1, g.dqkv[i*k:(i+1)*k], part)
			}
		})
	}
}

// headNormBackward replaces the gradient of heads [from,to) of a row by that before their norm.
func (n *network) headNormBackward(g *grads, dw, w []float32, a *acts, t, from, to int) {
	c := n.m.Config
	d, all, stride := c.HeadWidth, c.Heads+c.KVHeads, (c.Heads+2*c.KVHeads)*c.HeadWidth
	n.sumRows(g, dw, t, func(part []float32, lo, hi int) {
		for i := lo; i < hi; i++ {
			dy := g.dy[i*c.Heads*d : (i*c.Heads+to-from)*d] // no longer needed
			dx := g.dqkv[i*stride+from*d : i*stride+to*d]
			copy(dy, dx)
			clear(dx)
			kernel.RMSNormBackward(dx, part, dy, a.heads[(i*all+from)*d:(i*all+to)*d], w, a.invHeads[i*all+from:i*all+to], d)
		}
	})
}

// attendBackward computes dqkv of one example from dy. Probabilities are computed again: examples are short, and keeping
// T*T floats a head would cost more memory than time.
func (n *network) attendBackward(a *acts, g *grads, lo, hi, window int) {
	c := n.m.Config
	d, stride := c.HeadWidth, (c.Heads+2*c.KVHeads)*c.HeadWidth
	scale := float32(1 / math.Sqrt(float64(d)))
	clear(g.dqkv[lo*stride : hi*stride])
	buf := make([]float32, 2*(hi-lo))
	for h := range c.Heads {
		k, v := n.kvOffsets(h)
		for i := lo; i < hi; i++ {
			first := firstInWindow(lo, i, window)
			p, dp := buf[:i-first+1], buf[hi-lo:hi-lo+i-first+1]
			q := a.qkv[i*stride+h*d : i*stride+(h+1)*d]
			dy := g.dy[(i*c.Heads+h)*d : (i*c.Heads+h+1)*d]
			for j := range p {
				p[j] = scale * kernel.Dot(q, a.qkv[(first+j)*stride+k:])
			}
			kernel.Softmax(p)
			var sum float32
			for j := range p {
				dp[j] = kernel.Dot(dy, a.qkv[(first+j)*stride+v:])
				sum += p[j] * dp[j]
			}
			dq := g.dqkv[i*stride+h*d : i*stride+(h+1)*d]
			for j, w := range p {
				row := (first + j) * stride
				s := w * (dp[j] - sum) * scale
				kernel.Axpy(w, dy, g.dqkv[row+v:row+v+d])
				kernel.Axpy(s, a.qkv[row+k:row+k+d], dq)
				kernel.Axpy(s, q, g.dqkv[row+k:row+k+d])
			}
		}
	}
}

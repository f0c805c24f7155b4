package model

import "syncabel/internal/kernel"

// backward runs the layers backwards from act.dx, the gradient of the last layer's output, and adds to grad.
func (s *pass) backward() {
	for l := len(s.m.layers) - 1; l >= 0; l-- {
		s.l = l
		s.backwardMLP()
		s.backwardAttention()
	}
	s.dropout(s.act.dx, siteEmbedding)
	c := s.m.Config.HiddenSize
	s.p.For((c+31)/32, s.loop.scatter)
}

// scatterColumns adds the rows of dx to the gradients of their tokens' embeddings, 32 columns of them, in row order.
func (s *pass) scatterColumns(i int) {
	c := s.m.Config.HiddenSize
	lo, hi := i*32, min(i*32+32, c)
	for r, t := range s.tokens {
		dst := s.grad[int(t)*c+lo : int(t)*c+hi]
		for j, v := range s.act.dx[r*c+lo : r*c+hi] {
			dst[j] += v
		}
	}
}

// sublayerGradient returns the gradient of what a sublayer added: dx itself, or a masked copy when dropout is on.
func (s *pass) sublayerGradient(site int) []float32 {
	if !s.drop.on() {
		return s.act.dx
	}
	n := s.n * s.m.Config.HiddenSize
	copy(s.act.added[:n], s.act.dx[:n])
	s.dropout(s.act.added, site)
	return s.act.added
}

// backwardMLP takes dx from the layer's output to xm.
func (s *pass) backwardMLP() {
	cfg, y, w := s.m.Config, &s.act.layers[s.l], &s.m.layers[s.l]
	c, f := cfg.HiddenSize, cfg.IntermediateSize
	s.linearBack(s.act.dh, s.sublayerGradient(siteMLP), y.h, w.at.down, c, f)
	s.p.For(blocks(s.n), s.loop.swigluBack) // gu becomes its gradient
	s.linearBack(s.act.dn, y.gu, y.n2, w.at.gateUp, 2*f, c)
	s.normBack(s.act.dx, s.act.dn, y.xm, w.norm2, y.inv2, w.at.norm2, c)
}

func (s *pass) swigluBackRows(i int) {
	lo, hi := s.block(i)
	y, f := &s.act.layers[s.l], s.m.Config.IntermediateSize
	for r := lo; r < hi; r++ {
		kernel.SwiGLUBackward(y.gu[r*2*f:(r+1)*2*f], s.act.dh[r*f:(r+1)*f])
	}
}

// backwardAttention takes dx from xm to the layer's input.
func (s *pass) backwardAttention() {
	cfg, y, w := s.m.Config, &s.act.layers[s.l], &s.m.layers[s.l]
	c, width, at := cfg.HiddenSize, w.at.qkvRows, w.at
	g := s.sublayerGradient(siteAttention)
	if at.oBias >= 0 {
		s.biasGradient(s.gradient(at.oBias, c), g)
	}
	s.linearBack(s.act.dy, g, y.y, at.o, c, cfg.NumAttentionHeads*cfg.headDim())
	s.attn.qkv, s.attn.y, s.attn.window = y.qkv, y.y, w.window
	clear(s.act.dqkv[:s.n*width])
	s.p.For(len(s.attn.starts)*s.attn.kv, s.loop.attendBack)
	s.p.For(blocks(s.n), s.loop.rotateBack)
	if cfg.qkNorm() {
		s.qkNormBack()
	}
	if at.qkvBias >= 0 {
		s.biasGradient(s.gradient(at.qkvBias, width), s.act.dqkv)
	}
	s.linearBack(s.act.dn, s.act.dqkv, y.n1, at.qkv, width, c)
	s.normBack(s.act.dx, s.act.dn, y.x, w.norm1, y.inv1, at.norm1, c)
}

func (s *pass) rotateBackRows(i int) {
	lo, hi := s.block(i)
	cfg := s.m.Config
	d := cfg.headDim()
	width, turned := (cfg.NumAttentionHeads+2*cfg.kvHeads())*d, (cfg.NumAttentionHeads+cfg.kvHeads())*d
	for r := lo; r < hi; r++ {
		cos, sin := s.rope.at(int(s.act.pos[r]))
		kernel.Rotate(s.act.dqkv[r*width:r*width+turned], cos, sin, d, -1)
	}
}

// qkNormBack takes the gradient of q and k to before their norms. The weights' gradients are summed by row block.
func (s *pass) qkNormBack() {
	d := s.m.Config.headDim()
	nb := blocks(s.n)
	clear(s.act.partial[:nb*2*d])
	s.p.For(nb, s.loop.qkNormBack)
	at := s.m.layers[s.l].at
	for b := range nb {
		kernel.Axpy(1, s.act.partial[b*2*d:b*2*d+d], s.gradient(at.qNorm, d))
		kernel.Axpy(1, s.act.partial[b*2*d+d:(b+1)*2*d], s.gradient(at.kNorm, d))
	}
}

func (s *pass) qkNormBackRows(i int) {
	lo, hi := s.block(i)
	cfg, y, w := s.m.Config, &s.act.layers[s.l], &s.m.layers[s.l]
	d, heads, kv := cfg.headDim(), cfg.NumAttentionHeads, cfg.kvHeads()
	width, turned := (heads+2*kv)*d, (heads+kv)*d
	dq, dk := s.act.partial[i*2*d:i*2*d+d], s.act.partial[i*2*d+d:(i+1)*2*d]
	for r := lo; r < hi; r++ {
		g, raw := s.act.dqkv[r*width:r*width+turned], y.raw[r*turned:(r+1)*turned]
		inv := y.invQK[r*(heads+kv) : (r+1)*(heads+kv)]
		out := y.qkv[r*width : r*width+turned] // q and k are no longer needed: room for the result
		clear(out)
		kernel.RMSNormBackward(out[:heads*d], dq, g[:heads*d], raw[:heads*d], w.qNorm, inv[:heads], d)
		kernel.RMSNormBackward(out[heads*d:], dk, g[heads*d:], raw[heads*d:], w.kNorm, inv[heads:], d)
		copy(g, out)
	}
}

// normBack adds the gradient of RMSNorm to dx and to the gradient of its weight at an offset of the arena.
func (s *pass) normBack(dx, dy, x, w, inv []float32, at, n int) {
	s.normDX, s.normDY, s.normX, s.normW, s.normInv, s.normN = dx, dy, x, w, inv, n
	s.normDW = s.gradient(at, n)
	nb := blocks(s.n)
	clear(s.act.partial[:nb*n])
	s.p.For(nb, s.loop.normBack)
	for b := range nb {
		kernel.Axpy(1, s.act.partial[b*n:(b+1)*n], s.normDW)
	}
}

func (s *pass) normBackRows(i int) {
	lo, hi := s.block(i)
	n := s.normN
	kernel.RMSNormBackward(s.normDX[lo*n:hi*n], s.act.partial[i*n:(i+1)*n], s.normDY[lo*n:hi*n], s.normX[lo*n:hi*n],
		s.normW, s.normInv[lo:hi], n)
}

// biasGradient adds the column sums of dy (T,len(db)) to db, rows in order.
func (s *pass) biasGradient(db, dy []float32) {
	s.normDW, s.normDY = db, dy
	s.p.For((len(db)+63)/64, s.loop.biasBack)
}

func (s *pass) biasColumns(i int) {
	width := len(s.normDW)
	lo, hi := i*64, min(i*64+64, width)
	for r := range s.n {
		kernel.Axpy(1, s.normDY[r*width+lo:r*width+hi], s.normDW[lo:hi])
	}
}

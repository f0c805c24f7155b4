package model

import (
	"syncabel/internal/kernel"
)

// A pass runs the layers over one micro-batch. Its loops are bound once, when it is made, and read what they work on from
// the fields, because a function value made per call would be garbage per call.
type pass struct {
	m    *Model
	p    *kernel.Pool
	act  activations
	rope *rope
	grad []float32 // gradients, at the arena's offsets; nil in a forward-only pass
	drop dropout
	attn attention
	loop loops

	n      int // rows of the running micro-batch
	l      int // layer that the loops work on
	tokens []int32
	scale  float32 // 1 / targets of the whole step
	chunk  headChunkState

	normX, normW, normY, normInv, normDX, normDY, normDW []float32
	normN                                                int
}

// loops are the bodies of the parallel loops.
type loops struct {
	norm, normBack, rotate, rotateBack, swiglu, swigluBack, attend, attendBack, loss, scatter, bias, biasBack, dropRows, qkNormBack func(int)
}

func newPass(m *Model, p *kernel.Pool) *pass {
	s := &pass{m: m, p: p, rope: newRope(m.Config)}
	s.loop = loops{
		norm: s.normRows, normBack: s.normBackRows, rotate: s.rotateRows, rotateBack: s.rotateBackRows,
		swiglu: s.swigluRows, swigluBack: s.swigluBackRows, attend: s.attn.forward, attendBack: s.attn.backward,
		loss: s.lossRow, scatter: s.scatterColumns, bias: s.biasRows, biasBack: s.biasColumns,
		dropRows: s.dropRows, qkNormBack: s.qkNormBackRows,
	}
	return s
}

// blocks returns the number of row blocks of n rows.
func blocks(n int) int { return (n + rowBlock - 1) / rowBlock }

// block returns the rows [lo,hi) of block i.
func (s *pass) block(i int) (lo, hi int) { return i * rowBlock, min((i+1)*rowBlock, s.n) }

// weight returns the parameters (rows*cols) at an offset of the arena.
func (s *pass) weight(at, n int) []float32 { return s.m.arena.data[at : at+n] }

// gradient returns the gradients at an offset of the arena.
func (s *pass) gradient(at, n int) []float32 { return s.grad[at : at+n] }

// linear computes y = x·Wᵀ, or y += x·Wᵀ, for W (out,in) at an offset of the arena.
func (s *pass) linear(y, x []float32, at, out, in int, accumulate bool) {
	kernel.Gemm(s.p, kernel.NT, accumulate, s.n, out, in, x, in, s.weight(at, out*in), in, y, out)
}

// linearBack computes dx = dy·W and adds dyᵀ·x to the gradient of W.
func (s *pass) linearBack(dx, dy, x []float32, at, out, in int) {
	kernel.Gemm(s.p, kernel.TN, true, out, in, s.n, dy, out, x, in, s.gradient(at, out*in), in)
	kernel.Gemm(s.p, kernel.NN, false, s.n, in, out, dy, out, s.weight(at, out*in), in, dx, in)
}

// setRows prepares positions and attention for the examples of a micro-batch.
func (s *pass) setRows(tokens, starts []int32) {
	s.n, s.tokens = len(tokens), tokens
	longest := 0
	for e, lo := range starts {
		hi := len(tokens)
		if e+1 < len(starts) {
			hi = int(starts[e+1])
		}
		longest = max(longest, hi-int(lo))
		for i := int(lo); i < hi; i++ {
			s.act.pos[i] = int32(i) - lo
		}
	}
	s.rope.grow(longest)
	cfg := s.m.Config
	s.attn = attention{heads: cfg.NumAttentionHeads, kv: cfg.kvHeads(), d: cfg.headDim(), starts: starts, rows: len(tokens),
		scores: s.act.scores, dsc: s.act.dscores, dy: s.act.dy, dqkv: s.act.dqkv}
}

// forward runs the layers over tokens (T) and leaves the residual stream in act.x.
func (s *pass) forward(tokens, starts []int32) {
	s.setRows(tokens, starts)
	c := s.m.Config.HiddenSize
	x := s.act.x
	if len(s.m.layers) > 0 {
		x = s.act.layers[0].x
	}
	for i, t := range tokens {
		copy(x[i*c:(i+1)*c], s.m.embed.F[int(t)*c:])
	}
	s.dropout(x, siteEmbedding)
	for l := range s.m.layers {
		next := s.act.x
		if l+1 < len(s.m.layers) {
			next = s.act.layers[l+1].x
		}
		s.l = l
		s.forwardLayer(next)
	}
}

// forwardLayer computes next = xm + mlp(norm(xm)), xm = x + attention(norm(x)).
func (s *pass) forwardLayer(next []float32) {
	cfg, y, w := s.m.Config, &s.act.layers[s.l], &s.m.layers[s.l]
	c, d, f, at := cfg.HiddenSize, cfg.headDim(), cfg.IntermediateSize, w.at
	s.norm(y.n1, y.x, w.norm1, y.inv1, c)
	s.linear(y.qkv, y.n1, at.qkv, at.qkvRows, c, false)
	s.p.For(blocks(s.n), s.loop.rotate)
	s.attn.qkv, s.attn.y, s.attn.window = y.qkv, y.y, w.window
	s.p.For(len(s.attn.starts)*s.attn.kv, s.loop.attend)
	s.residual(y.xm, y.x, y.y, at.o, cfg.NumAttentionHeads*d, w.oBias, siteAttention)
	s.norm(y.n2, y.xm, w.norm2, y.inv2, c)
	s.linear(y.gu, y.n2, at.gateUp, 2*f, c, false)
	s.p.For(blocks(s.n), s.loop.swiglu)
	s.residual(next, y.xm, y.h, at.down, f, nil, siteMLP)
}

// residual computes out = x + dropout(h·Wᵀ + bias) for W (C,in).
func (s *pass) residual(out, x, h []float32, at, in int, bias []float32, site int) {
	c := s.m.Config.HiddenSize
	n := s.n * c
	if !s.drop.on() {
		copy(out[:n], x[:n])
		s.linear(out, h, at, c, in, true)
		s.addBias(out, bias)
		return
	}
	s.linear(s.act.added, h, at, c, in, false)
	s.addBias(s.act.added, bias)
	s.dropout(s.act.added, site)
	copy(out[:n], x[:n])
	kernel.Axpy(1, s.act.added[:n], out[:n])
}

// norm computes y = RMSNorm(x)*w over rows of n floats.
func (s *pass) norm(y, x, w, inv []float32, n int) {
	s.normY, s.normX, s.normW, s.normInv, s.normN = y, x, w, inv, n
	s.p.For(blocks(s.n), s.loop.norm)
}

func (s *pass) normRows(i int) {
	lo, hi := s.block(i)
	n := s.normN
	kernel.RMSNorm(s.normY[lo*n:hi*n], s.normX[lo*n:hi*n], s.normW, s.normInv[lo:hi], n, float32(s.m.Config.RMSNormEps))
}

// rotateRows adds the biases of q, k, v, applies the norms of query and key heads where the family has them, and turns
// queries and keys by their positions.
func (s *pass) rotateRows(i int) {
	lo, hi := s.block(i)
	cfg, y, w := s.m.Config, &s.act.layers[s.l], &s.m.layers[s.l]
	d := cfg.headDim()
	heads, kv := cfg.NumAttentionHeads, cfg.kvHeads()
	width, turned := (heads+2*kv)*d, (heads+kv)*d
	for r := lo; r < hi; r++ {
		row := y.qkv[r*width : (r+1)*width]
		if len(w.qBias) > 0 {
			kernel.Axpy(1, s.weight(w.at.qkvBias, width), row)
		}
		if cfg.qkNorm() {
			raw := y.raw[r*turned : (r+1)*turned]
			copy(raw, row)
			inv := y.invQK[r*(heads+kv) : (r+1)*(heads+kv)]
			eps := float32(cfg.RMSNormEps)
			kernel.RMSNorm(row[:heads*d], raw[:heads*d], w.qNorm, inv[:heads], d, eps)
			kernel.RMSNorm(row[heads*d:turned], raw[heads*d:], w.kNorm, inv[heads:], d, eps)
		}
		cos, sin := s.rope.at(int(s.act.pos[r]))
		kernel.Rotate(row[:turned], cos, sin, d, 1)
	}
}

func (s *pass) swigluRows(i int) {
	lo, hi := s.block(i)
	y, f := &s.act.layers[s.l], s.m.Config.IntermediateSize
	for r := lo; r < hi; r++ {
		kernel.SwiGLU(y.h[r*f:(r+1)*f], y.gu[r*2*f:(r+1)*2*f])
	}
}

// addBias adds bias (C), if there is one, to the rows of x.
func (s *pass) addBias(x, bias []float32) {
	if len(bias) == 0 {
		return
	}
	s.normY, s.normW = x, bias
	s.p.For(blocks(s.n), s.loop.bias)
}

func (s *pass) biasRows(i int) {
	lo, hi := s.block(i)
	c := len(s.normW)
	for r := lo; r < hi; r++ {
		kernel.Axpy(1, s.normW, s.normY[r*c:(r+1)*c])
	}
}

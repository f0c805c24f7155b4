package model

// activations are what a forward pass over T tokens leaves for the backward pass. They are sized for the largest
// micro-batch seen and reused.
type activations struct {
	capacity int // tokens
	layers   []layerActivations
	x        []float32 // (T,C) output of the last layer
	pos      []int32   // (T) position inside the example
	start    []int32   // (T) first token of the example

	// backward only, shared by all layers
	dx, dn, dy, dqkv, dh []float32
	scores, dscores      []float32 // (T*K) attention scratch: a task (example, key-value head) has a part of its own
	added                []float32 // (T,C) what a sublayer adds, when dropout is on

	// head: rows with a target only
	rows      []int32 // their indices
	targets   []int32
	hx, hn    []float32 // (rows,C) before and after the last norm
	hinv      []float32
	dhn       []float32
	logits    []float32 // (headChunk,V)
	losses    []float32 // (rows)
	partial   []float32 // (row blocks, C or D) gradients of norm weights by block of rows
	headChunk int
}

type layerActivations struct {
	x, n1, qkv, y, xm, n2, gu, h []float32
	inv1, inv2                   []float32
	raw                          []float32 // q and k before their norms (Qwen3): (T,(H+K)*D)
	invQK                        []float32 // (T,H+K)
}

// rowBlock is the number of rows whose norm-weight gradients are summed together. It is fixed, so that the order of
// summation does not depend on the number of threads.
const rowBlock = 64

// ensure makes room for n tokens.
func (a *activations) ensure(cfg Config, n int, dropout bool) {
	a.headChunk = headChunk(cfg)
	if n <= a.capacity {
		return
	}
	n = roundUp(n, rowBlock)
	a.capacity = n
	c, d, f := cfg.HiddenSize, cfg.headDim(), cfg.IntermediateSize
	h, k := cfg.NumAttentionHeads, cfg.kvHeads()
	qkv := (h + 2*k) * d
	a.layers = make([]layerActivations, cfg.NumHiddenLayers)
	for l := range a.layers {
		a.layers[l] = layerActivations{
			x: alignedFloats(n * c), n1: alignedFloats(n * c), qkv: alignedFloats(n * qkv), y: alignedFloats(n * h * d),
			xm: alignedFloats(n * c), n2: alignedFloats(n * c), gu: alignedFloats(n * 2 * f), h: alignedFloats(n * f),
			inv1: make([]float32, n), inv2: make([]float32, n),
		}
		if cfg.qkNorm() {
			a.layers[l].raw = alignedFloats(n * (h + k) * d)
			a.layers[l].invQK = make([]float32, n*(h+k))
		}
	}
	a.x = alignedFloats(n * c)
	a.pos, a.start = make([]int32, n), make([]int32, n)
	a.dx, a.dn, a.dy = alignedFloats(n*c), alignedFloats(n*c), alignedFloats(n*h*d)
	a.dqkv, a.dh = alignedFloats(n*qkv), alignedFloats(n*f)
	a.scores, a.dscores = alignedFloats(n*k), alignedFloats(n*k)
	if dropout {
		a.added = alignedFloats(n * c)
	}
	a.rows, a.targets = make([]int32, n), make([]int32, n)
	a.hx, a.hn, a.dhn = alignedFloats(n*c), alignedFloats(n*c), alignedFloats(n*c)
	a.hinv, a.losses = make([]float32, n), make([]float32, n)
	a.logits = alignedFloats(min(n, a.headChunk) * cfg.VocabSize)
	a.partial = alignedFloats(n / rowBlock * max(c, 2*d))
}

// headChunk is the number of rows whose logits are held at once: 512, fewer where the vocabulary is large.
func headChunk(cfg Config) int {
	return max(16, min(512, (8<<20)/cfg.VocabSize/16*16))
}

package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"unsafe"
)

// A spec is one parameter: its Hugging Face name and shape. A vector has one row.
type spec struct {
	name       string
	rows, cols int
	vector     bool
	joined     bool // follows the parameter before it without padding, so that the two are one matrix
}

func (s spec) shape() []int {
	if s.vector {
		return []int{s.cols}
	}
	return []int{s.rows, s.cols}
}

// specs lists the parameters of a configuration, all matrices before all vectors: weight decay applies to a prefix of the
// arena. q, k, v of a layer follow each other, as do gate and up, and each group is multiplied as one matrix in training.
func specs(cfg Config) []spec {
	c, d := cfg.HiddenSize, cfg.headDim()
	out := []spec{{name: "model.embed_tokens.weight", rows: cfg.VocabSize, cols: c}}
	if !cfg.TieWordEmbeddings {
		out = append(out, spec{name: "lm_head.weight", rows: cfg.VocabSize, cols: c})
	}
	for l := range cfg.NumHiddenLayers {
		p := fmt.Sprintf("model.layers.%d.", l)
		out = append(out,
			spec{name: p + "self_attn.q_proj.weight", rows: cfg.NumAttentionHeads * d, cols: c},
			spec{name: p + "self_attn.k_proj.weight", rows: cfg.kvHeads() * d, cols: c, joined: true},
			spec{name: p + "self_attn.v_proj.weight", rows: cfg.kvHeads() * d, cols: c, joined: true},
			spec{name: p + "self_attn.o_proj.weight", rows: c, cols: cfg.NumAttentionHeads * d},
			spec{name: p + "mlp.gate_proj.weight", rows: cfg.IntermediateSize, cols: c},
			spec{name: p + "mlp.up_proj.weight", rows: cfg.IntermediateSize, cols: c, joined: true},
			spec{name: p + "mlp.down_proj.weight", rows: c, cols: cfg.IntermediateSize})
	}
	vec := func(name string, n int, joined bool) {
		out = append(out, spec{name: name, rows: 1, cols: n, vector: true, joined: joined})
	}
	for l := range cfg.NumHiddenLayers {
		p := fmt.Sprintf("model.layers.%d.", l)
		vec(p+"input_layernorm.weight", c, false)
		vec(p+"post_attention_layernorm.weight", c, false)
		if cfg.qkvBias() {
			vec(p+"self_attn.q_proj.bias", cfg.NumAttentionHeads*d, false)
			vec(p+"self_attn.k_proj.bias", cfg.kvHeads()*d, true)
			vec(p+"self_attn.v_proj.bias", cfg.kvHeads()*d, true)
		}
		if cfg.outBias() {
			vec(p+"self_attn.o_proj.bias", c, false)
		}
		if cfg.qkNorm() {
			vec(p+"self_attn.q_norm.weight", d, false)
			vec(p+"self_attn.k_norm.weight", d, false)
		}
	}
	vec("model.norm.weight", c, false)
	return out
}

// An arena is all parameters of a model in one slice, 64-byte aligned, each parameter (or joined group) padded to 16
// floats. Gradients and the optimizer's moments use the same offsets in slices of the same length. Padding stays zero.
type arena struct {
	specs   []spec
	offset  map[string]int
	decayed int // [0,decayed) are matrices
	data    []float32
}

func newArena(cfg Config) *arena {
	a := &arena{specs: specs(cfg), offset: map[string]int{}}
	at := 0
	for i, s := range a.specs {
		if !s.joined {
			at = roundUp(at, 16)
		}
		if s.vector && (i == 0 || !a.specs[i-1].vector) {
			a.decayed = at
		}
		a.offset[s.name] = at
		at += s.rows * s.cols
	}
	a.data = alignedFloats(roundUp(at, 16))
	return a
}

func (a *arena) view(s spec, data []float32) []float32 {
	o := a.offset[s.name]
	return data[o : o+s.rows*s.cols : o+s.rows*s.cols]
}

// tensor returns the matrix behind a spec.
func (m *Model) tensor(s spec) Matrix {
	if m.arena != nil {
		return Matrix{Rows: s.rows, Cols: s.cols, F: m.arena.view(s, m.arena.data)}
	}
	return m.named()[s.name]
}

// bind points the model's fields into the arena.
func (m *Model) bind() {
	views := map[string]Matrix{}
	for _, s := range m.arena.specs {
		views[s.name] = m.tensor(s)
	}
	m.attach(func(name string) Matrix { return views[name] })
	for l := range m.layers {
		m.layers[l].at = offsetsOf(m.arena, m.Config, l)
	}
}

// attach fills the model's fields from tensors by name; missing optional ones come as empty matrices.
func (m *Model) attach(get func(name string) Matrix) {
	vec := func(name string) []float32 { return get(name).Float32() }
	m.embed = get("model.embed_tokens.weight")
	m.head = m.embed
	if !m.Config.TieWordEmbeddings {
		m.head = get("lm_head.weight")
	}
	m.norm = vec("model.norm.weight")
	m.layers = make([]layer, m.Config.NumHiddenLayers)
	for l := range m.layers {
		p := fmt.Sprintf("model.layers.%d.", l)
		m.layers[l] = layer{
			q: get(p + "self_attn.q_proj.weight"), k: get(p + "self_attn.k_proj.weight"), v: get(p + "self_attn.v_proj.weight"),
			o: get(p + "self_attn.o_proj.weight"), gate: get(p + "mlp.gate_proj.weight"), up: get(p + "mlp.up_proj.weight"),
			down:  get(p + "mlp.down_proj.weight"),
			qBias: vec(p + "self_attn.q_proj.bias"), kBias: vec(p + "self_attn.k_proj.bias"), vBias: vec(p + "self_attn.v_proj.bias"),
			oBias: vec(p + "self_attn.o_proj.bias"), norm1: vec(p + "input_layernorm.weight"), norm2: vec(p + "post_attention_layernorm.weight"),
			qNorm: vec(p + "self_attn.q_norm.weight"), kNorm: vec(p + "self_attn.k_norm.weight"),
			window: m.Config.window(l),
		}
	}
}

// named lists the tensors of a model without an arena.
func (m *Model) named() map[string]Matrix {
	out := map[string]Matrix{"model.embed_tokens.weight": m.embed, "lm_head.weight": m.head, "model.norm.weight": vector(m.norm)}
	for l := range m.layers {
		p, y := fmt.Sprintf("model.layers.%d.", l), &m.layers[l]
		for name, t := range map[string]Matrix{
			"self_attn.q_proj.weight": y.q, "self_attn.k_proj.weight": y.k, "self_attn.v_proj.weight": y.v,
			"self_attn.o_proj.weight": y.o, "mlp.gate_proj.weight": y.gate, "mlp.up_proj.weight": y.up, "mlp.down_proj.weight": y.down,
			"self_attn.q_proj.bias": vector(y.qBias), "self_attn.k_proj.bias": vector(y.kBias), "self_attn.v_proj.bias": vector(y.vBias),
			"self_attn.o_proj.bias": vector(y.oBias), "input_layernorm.weight": vector(y.norm1),
			"post_attention_layernorm.weight": vector(y.norm2), "self_attn.q_norm.weight": vector(y.qNorm), "self_attn.k_norm.weight": vector(y.kNorm),
		} {
			out[p+name] = t
		}
	}
	return out
}

func vector(x []float32) Matrix { return Matrix{Rows: 1, Cols: len(x), F: x} }

// layerOffsets are the places of a layer's parameters in the arena; -1 where the layer has none.
type layerOffsets struct {
	qkv, o, gateUp, down         int
	qkvBias, oBias               int
	norm1, norm2, qNorm, kNorm   int
	qkvRows, gateUpRows, headDim int
}

func offsetsOf(a *arena, cfg Config, l int) layerOffsets {
	at := func(name string) int {
		if o, ok := a.offset[fmt.Sprintf("model.layers.%d.%s", l, name)]; ok {
			return o
		}
		return -1
	}
	return layerOffsets{
		qkv: at("self_attn.q_proj.weight"), o: at("self_attn.o_proj.weight"), gateUp: at("mlp.gate_proj.weight"), down: at("mlp.down_proj.weight"),
		qkvBias: at("self_attn.q_proj.bias"), oBias: at("self_attn.o_proj.bias"),
		norm1: at("input_layernorm.weight"), norm2: at("post_attention_layernorm.weight"),
		qNorm: at("self_attn.q_norm.weight"), kNorm: at("self_attn.k_norm.weight"),
		qkvRows: (cfg.NumAttentionHeads + 2*cfg.kvHeads()) * cfg.headDim(), gateUpRows: 2 * cfg.IntermediateSize, headDim: cfg.headDim(),
	}
}

// initialise draws the matrices from a normal distribution: embeddings with Config.Init.Embedding, others with
// initializer_range, those that write into the residual stream divided by sqrt(2L). Norms are 1, biases 0, and the last
// norm is Config.Init.LastNorm.
func (m *Model) initialise(rng *rand.Rand) {
	cfg := m.Config
	for _, s := range m.arena.specs {
		x := m.arena.view(s, m.arena.data)
		if s.vector {
			fill(x, vectorInit(cfg, s.name))
			continue
		}
		std := matrixInit(cfg, s.name)
		for i := range x {
			x[i] = float32(rng.NormFloat64() * std)
		}
	}
	m.Changed()
}

func vectorInit(cfg Config, name string) float32 {
	switch {
	case name == "model.norm.weight":
		return cfg.Init.lastNorm()
	case len(name) > 5 && name[len(name)-5:] == ".bias":
		return 0
	}
	return 1
}

func matrixInit(cfg Config, name string) float64 {
	std := cfg.InitializerRange
	if std == 0 {
		std = 0.02
	}
	switch {
	case name == "model.embed_tokens.weight" && cfg.Init.Embedding > 0:
		return cfg.Init.Embedding
	case hasSuffix(name, "o_proj.weight"), hasSuffix(name, "down_proj.weight"):
		return std / math.Sqrt(2*float64(cfg.NumHiddenLayers))
	}
	return std
}

func hasSuffix(s, suffix string) bool {
	return len(s) >= len(suffix) && s[len(s)-len(suffix):] == suffix
}

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}

// alignedFloats returns n zero floats that start on a cache line.
func alignedFloats(n int) []float32 {
	raw := make([]float32, n+16)
	off := 0
	for uintptr(unsafe.Pointer(&raw[off]))&63 != 0 {
		off++
	}
	return raw[off : off+n : off+n]
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
)

// A Model is a configuration with its weights.
type Model struct {
	Config Config
	arena  []float32 // all weights in the order of tensors
	tensor []Tensor
	embed  []float32 // (V,C)
	layers []layer
	norm   []float32 // (C)
	head   []float32 // (V,C); the same memory as embed when tied
}

// A Tensor is one named weight of a model, under its Hugging Face name.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
	Norm  bool // a norm weight or a bias: no weight decay
	Embed bool // embedding or head
}

// layer holds one block's weights. The projections of q, k, v lie behind each other, as do gate and up, so that each
// triple and pair is one product.
type layer struct {
	norm1, norm2 []float32 // (C)
	qkv          []float32 // ((H+2KV)*D, C)
	bias         []float32 // ((H+2KV)*D) of q, k, v; nil but in Qwen2
	qNorm, kNorm []float32 // (D) of every head of q and k; nil but in Qwen3
	out          []float32 // (C, H*D)
	gateUp       []float32 // (2F, C)
	down         []float32 // (C, F)
}

// NewEmpty returns a model with zero weights, for a checkpoint to fill.
func NewEmpty(c Config) *Model {
	m := &Model{Config: c}
	m.arena = make([]float32, int(c.Weights()))
	m.layers = make([]layer, c.Layers)
	m.slice()
	return m
}

// Shapes returns the named tensors of a configuration without memory for their data.
func (c Config) Shapes() []Tensor {
	m := &Model{Config: c, layers: make([]layer, c.Layers)}
	m.slice()
	return m.tensor
}

// Weights returns how many weights a configuration asks for, as a float64 because a hostile one may ask for more than an
// int holds.
func (c Config) Weights() float64 {
	qd, kd, w := float64(c.Heads)*float64(c.HeadWidth), float64(c.KVHeads)*float64(c.HeadWidth), float64(c.Width)
	layer := 2*w + (2*qd+2*kd)*w + 3*float64(c.Hidden)*w
	if c.bias() {
		layer += qd + 2*kd
	}
	if c.qkNorm() {
		layer += 2 * float64(c.HeadWidth)
	}
	n := float64(c.Layers)*layer + w + float64(c.Vocab)*w
	if !c.Tied {
		n += float64(c.Vocab) * w
	}
	return n
}

// slice cuts the arena into named tensors.
func (m *Model) slice() {
	c, rest := m.Config, m.arena
	qd, kd := c.Heads*c.HeadWidth, c.KVHeads*c.HeadWidth
	take := func(name string, norm, embed bool, shape ...int) []float32 {
		n := 1
		for _, d := range shape {
			n *= d
		}
		var data []float32
		if m.arena != nil {
			data, rest = rest[:n:n], rest[n:]
		}
		m.tensor = append(m.tensor, Tensor{name, shape, data, norm, embed})
		return data
	}
	m.embed = take(embedName, false, true, c.Vocab, c.Width)
	for i := range m.layers {
		l, p := &m.layers[i], layerName(i)
		start := rest
		take(p+"self_attn.q_proj.weight", false, false, qd, c.Width)
		take(p+"self_attn.k_proj.weight", false, false, kd, c.Width)
		take(p+"self_attn.v_proj.weight", false, false, kd, c.Width)
		l.qkv = head(start, (qd+2*kd)*c.Width)
		l.out = take(p+"self_attn.o_proj.weight", false, false, c.Width, qd)
		start = rest
		take(p+"mlp.gate_proj.weight", false, false, c.Hidden, c.Width)
		take(p+"mlp.up_proj.weight", false, false, c.Hidden, c.Width)
		l.gateUp = head(start, 2*c.Hidden*c.Width)
		l.down = take(p+"mlp.down_proj.weight", false, false, c.Width, c.Hidden)
		if c.bias() {
			start = rest
			take(p+"self_attn.q_proj.bias", true, false, qd)
			take(p+"self_attn.k_proj.bias", true, false, kd)
			take(p+"self_attn.v_proj.bias", true, false, kd)
			l.bias = head(start, qd+2*kd)
		}
		if c.qkNorm() {
			l.qNorm = take(p+"self_attn.q_norm.weight", true, false, c.HeadWidth)
			l.kNorm = take(p+"self_attn.k_norm.weight", true, false, c.HeadWidth)
		}
		l.norm1 = take(p+"input_layernorm.weight", true, false, c.Width)
		l.norm2 = take(p+"post_attention_layernorm.weight", true, false, c.Width)
	}
	m.norm = take("model.norm.weight", true, false, c.Width)
	m.head = m.embed
	if !c.Tied {
		m.head = take(headName, false, true, c.Vocab, c.Width)
	}
}

// Grow gives the model a vocabulary of at least v: new embeddings are the mean of the others, the best guess about a token of
// which nothing is known.
func (m *Model) Grow(v int) *Model {
	if v <= m.Config.Vocab {
		return m
	}
	c := m.Config
	c.Vocab = v
	out := NewEmpty(c)
	for i, t := range m.tensor {
		to := out.tensor[i].Data
		copy(to, t.Data)
		for j := len(t.Data); j < len(to); j++ {
			var sum float64
			for k := j % c.Width; k < len(t.Data); k += c.Width {
				sum += float64(t.Data[k])
			}
			to[j] = float32(sum / float64(m.Config.Vocab))
		}
	}
	return out
}

// head returns the first n weights, or nothing where there is no memory.
func head(x []float32, n int) []float32 {
	if x == nil {
		return nil
	}
	return x[:n:n]
}

// Names of the tensors outside the layers that others ask for.
const (
	embedName = "model.embed_tokens.weight"
	headName  = "lm_head.weight"
)

func layerName(i int) string { return fmt.Sprintf("model.layers.%d.", i) }

// Tensors returns the named weights in a fixed order. Their data may be written.
func (m *Model) Tensors() []Tensor { return m.tensor }

// Params returns the number of weights.
func (m *Model) Params() int { return len(m.arena) }

// Embeddings of from-scratch models start eight times as wide as the other weights and the last norm at 3/8: the residual
// stream then starts at the scale that its blocks write at, and the first logits have a standard deviation near 1. The
// recipe that was measured multiplied embeddings by 8 and logits by 3; these starting values say the same in a plain
// Llama folder.
const (
	embedGain = 8
	normStart = 3.0 / 8
)

// New returns a model with random weights, the same for the same seed on every machine.
func New(c Config, seed uint64) *Model {
	m := NewEmpty(c)
	rng := rand.New(rand.NewPCG(seed, 0x5eed))
	std := 0.02 * math.Sqrt(256/float64(c.Width))
	for i := range m.tensor {
		t := &m.tensor[i]
		s := std
		switch {
		case strings.HasSuffix(t.Name, ".bias"):
			continue
		case t.Norm:
			fill(t.Data, 1)
			continue
		case t.Embed:
			s *= embedGain
		case strings.HasSuffix(t.Name, "o_proj.weight"), strings.HasSuffix(t.Name, "down_proj.weight"):
			s /= math.Sqrt(2 * float64(c.Layers))
		}
		for j := range t.Data {
			t.Data[j] = float32(rng.NormFloat64() * s)
		}
	}
	fill(m.norm, normStart)
	return m
}

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}

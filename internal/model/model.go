// Package model is the decoder-only transformer of the Llama family that the native engine trains and links with: its
// configuration (Hugging Face config.json), its parameters, forward and backward pass with AdamW, and a session with a
// key-value cache whose entries are nodes of a tree, so that beams fork for the price of a list of node numbers. It sits
// on package kernel; checkpoint reads and writes its folders, train feeds it batches, oracle and link ask it for scores.
//
// Families: Llama 2/3 and SmolLM (model_type llama), Qwen2 (bias on q, k, v), Qwen3 (norm on each query and key head),
// Mistral (sliding window); tied or untied embeddings, grouped-query attention, rotary positions in halves as
// Hugging Face stores them, with the frequency scaling of Llama 3.1. What a configuration asks beyond that is refused by
// name, never approximated. Formulas: RMSNorm arXiv 1910.07467, RoPE 2104.09864, SwiGLU 2002.05202, GQA 2305.13245.
//
// Dimensions used in every comment of this package:
//
//	B  examples of a batch       T  tokens (rows) of a batch, all examples laid end to end
//	C  hidden_size               H  attention heads, K key-value heads, D head dimension
//	F  intermediate_size         V  vocabulary           L  layers
//
// Matrices are row-major in Hugging Face order, weight (out,in), so a layer computes y = x·Wᵀ. All arithmetic is
// float32. A result has the same bits for any number of threads and, in a session, for any composition of the rows that
// are run together, because every sum runs in an order that depends on the shapes of the model only.
package model

import (
	"fmt"
	"math/rand/v2"
	"sync"
)

// A Model is a configuration with its weights. New makes a trainable one whose parameters lie in one float32 arena;
// FromTensors makes one for inference whose matrices stay where they are, for instance in a mapped file.
type Model struct {
	Config Config

	arena   *arena // nil when the weights are borrowed
	embed   Matrix
	head    Matrix // the same as embed when tied
	norm    []float32
	layers  []layer
	version uint64 // counts updates, so that packed copies know when they are stale
	release func() // tells the owner of borrowed weights that their pages may go

	packing  sync.Mutex // guards the packed copy, which sessions share
	packed   *packed
	packedAt uint64
}

// A layer holds the weights of one block. The fused matrices exist in a trainable model only.
type layer struct {
	q, k, v, o, gate, up, down Matrix
	qBias, kBias, vBias, oBias []float32
	norm1, norm2               []float32
	qNorm, kNorm               []float32
	window                     int // 0: attends to everything before
	at                         layerOffsets
}

// New returns a model with freshly initialised parameters, the same for the same seed.
func New(cfg Config, seed uint64) (*Model, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := &Model{Config: cfg, arena: newArena(cfg)}
	m.bind()
	m.initialise(rand.New(rand.NewPCG(seed, 0x6d6f64656c)))
	return m, nil
}

// FromTensors returns a model for inference whose matrices come from lookup, by Hugging Face name. Vectors are converted
// to float32; matrices are used in place. lookup returns an error for a tensor that does not exist. release, which may be
// nil, is called when a session has packed the matrices and does not need to read them for a while.
func FromTensors(cfg Config, lookup func(name string) (Matrix, error), release func()) (*Model, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := &Model{Config: cfg, release: release}
	get := func(s spec) (Matrix, error) {
		t, err := lookup(s.name)
		if err != nil {
			return t, err
		}
		if t.Rows != s.rows || t.Cols != s.cols {
			return t, fmt.Errorf("tensor %s has shape %dx%d, the configuration asks for %dx%d", s.name, t.Rows, t.Cols, s.rows, s.cols)
		}
		return t, nil
	}
	got := map[string]Matrix{}
	for _, s := range specs(cfg) {
		t, err := get(s)
		if err != nil {
			return nil, err
		}
		got[s.name] = t
	}
	m.attach(func(name string) Matrix { return got[name] })
	return m, nil
}

// Trainable reports whether the parameters are an arena of float32 that a Trainer can update.
func (m *Model) Trainable() bool { return m.arena != nil }

// NumParams returns the number of parameters, tied embeddings counted once.
func (m *Model) NumParams() int {
	n := 0
	for _, s := range specs(m.Config) {
		n += s.rows * s.cols
	}
	return n
}

// A Tensor is a named parameter in Hugging Face terms.
type Tensor struct {
	Name  string
	Shape []int
	Data  Matrix
}

// Tensors lists the parameters in a fixed order with their Hugging Face names. The data of a trainable model are views:
// writing to them changes the model (call Changed after).
func (m *Model) Tensors() []Tensor {
	var out []Tensor
	for _, s := range specs(m.Config) {
		out = append(out, Tensor{Name: s.name, Shape: s.shape(), Data: m.tensor(s)})
	}
	return out
}

// Changed tells the model that its parameters were written to from outside.
func (m *Model) Changed() { m.version++ }

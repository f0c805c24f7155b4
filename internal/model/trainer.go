package model

import "syncabel/internal/kernel"

// A Batch is examples laid end to end. An example attends to itself only, and its positions count from 0.
type Batch struct {
	Tokens  []int32 // T
	Targets []int32 // T: the token to predict after each position; -1 where nothing is trained
	Starts  []int32 // B: index of the first token of each example, ascending, the first one 0
}

// Reset empties b and keeps its memory.
func (b *Batch) Reset() {
	b.Tokens, b.Targets, b.Starts = b.Tokens[:0], b.Targets[:0], b.Starts[:0]
}

// Append adds one example.
func (b *Batch) Append(tokens, targets []int32) {
	b.Starts = append(b.Starts, int32(len(b.Tokens)))
	b.Tokens = append(b.Tokens, tokens...)
	b.Targets = append(b.Targets, targets...)
}

// TrainerOptions are AdamW's settings. The zero value is the recipe of the small presets.
type TrainerOptions struct {
	Beta1, Beta2 float64      // 0: 0.9 and 0.98 (short runs from scratch want a second moment that forgets)
	Eps          float64      // 0: 1e-8
	WeightDecay  float64      // decoupled, on matrices only; 0: 0.05, negative: none
	Clip         float64      // largest gradient norm; 0: 1, negative: none
	Dropout      float64      // on the embeddings and on what attention and the gated layer add; 0: none
	Seed         uint64       // of dropout
	MicroTokens  int          // tokens whose activations are held at once; 0: 4096
	Threads      int          // 0: all processors
	Pool         *kernel.Pool // shared pool; nil: one of Threads threads of its own
}

// StepStats says what a step did.
type StepStats struct {
	Loss     float64 // mean over targets, before the update
	GradNorm float64 // before clipping
	Tokens   int
	Targets  int
}

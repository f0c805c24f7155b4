package model

import (
	"errors"
	"fmt"
	"math"

	"syncabel/internal/kernel"
)

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

// check verifies the batch against a vocabulary and returns the number of targets.
func (b *Batch) check(vocab int) (int, error) {
	if len(b.Tokens) == 0 || len(b.Targets) != len(b.Tokens) || len(b.Starts) == 0 || b.Starts[0] != 0 {
		return 0, fmt.Errorf("batch of %d tokens, %d targets, %d examples is not well formed", len(b.Tokens), len(b.Targets), len(b.Starts))
	}
	for e, lo := range b.Starts {
		if int(lo) >= len(b.Tokens) || (e > 0 && lo <= b.Starts[e-1]) {
			return 0, fmt.Errorf("example %d of the batch starts at %d, not after the one before", e, lo)
		}
	}
	targets := 0
	for i, t := range b.Tokens {
		if uint32(t) >= uint32(vocab) || b.Targets[i] >= int32(vocab) {
			return 0, fmt.Errorf("token %d or target %d at position %d is outside the vocabulary of %d", t, b.Targets[i], i, vocab)
		}
		if b.Targets[i] >= 0 {
			targets++
		}
	}
	return targets, nil
}

// TrainerOptions are AdamW's settings. The zero value is the recipe of the small presets.
type TrainerOptions struct {
	Beta1, Beta2 float64      // 0: 0.9 and 0.98 (short runs from scratch want a second moment that forgets)
	Eps          float64      // 0: 1e-8
	WeightDecay  float64      // decoupled, on matrices only; 0: 0.05, negative: none
	Clip         float64      // largest gradient norm; 0: 1, negative: none
	Dropout      float64      // on the embeddings and on what attention and the gated layer add; 0: none
	Seed         uint64       // of dropout
	MicroTokens  int          // tokens whose activations are held at once; 0: 4096. A longer example is held whole
	Threads      int          // 0: all processors
	Pool         *kernel.Pool // shared pool; nil: one of Threads threads of its own
}

func (o TrainerOptions) withDefaults() TrainerOptions {
	set := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	set(&o.Beta1, 0.9)
	set(&o.Beta2, 0.98)
	set(&o.Eps, 1e-8)
	set(&o.WeightDecay, 0.05)
	set(&o.Clip, 1)
	o.WeightDecay = max(o.WeightDecay, 0)
	if o.MicroTokens == 0 {
		o.MicroTokens = 4096
	}
	return o
}

// StepStats says what a step did.
type StepStats struct {
	Loss     float64 // mean over targets, before the update
	GradNorm float64 // before clipping; 0 when nothing was trained
	Tokens   int
	Targets  int
}

// ErrNotFinite marks a loss or gradient that is infinite or not a number; the parameters were left as they were.
var ErrNotFinite = errors.New("not finite")

// A Trainer updates a model by AdamW. It allocates when it is made and when a batch is larger than any before, and not
// otherwise. It is not for use by several goroutines.
type Trainer struct {
	m       *Model
	o       TrainerOptions
	p       *kernel.Pool
	ownPool bool
	pass    *pass
	grad    []float32
	m1, m2  []float32 // AdamW's moments
	steps   int
	parts   []part
	squares []float64 // by part
	adam    kernel.AdamW
	lr      float64
	update  func(int)
	square  func(int)
	starts  []int32
}

// A part is a piece of the arena that one task of the update loop works on.
type part struct {
	lo, hi    int
	lrFactor  float32
	decayUnit float32 // decay is divided by it, so that lr*decay does not depend on lrFactor; 0: no decay
}

// partSize bounds a part: 64 KB of each of the four arrays.
const partSize = 16384

// NewTrainer returns a trainer of m, which must be trainable.
func NewTrainer(m *Model, o TrainerOptions) (*Trainer, error) {
	if !m.Trainable() {
		return nil, errors.New("the model's weights are mapped from a file: load it for training")
	}
	if o.Dropout < 0 || o.Dropout >= 1 {
		return nil, fmt.Errorf("dropout %g must be at least 0 and below 1", o.Dropout)
	}
	t := &Trainer{m: m, o: o.withDefaults(), p: o.Pool}
	if t.p == nil {
		t.p, t.ownPool = kernel.NewPool(o.Threads), true
	}
	n := len(m.arena.data)
	t.grad, t.m1, t.m2 = alignedFloats(n), alignedFloats(n), alignedFloats(n)
	t.pass = newPass(m, t.p)
	t.pass.grad = t.grad
	t.parts = partition(m)
	t.squares = make([]float64, len(t.parts))
	t.update, t.square = t.updatePart, t.squarePart
	return t, nil
}

// Close stops the threads of a trainer that made its own pool.
func (t *Trainer) Close() {
	if t.ownPool {
		t.p.Close()
	}
}

// partition cuts the arena into parts by parameter.
func partition(m *Model) []part {
	var parts []part
	a := m.arena
	for _, s := range a.specs {
		f := lrFactor(m.Config.Init, s.name)
		decay := f
		if s.vector {
			decay = 0
		}
		end := a.offset[s.name] + s.rows*s.cols
		for lo := a.offset[s.name]; lo < end; lo += partSize {
			parts = append(parts, part{lo, min(lo+partSize, end), f, decay})
		}
	}
	return parts
}

func lrFactor(i Init, name string) float32 {
	f := 1.0
	switch {
	case name == "model.embed_tokens.weight" && i.EmbeddingLR > 0:
		f = i.EmbeddingLR
	case name == "model.norm.weight" && i.LastNormLR > 0:
		f = i.LastNormLR
	}
	return float32(f)
}

// Steps returns the number of updates made.
func (t *Trainer) Steps() int { return t.steps }

// Step trains on one batch: forward, backward, clipping, AdamW with the given learning rate. A batch of more than
// MicroTokens tokens is run in pieces whose gradients add up to the whole batch's.
func (t *Trainer) Step(b *Batch, lr float64) (StepStats, error) {
	st, err := t.Gradients(b)
	if err != nil {
		return st, err
	}
	return st, t.Update(&st, lr)
}

// Gradients computes the gradient of the mean loss over the batch's targets, without clipping or update. Gradient reads
// them.
func (t *Trainer) Gradients(b *Batch) (StepStats, error) {
	t.p.Begin()
	defer t.p.End()
	clear(t.grad)
	st, err := t.run(b, true)
	if err == nil && (math.IsNaN(st.Loss) || math.IsInf(st.Loss, 0)) {
		err = fmt.Errorf("loss of step %d is %v: %w: lower the learning rate", t.steps+1, st.Loss, ErrNotFinite)
	}
	return st, err
}

// Loss returns the mean loss of a batch without training, dropout off.
func (t *Trainer) Loss(b *Batch) (StepStats, error) {
	t.p.Begin()
	defer t.p.End()
	return t.run(b, false)
}

// run goes through the micro-batches of b.
func (t *Trainer) run(b *Batch, train bool) (StepStats, error) {
	targets, err := b.check(t.m.Config.VocabSize)
	st := StepStats{Tokens: len(b.Tokens), Targets: targets}
	if err != nil {
		return st, err
	}
	if targets == 0 {
		return st, errors.New("the batch has no targets")
	}
	s := t.pass
	s.scale = float32(1 / float64(targets))
	s.drop.rate = 0
	if train {
		s.drop.rate = t.o.Dropout
	}
	for e, piece := 0, uint64(0); e < len(b.Starts); piece++ {
		lo, hi, next := t.piece(b, e)
		s.drop.key = mix(mix(t.o.Seed^uint64(t.steps)) + piece)
		s.act.ensure(t.m.Config, hi-lo, t.o.Dropout > 0)
		s.forward(b.Tokens[lo:hi], t.starts)
		st.Loss += s.headLoss(b.Targets[lo:hi], train)
		if train {
			s.backward()
		}
		e = next
	}
	st.Loss /= float64(targets)
	return st, nil
}

// piece returns the rows [lo,hi) of the examples from e on that fit a micro-batch, at least one, with their starts in
// t.starts, and the example after them.
func (t *Trainer) piece(b *Batch, e int) (lo, hi, next int) {
	lo = int(b.Starts[e])
	t.starts = t.starts[:0]
	for next = e; next < len(b.Starts); next++ {
		end := len(b.Tokens)
		if next+1 < len(b.Starts) {
			end = int(b.Starts[next+1])
		}
		if next > e && end-lo > t.o.MicroTokens {
			break
		}
		t.starts = append(t.starts, b.Starts[next]-int32(lo))
		hi = end
	}
	return lo, hi, next
}

// Update clips the gradients of the last Gradients and applies AdamW. It fills st.GradNorm.
func (t *Trainer) Update(st *StepStats, lr float64) error {
	t.p.Begin()
	defer t.p.End()
	t.p.For(len(t.parts), t.square)
	var sum float64
	for _, v := range t.squares {
		sum += v
	}
	st.GradNorm = math.Sqrt(sum)
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return fmt.Errorf("gradient norm of step %d is %v: %w: lower the learning rate", t.steps+1, st.GradNorm, ErrNotFinite)
	}
	t.steps++
	t.adam = kernel.AdamW{Beta1: float32(t.o.Beta1), Beta2: float32(t.o.Beta2), Eps: float32(t.o.Eps), Clip: 1,
		Correct1: float32(1 - math.Pow(t.o.Beta1, float64(t.steps))), Correct2: float32(1 - math.Pow(t.o.Beta2, float64(t.steps)))}
	if t.o.Clip > 0 && st.GradNorm > t.o.Clip {
		t.adam.Clip = float32(t.o.Clip / (st.GradNorm + 1e-6))
	}
	t.lr = lr
	t.p.For(len(t.parts), t.update)
	t.m.Changed()
	return nil
}

// squarePart sums the squares of a part's gradients.
func (t *Trainer) squarePart(i int) {
	p := t.parts[i]
	var sum float64
	for lo := p.lo; lo < p.hi; lo += 1024 {
		g := t.grad[lo:min(lo+1024, p.hi)]
		sum += float64(kernel.Dot(g, g))
	}
	t.squares[i] = sum
}

func (t *Trainer) updatePart(i int) {
	p, a := t.parts[i], t.adam
	a.LR = float32(t.lr) * p.lrFactor
	if p.decayUnit != 0 {
		a.Decay = float32(t.o.WeightDecay) / p.decayUnit
	}
	a.Step(t.m.arena.data[p.lo:p.hi], t.grad[p.lo:p.hi], t.m1[p.lo:p.hi], t.m2[p.lo:p.hi])
}

// Gradient returns the gradient of a parameter by its Hugging Face name, or nil; a view, row-major.
func (t *Trainer) Gradient(name string) []float32 {
	for _, s := range t.m.arena.specs {
		if s.name == name {
			return t.m.arena.view(s, t.grad)
		}
	}
	return nil
}

package model

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"syncabel/internal/kernel"
)

// TrainerOptions of AdamW. The defaults are those of the small-model recipe.
type TrainerOptions struct {
	Beta1   float32 // default 0.9
	Beta2   float32 // default 0.98: small batches, short runs
	Eps     float32 // default 1e-8
	Decay   float32 // decoupled weight decay, not on norms; default 0
	Clip    float32 // largest norm of the gradient; default 1
	EmbedLR float32 // factor of the learning rate of embeddings; default 8, as they start eight times as wide
	Threads int     // 0: all processors. It does not change the result.

	// Recompute keeps one layer's activations instead of all and computes the others again in the backward pass: the same bits for
	// about a third more time, for long sequences and wide models. It switches itself on where all would take more than a gibibyte.
	Recompute bool
	LoRA      *LoRA // train these adapters instead of the weights
}

// Defaults fills in what is not set.
func (o TrainerOptions) Defaults() TrainerOptions {
	o.Beta1, o.Beta2 = cmp.Or(o.Beta1, 0.9), cmp.Or(o.Beta2, 0.98)
	o.Eps, o.Clip, o.EmbedLR = cmp.Or(o.Eps, 1e-8), cmp.Or(o.Clip, 1), cmp.Or(o.EmbedLR, embedGain)
	return o
}

// StepStats of one step.
type StepStats struct {
	Loss     float64 // mean negative log-likelihood of a target, in nats
	GradNorm float64 // before clipping
	Tokens   int
	Targets  int
}

// ErrDiverged says that loss or gradient are no longer finite.
var ErrDiverged = errors.New("training diverged: loss or gradient is not finite; lower the learning rate")

// A Trainer owns the gradients, moments and activations of a model in training. It is not safe for concurrent use.
type Trainer struct {
	m       *Model
	opt     TrainerOptions
	net     network
	g       grads
	mom1    []float32
	mom2    []float32
	steps   int
	pool    *kernel.Pool
	rows    []int32   // rows with a target
	hidden  []float32 // (chunk,C) normalised
	dhidden []float32
	invs    []float32
	picked  []float32 // (chunk,C)
	dpicked []float32
	logits  []float32 // (chunk,V)
	losses  []float32

	// what the running task reads; tasks are bound once, so that a step allocates no closures
	batch        *Batch
	headRows     []int32
	headScale    float32
	crossEntropy func(i int)
	adam         kernel.AdamW
	weights      [4][]float32 // of the tensor being updated: weights, gradient, moments
	updateBlock  func(i int)
}

// headChunk is the number of target rows whose logits exist at a time.
const headChunk = 256

// NewTrainer prepares a model for training.
func NewTrainer(m *Model, opt TrainerOptions) *Trainer {
	opt = opt.Defaults()
	pool := kernel.NewPool(opt.Threads)
	pool.Begin() // threads stay awake between steps
	t := &Trainer{m: m, opt: opt, pool: pool, net: network{m: m, pool: pool, recompute: opt.Recompute}}
	t.g.g = NewEmpty(m.Config)
	n := m.Params()
	if opt.LoRA != nil {
		n = len(opt.LoRA.arena)
	}
	t.mom1, t.mom2 = make([]float32, n), make([]float32, n)
	c := m.Config
	t.hidden, t.dhidden = make([]float32, headChunk*c.Width), make([]float32, headChunk*c.Width)
	t.picked, t.dpicked = make([]float32, headChunk*c.Width), make([]float32, headChunk*c.Width)
	t.invs, t.losses = make([]float32, headChunk), make([]float32, headChunk)
	t.logits = make([]float32, headChunk*c.Vocab)
	t.crossEntropy = func(i int) {
		v := t.m.Config.Vocab
		t.losses[i] = kernel.CrossEntropy(t.logits[i*v:(i+1)*v], int(t.batch.Targets[t.headRows[i]]), t.headScale)
	}
	t.updateBlock = func(i int) {
		w, lo := &t.weights, i*adamBlock
		hi := min(lo+adamBlock, len(w[0]))
		t.adam.Step(w[0][lo:hi], w[1][lo:hi], w[2][lo:hi], w[3][lo:hi])
	}
	return t
}

// Close stops the trainer's threads.
func (t *Trainer) Close() { t.pool.Close() }

// Steps returns the number of steps made.
func (t *Trainer) Steps() int { return t.steps }

// Moments returns the optimizer's state, each shaped like the concatenation of Tensors, for checkpoints.
func (t *Trainer) Moments() (first, second []float32) { return t.mom1, t.mom2 }

// Trainable returns what is trained: the model's tensors, or the adapters.
func (t *Trainer) Trainable() []Tensor {
	if t.opt.LoRA != nil {
		return t.opt.LoRA.tensor
	}
	return t.m.tensor
}

// Resume sets the number of steps made after moments and trainable tensors were restored.
func (t *Trainer) Resume(steps int) {
	t.steps = steps
	if t.opt.LoRA != nil {
		t.opt.LoRA.merge(t.pool)
	}
}

// Gradients returns the gradients of the last Step or Gradient, in the order of Tensors.
func (t *Trainer) Gradients() []Tensor { return t.g.g.tensor }

// Gradient computes the loss of a batch and the gradient of its mean without changing the weights.
func (t *Trainer) Gradient(b *Batch) (StepStats, error) {
	if err := t.check(b); err != nil {
		return StepStats{}, err
	}
	clear(t.g.g.arena)
	t.net.forward(b)
	t.g.grow(len(b.Tokens))
	clear(t.g.dx[:len(b.Tokens)*t.m.Config.Width])
	s := StepStats{Tokens: len(b.Tokens), Targets: len(t.rows)}
	var sum float64
	for lo := 0; lo < len(t.rows); lo += headChunk {
		sum += t.head(b, t.rows[lo:min(lo+headChunk, len(t.rows))], 1/float32(len(t.rows)))
	}
	s.Loss = sum / float64(len(t.rows))
	t.net.backward(&t.g, b)
	s.GradNorm = norm(t.g.g.arena)
	if math.IsNaN(s.Loss) || math.IsInf(s.Loss, 0) || math.IsNaN(s.GradNorm) || math.IsInf(s.GradNorm, 0) {
		return s, ErrDiverged
	}
	return s, nil
}

// Step makes one step of AdamW with learning rate lr.
func (t *Trainer) Step(b *Batch, lr float32) (StepStats, error) {
	s, err := t.Gradient(b)
	if err != nil {
		return s, err
	}
	if l := t.opt.LoRA; l != nil {
		l.project(t.pool, t.g.g)
		s.GradNorm = norm(l.grad)
		t.update(l.tensor, l.grads, lr, s.GradNorm)
		l.merge(t.pool)
		return s, nil
	}
	t.update(t.m.tensor, t.g.g.tensor, lr, s.GradNorm)
	return s, nil
}

func (t *Trainer) check(b *Batch) error {
	if len(b.Tokens) == 0 || len(b.Targets) != len(b.Tokens) || len(b.Starts) == 0 || b.Starts[0] != 0 {
		return fmt.Errorf("batch of %d tokens, %d targets, %d examples is not well formed", len(b.Tokens), len(b.Targets), len(b.Starts))
	}
	t.rows = t.rows[:0]
	for i, tok := range b.Tokens {
		if tok < 0 || int(tok) >= t.m.Config.Vocab || int(b.Targets[i]) >= t.m.Config.Vocab {
			return fmt.Errorf("token %d or target %d is outside the vocabulary of %d", tok, b.Targets[i], t.m.Config.Vocab)
		}
		if b.Targets[i] >= 0 {
			t.rows = append(t.rows, int32(i))
		}
	}
	if len(t.rows) == 0 {
		return errors.New("batch has no target")
	}
	return nil
}

// head computes the loss of some target rows, the gradient of the head and of the rows' residual stream.
func (t *Trainer) head(b *Batch, rows []int32, scale float32) float64 {
	c, n := t.m.Config, len(rows)
	for i, r := range rows {
		copy(t.picked[i*c.Width:(i+1)*c.Width], t.net.x[int(r)*c.Width:])
	}
	x, h := t.picked[:n*c.Width], t.hidden[:n*c.Width]
	kernel.RMSNorm(h, x, t.m.norm, t.invs[:n], c.Width, c.NormEps)
	kernel.Gemm(t.pool, kernel.NT, false, n, c.Vocab, c.Width, h, c.Width, t.m.head, c.Width, t.logits, c.Vocab)
	t.batch, t.headRows, t.headScale = b, rows, scale
	t.pool.For(n, t.crossEntropy)
	kernel.Gemm(t.pool, kernel.TN, true, c.Vocab, c.Width, n, t.logits, c.Vocab, h, c.Width, t.g.g.head, c.Width)
	kernel.Gemm(t.pool, kernel.NN, false, n, c.Width, c.Vocab, t.logits, c.Vocab, t.m.head, c.Width, t.dhidden, c.Width)
	d := t.dpicked[:n*c.Width]
	clear(d)
	kernel.RMSNormBackward(d, t.g.g.norm, t.dhidden[:n*c.Width], x, t.m.norm, t.invs, c.Width)
	var sum float64
	for i, r := range rows {
		copy(t.g.dx[int(r)*c.Width:(int(r)+1)*c.Width], d[i*c.Width:])
		sum += float64(t.losses[i])
	}
	return sum
}

// norm is the Euclidean norm of gradients, summed in blocks of fixed size.
func norm(g []float32) float64 {
	const block = 1 << 14
	var sum float64
	for lo := 0; lo < len(g); lo += block {
		part := g[lo:min(lo+block, len(g))]
		sum += float64(kernel.Dot(part, part))
	}
	return math.Sqrt(sum)
}

func (t *Trainer) update(weights, grads []Tensor, lr float32, norm float64) {
	t.steps++
	a := kernel.AdamW{Beta1: t.opt.Beta1, Beta2: t.opt.Beta2, Eps: t.opt.Eps, Clip: 1,
		Correct1: float32(1 - math.Pow(float64(t.opt.Beta1), float64(t.steps))),
		Correct2: float32(1 - math.Pow(float64(t.opt.Beta2), float64(t.steps)))}
	if norm > float64(t.opt.Clip) {
		a.Clip = t.opt.Clip / float32(norm)
	}
	at := 0
	for i, w := range weights {
		o := a
		o.LR, o.Decay = lr, t.opt.Decay
		if w.Norm {
			o.Decay = 0
		}
		if w.Embed {
			// The same relative change as the other weights, decay included.
			o.LR, o.Decay = lr*t.opt.EmbedLR, t.opt.Decay/t.opt.EmbedLR
		}
		n, g := len(w.Data), grads[i].Data
		t.adam, t.weights = o, [4][]float32{w.Data, g, t.mom1[at : at+n], t.mom2[at : at+n]}
		at += n
		t.pool.For((n+adamBlock-1)/adamBlock, t.updateBlock)
	}
}

// adamBlock is the number of weights that one task updates.
const adamBlock = 1 << 13

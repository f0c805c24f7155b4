package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"syncabel/internal/kernel"
)

// A LoRA is a set of low-rank adapters of a model (Hu et al. 2021, arXiv 2106.09685): every target matrix W (out,in) becomes
//
//	W + Alpha/Rank * B A,   A (Rank,in), B (out,Rank)
//
// and only A and B are trained. The model in memory always holds the sum, so training and decoding run as without adapters; the
// gradients of A and B follow from that of the sum exactly:
//
//	dA = Alpha/Rank * Bt dW,   dB = Alpha/Rank * dW At
type LoRA struct {
	Rank    int
	Alpha   float64
	Targets []string // projections, e.g. q_proj
	arena   []float32
	grad    []float32
	tensor  []Tensor // A and B of each target in turn
	grads   []Tensor
	pairs   []adapter
	sum     []Tensor // of the model
}

// adapter is one target.
type adapter struct {
	weight int       // index of its tensor in the model
	frozen []float32 // (out,in) what it was
	a, b   []float32
	da, db []float32
	scaled []float32 // (Rank,in) scratch
}

// LoRAOptions of NewLoRA.
type LoRAOptions struct {
	Rank    int      // default 16
	Alpha   float64  // default twice the rank
	Targets []string // default all projections of attention and feed-forward
	Seed    uint64
}

// Projections are what adapters may be put on.
var Projections = []string{"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}

// NewLoRA puts fresh adapters on a model: A is random, B is zero, so the model is unchanged until they are trained.
func NewLoRA(m *Model, opt LoRAOptions) (*LoRA, error) {
	l := &LoRA{Rank: opt.Rank, Alpha: opt.Alpha, Targets: opt.Targets}
	if l.Rank == 0 {
		l.Rank = 16
	}
	if l.Alpha == 0 {
		l.Alpha = 2 * float64(l.Rank)
	}
	if len(l.Targets) == 0 {
		l.Targets = Projections
	}
	for _, t := range l.Targets {
		if !slices.Contains(Projections, t) {
			return nil, fmt.Errorf("no adapter fits on %q: have %s", t, strings.Join(Projections, ", "))
		}
	}
	if l.Rank < 0 || l.Rank > m.Config.Width {
		return nil, fmt.Errorf("adapters of rank %d do not fit a model of width %d", l.Rank, m.Config.Width)
	}
	l.allocate(m)
	rng := rand.New(rand.NewPCG(opt.Seed, 0x10a))
	for _, p := range l.pairs {
		bound := 1 / math.Sqrt(float64(len(p.a)/l.Rank)) // as PEFT draws it: uniform, Kaiming with a = sqrt(5)
		for i := range p.a {
			p.a[i] = float32((2*rng.Float64() - 1) * bound)
		}
	}
	return l, nil
}

// allocate makes the adapters' memory, zero.
func (l *LoRA) allocate(m *Model) {
	n := 0
	var on []int
	for i, t := range m.tensor {
		parts := strings.Split(t.Name, ".") // model.layers.0.mlp.up_proj.weight
		if len(t.Shape) == 2 && slices.Contains(l.Targets, parts[len(parts)-2]) {
			on = append(on, i)
			n += l.Rank * (t.Shape[0] + t.Shape[1])
		}
	}
	l.arena, l.grad = make([]float32, n), make([]float32, n)
	w, g := l.arena, l.grad
	take := func(name string, shape ...int) (x, dx []float32) {
		k := shape[0] * shape[1]
		x, dx, w, g = w[:k:k], g[:k:k], w[k:], g[k:]
		l.tensor = append(l.tensor, Tensor{Name: name, Shape: shape, Data: x})
		l.grads = append(l.grads, Tensor{Name: name, Shape: shape, Data: dx})
		return x, dx
	}
	for _, i := range on {
		t := m.tensor[i]
		name := "base_model.model." + strings.TrimSuffix(t.Name, ".weight")
		p := adapter{weight: i, frozen: slices.Clone(t.Data), scaled: make([]float32, l.Rank*t.Shape[1])}
		p.a, p.da = take(name+".lora_A.weight", l.Rank, t.Shape[1])
		p.b, p.db = take(name+".lora_B.weight", t.Shape[0], l.Rank)
		l.pairs = append(l.pairs, p)
	}
	l.sum = m.tensor
}

// Tensors returns A and B of every target under their names in PEFT's adapter_model.safetensors. Their data may be written; Merge
// then brings the model up to date.
func (l *LoRA) Tensors() []Tensor { return l.tensor }

// Merge writes W + Alpha/Rank*B A into the model.
func (l *LoRA) Merge() {
	pool := kernel.NewPool(0)
	defer pool.Close()
	l.merge(pool)
}

func (l *LoRA) merge(pool *kernel.Pool) {
	s := float32(l.Alpha / float64(l.Rank))
	for _, p := range l.pairs {
		w := l.sum[p.weight]
		out, in := w.Shape[0], w.Shape[1]
		for i, x := range p.a {
			p.scaled[i] = s * x
		}
		copy(w.Data, p.frozen)
		kernel.Gemm(pool, kernel.NN, true, out, in, l.Rank, p.b, l.Rank, p.scaled, in, w.Data, in)
	}
}

// project turns the gradients of a model's weights into those of the adapters.
func (l *LoRA) project(pool *kernel.Pool, g *Model) {
	s := float32(l.Alpha / float64(l.Rank))
	for _, p := range l.pairs {
		dw := g.tensor[p.weight]
		out, in := dw.Shape[0], dw.Shape[1]
		kernel.Gemm(pool, kernel.TN, false, l.Rank, in, out, p.b, l.Rank, dw.Data, in, p.da, in)
		kernel.Gemm(pool, kernel.NT, false, out, l.Rank, in, dw.Data, in, p.a, in, p.db, l.Rank)
	}
	for i := range l.grad {
		l.grad[i] *= s
	}
}

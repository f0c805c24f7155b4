package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"syncabel/internal/kernel"
)

func tinyConfig(t testing.TB) Config {
	c, err := Preset("tiny", 50)
	if err != nil {
		t.Fatal(err)
	}
	c.Layers, c.KVHeads, c.Width, c.Hidden, c.HeadWidth = 2, 2, 32, 48, 8
	return c
}

func randomBatch(seed uint64, lens ...int) *Batch {
	r := rand.New(rand.NewPCG(seed, 0))
	b := &Batch{}
	for _, n := range lens {
		b.Starts = append(b.Starts, int32(len(b.Tokens)))
		for i := range n {
			b.Tokens = append(b.Tokens, r.Int32N(50))
			target := int32(-1)
			if i >= n/2 {
				target = r.Int32N(50)
			}
			b.Targets = append(b.Targets, target)
		}
	}
	return b
}

// Gradients agree with fourth-order central differences along the gradient, tensor by tensor.
func TestGradients(t *testing.T) {
	m := New(tinyConfig(t), 1)
	tr := NewTrainer(m, TrainerOptions{Threads: 2})
	defer tr.Close()
	b := randomBatch(2, 7, 1, 12, 5)
	if _, err := tr.Gradient(b); err != nil {
		t.Fatal(err)
	}
	grads := make([][]float32, len(m.tensor))
	for i, g := range tr.Gradients() {
		grads[i] = append([]float32(nil), g.Data...)
	}
	for i, w := range m.Tensors() {
		var norm float64
		for _, x := range grads[i] {
			norm += float64(x) * float64(x)
		}
		norm = math.Sqrt(norm)
		base := append([]float32(nil), w.Data...)
		eps := 0.02
		at := func(h float64) float64 {
			for j := range w.Data {
				w.Data[j] = base[j] + float32(h/norm)*grads[i][j]
			}
			s, err := tr.Gradient(b)
			if err != nil {
				t.Fatal(err)
			}
			return s.Loss
		}
		num := (8*(at(eps)-at(-eps)) - (at(2*eps) - at(-2*eps))) / (12 * eps)
		copy(w.Data, base)
		if math.Abs(num-norm) > 2e-3*norm+1e-5 {
			t.Errorf("%s: directional derivative %g, gradient norm %g", w.Name, num, norm)
		}
	}
}

// A session computes the same logits as the training forward pass, one token at a time or all at once.
func TestSessionEqualsForward(t *testing.T) {
	m := New(tinyConfig(t), 3)
	tr := NewTrainer(m, TrainerOptions{Threads: 1})
	defer tr.Close()
	b := randomBatch(4, 9)
	for i := range b.Targets {
		b.Targets[i] = b.Tokens[i]
	}
	s, err := tr.Gradient(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []int{1, 4, 9} {
		ses := NewSession(m, SessionOptions{Nodes: 32, Threads: 2})
		var rows []Row
		for i, tok := range b.Tokens {
			path := make([]int32, i)
			for j := range path {
				path[j] = int32(j)
			}
			rows = append(rows, Row{Token: tok, Pos: int32(i), Node: int32(i), Path: path})
			if len(rows) == step || i+1 == len(b.Tokens) {
				if err := ses.Run(rows); err != nil {
					t.Fatal(err)
				}
				rows = rows[:0]
			}
		}
		nodes := []int32{0, 1, 2, 3, 4, 5, 6, 7, 8}
		logits, z := make([]float32, 9*50), make([]float64, 9)
		ses.Logits(nodes, logits)
		ses.LogZ(logits, z)
		var loss float64
		for i, target := range b.Targets {
			loss += z[i] - float64(logits[i*50+int(target)])
		}
		if math.Abs(loss/9-s.Loss) > 1e-5 {
			t.Errorf("%d rows a run: loss %g, training says %g", step, loss/9, s.Loss)
		}
		ses.Close()
	}
}

// The number of threads changes nothing, and a model learns to repeat.
func TestTrainingIsDeterministicAndLearns(t *testing.T) {
	eachVariant(t, trainingIsDeterministicAndLearns)
}

func trainingIsDeterministicAndLearns(t *testing.T) {
	var first []float64
	for _, threads := range []int{1, 2, 3} {
		m := New(tinyConfig(t), 5)
		tr := NewTrainer(m, TrainerOptions{Threads: threads})
		var losses []float64
		for i := range 60 {
			b := randomBatch(uint64(i%3), 70, 8, 30, 9)
			s, err := tr.Step(b, 3e-3)
			if err != nil {
				t.Fatal(err)
			}
			losses = append(losses, s.Loss)
		}
		tr.Close()
		if first == nil {
			first = losses
		}
		for i := range losses {
			if losses[i] != first[i] {
				t.Fatalf("%d threads: loss of step %d is %v, with one thread %v", threads, i, losses[i], first[i])
			}
		}
	}
	if last := first[len(first)-1]; last > first[0]/2 {
		t.Errorf("loss went from %g to %g", first[0], last)
	}
}

// eachVariant runs f on every instruction set of this machine.
func eachVariant(t *testing.T, f func(t *testing.T)) {
	for _, name := range kernel.Variants() {
		t.Run(name, func(t *testing.T) {
			if err := kernel.SetVariant(name); err != nil {
				t.Fatal(err)
			}
			defer kernel.SetVariant("")
			f(t)
		})
	}
}

// sequence lays n tokens out one after the other.
func sequence(n int) []Row {
	rows := make([]Row, n)
	path := make([]int32, n)
	for i := range rows {
		path[i] = int32(i)
		rows[i] = Row{Token: int32(i * 7 % 50), Pos: int32(i), Node: int32(i), Path: path[:i]}
	}
	return rows
}

// Logits are the same bits however rows are batched and however many threads there are.
func TestSessionBitIdentical(t *testing.T) {
	c := tinyConfig(t)
	nodes := make([]int32, 40)
	for i := range nodes {
		nodes[i] = int32(i)
	}
	eachVariant(t, func(t *testing.T) {
		var first []float32
		for _, threads := range []int{1, 2, 3} {
			s := NewSession(New(c, 3), SessionOptions{Nodes: 64, Threads: threads})
			for _, step := range []int{1, 2, 5, 13, 40} {
				rows := sequence(len(nodes))
				for lo := 0; lo < len(rows); lo += step {
					if err := s.Run(rows[lo:min(lo+step, len(rows))]); err != nil {
						t.Fatal(err)
					}
				}
				logits := make([]float32, len(nodes)*c.Vocab)
				for lo := 0; lo < len(nodes); lo += step {
					s.Logits(nodes[lo:min(lo+step, len(nodes))], logits[lo*c.Vocab:])
				}
				if first == nil {
					first = logits
				}
				if !slices.Equal(first, logits) {
					t.Fatalf("%d threads, %d rows at a time: other bits than one row on one thread", threads, step)
				}
			}
			s.Close()
		}
	})
}

func TestDecodingAllocatesNothing(t *testing.T) {
	c := tinyConfig(t)
	s := NewSession(New(c, 3), SessionOptions{Nodes: 64, Threads: 2})
	defer s.Close()
	rows, logits, z := sequence(20), make([]float32, 5*c.Vocab), make([]float64, 5)
	nodes := []int32{15, 16, 17, 18, 19}
	f := func() {
		if err := s.Run(rows); err != nil {
			t.Error(err)
		}
		s.Logits(nodes, logits)
		s.LogZ(logits, z)
	}
	f()
	if n := testing.AllocsPerRun(10, f); n > 0 {
		t.Errorf("%v allocations a run", n)
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	tr := NewTrainer(New(tinyConfig(t), 5), TrainerOptions{Threads: 2})
	defer tr.Close()
	b := randomBatch(1, 70, 8, 30, 9)
	f := func() {
		if _, err := tr.Step(b, 1e-3); err != nil {
			t.Error(err)
		}
	}
	f()
	if n := testing.AllocsPerRun(5, f); n > 0 {
		t.Errorf("%v allocations a step", n)
	}
}

// BenchmarkStep is a training step of 2048 tokens in examples of 128, every token a target.
func BenchmarkStep(b *testing.B) {
	for _, v := range []int{4096, 8192} {
		b.Run(fmt.Sprint("d256/V", v), func(b *testing.B) { benchmarkStep(b, stepConfig(v), 128, 2048, 0) })
	}
	for _, name := range []string{"tiny", "small"} {
		c, _ := Preset(name, 4000)
		b.Run(name, func(b *testing.B) { benchmarkStep(b, c, 20, 1536, 11) })
	}
}

// stepConfig is the shape that docs/results.md compares with other programs: 5.9 M parameters at V 4096.
func stepConfig(vocab int) Config {
	c, _ := Preset("base", vocab)
	c.Hidden = 704
	return c
}

// benchmarkStep trains on examples of equal length whose first tokens are no targets.
func benchmarkStep(b *testing.B, c Config, length, tokens, prompt int) {
	tr := NewTrainer(New(c, 1), TrainerOptions{})
	defer tr.Close()
	r := rand.New(rand.NewPCG(1, 1))
	batch := &Batch{}
	for len(batch.Tokens) < tokens {
		batch.Starts = append(batch.Starts, int32(len(batch.Tokens)))
		for i := range length {
			batch.Tokens = append(batch.Tokens, r.Int32N(int32(c.Vocab)))
			batch.Targets = append(batch.Targets, map[bool]int32{true: 7, false: -1}[i >= prompt])
		}
	}
	tr.Step(batch, 1e-3)
	for b.Loop() {
		tr.Step(batch, 1e-3)
	}
	b.ReportMetric(float64(len(batch.Tokens)*b.N)/b.Elapsed().Seconds(), "tok/s")
}

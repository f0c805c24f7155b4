package model

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestRecompute: activations that are computed again give the same bits.
func TestRecompute(t *testing.T) {
	c := tinyConfig(t)
	c.Layers, c.ModelType = 3, "qwen3"
	var first []float32
	for _, recompute := range []bool{false, true} {
		m := New(c, 7)
		tr := NewTrainer(m, TrainerOptions{Threads: 2, Recompute: recompute})
		for i := range 3 {
			if _, err := tr.Step(randomBatch(uint64(i), 40, 7, 30), 1e-3); err != nil {
				t.Fatal(err)
			}
		}
		tr.Close()
		if first == nil {
			first = slices.Clone(m.arena)
		} else if !slices.Equal(first, m.arena) {
			t.Error("recomputing changes the weights")
		}
	}
}

// TestTrainingMemory: 10M weights train on 16k tokens a step in less than 2 GiB (SYNCABEL_SLOW=1; a quarter of a minute on two cores).
func TestTrainingMemory(t *testing.T) {
	if os.Getenv("SYNCABEL_SLOW") == "" {
		t.Skip("SYNCABEL_SLOW is not set")
	}
	c, err := Preset("base", 8192)
	if err != nil {
		t.Fatal(err)
	}
	c.Width, c.Layers, c.Heads, c.KVHeads, c.HeadWidth, c.Hidden = 320, 6, 5, 5, 64, 864
	m := New(c, 1)
	tr := NewTrainer(m, TrainerOptions{})
	defer tr.Close()
	var lens []int
	for range 128 {
		lens = append(lens, 128)
	}
	for range 2 {
		if _, err := tr.Step(randomBatch(1, lens...), 1e-3); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc")
	}
	var peak int
	for _, line := range strings.Split(string(b), "\n") {
		fmt.Sscanf(line, "VmHWM: %d kB", &peak)
	}
	t.Logf("%d weights, %d tokens a step: peak %d MiB, recomputing: %v", m.Params(), 128*128, peak>>10, tr.net.recompute)
	if peak >= 2<<20 {
		t.Errorf("peak of %d kB", peak)
	}
}

// TestLoRAGradients: the gradients of A and B agree with central differences, and fresh adapters change nothing.
func TestLoRAGradients(t *testing.T) {
	m := New(tinyConfig(t), 1)
	before := slices.Clone(m.arena)
	l, err := NewLoRA(m, LoRAOptions{Rank: 4, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	if l.Merge(); !slices.Equal(before, m.arena) {
		t.Error("fresh adapters change the model")
	}
	for i, p := range l.pairs { // B away from zero, or A would have no gradient
		for j := range p.b {
			p.b[j] = float32(math.Sin(float64(i*1000+j))) * 0.1
		}
	}
	l.Merge()
	tr := NewTrainer(m, TrainerOptions{Threads: 2, LoRA: l})
	defer tr.Close()
	b := randomBatch(2, 7, 12, 5)
	loss := func() float64 {
		l.Merge()
		s, err := tr.Gradient(b)
		if err != nil {
			t.Fatal(err)
		}
		return s.Loss
	}
	loss()
	l.project(tr.pool, tr.g.g)
	grad := slices.Clone(l.grad)
	at := 0
	for _, w := range l.tensor {
		g := grad[at : at+len(w.Data)]
		at += len(w.Data)
		n := norm(g)
		base := slices.Clone(w.Data)
		step := func(h float64) float64 {
			for j := range w.Data {
				w.Data[j] = base[j] + float32(h/n)*g[j]
			}
			return loss()
		}
		const eps = 0.02
		num := (8*(step(eps)-step(-eps)) - (step(2*eps) - step(-2*eps))) / (12 * eps)
		copy(w.Data, base)
		if math.Abs(num-n) > 4e-3*n+1e-5 {
			t.Errorf("%s: directional derivative %g, gradient norm %g", w.Name, num, n)
		}
	}
}

// TestLoRALearns: adapters fit what they are shown while everything else stays as it was.
func TestLoRALearns(t *testing.T) {
	m := New(tinyConfig(t), 5)
	before := slices.Clone(m.embed)
	l, err := NewLoRA(m, LoRAOptions{Rank: 8})
	if err != nil {
		t.Fatal(err)
	}
	tr := NewTrainer(m, TrainerOptions{Threads: 2, LoRA: l})
	defer tr.Close()
	var losses []float64
	for i := range 80 {
		s, err := tr.Step(randomBatch(uint64(i%2), 20, 8), 1e-2)
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, s.Loss)
	}
	if last := losses[len(losses)-1]; last > losses[0]*0.7 {
		t.Errorf("loss went from %g to %g", losses[0], last)
	}
	if !slices.Equal(before, m.embed) {
		t.Error("embeddings changed")
	}
	for _, bad := range []LoRAOptions{{Targets: []string{"lm_head"}}, {Rank: 1 << 20}} {
		if _, err := NewLoRA(m, bad); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}

// TestGrow: a larger vocabulary leaves the old tokens' logits as they were.
func TestGrow(t *testing.T) {
	m := New(tinyConfig(t), 5)
	g := m.Grow(53)
	if !slices.Equal(g.embed[:len(m.embed)], m.embed) || g.Config.Vocab != 53 || !slices.Equal(g.norm, m.norm) || m.Grow(10) != m {
		t.Error("growing changes what was there")
	}
}

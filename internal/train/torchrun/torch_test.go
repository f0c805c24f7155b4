package torchrun

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"syncabel/internal/markup"
	"syncabel/internal/model"
	"syncabel/internal/model/checkpoint"
	"syncabel/internal/tokenizer"
	"syncabel/internal/train"
)

// torchPython names a Python that has torch, transformers and peft.
const torchPython = "SYNCABEL_TORCH_PYTHON"

func python(t *testing.T) string {
	t.Helper()
	p := os.Getenv(torchPython)
	if p == "" {
		t.Skipf("the real trainer is not run: name a Python that has torch, transformers and peft in %s", torchPython)
	}
	return p
}

// source draws its examples from a short list; their lengths differ.
type source struct{ next int }

func (s *source) Skip(n int) { s.next += n }

func (s *source) Next() (prompt, target []markup.Segment, origin string) {
	names := []string{"gout", "stroke", "systemic lupus erythematosus", "migraine", "acute myocardial infarction", "measles", "ALS"}
	n := names[s.next%len(names)]
	s.next++
	return markup.Bare(n[:len(n)-1], "Disorders", "en"), markup.Target([]string{n}), "test"
}

// base is a random Llama whose embeddings lack the last token's row, and its tokenizer.
func base(t *testing.T) (dir string, c model.Config, tok *tokenizer.Tokenizer) {
	t.Helper()
	tok, err := tokenizer.Train(slices.Values([]string{"gout", "stroke"}),
		tokenizer.TrainOptions{VocabSize: 280, Special: append([]string{"<s>", "</s>"}, markup.Marks([]string{"Disorders"}, nil)...)})
	if err != nil {
		t.Fatal(err)
	}
	if c, err = model.Preset("tiny", tok.VocabSize()-1); err != nil {
		t.Fatal(err)
	}
	c.BOS, c.EOS, c.Layers, c.Width, c.Hidden, c.HeadWidth = 0, 1, 2, 48, 96, 12
	dir = t.TempDir()
	if err := checkpoint.Save(dir, model.New(c, 1)); err != nil {
		t.Fatal(err)
	}
	c.Vocab++
	return dir, c, tok
}

const steps, batchTokens = 12, 160

func options() train.Options {
	return train.Options{Tokens: steps * batchTokens, BatchTokens: batchTokens, LR: 4e-3, Decay: 0.05, EmbedLR: 2, MaxLength: 80, Seed: 3}
}

// job trains base on two processes in sequences of half a batch.
func job(t *testing.T, dir string) *Job {
	t.Helper()
	t.Cleanup(func() {
		if b, err := os.ReadFile(filepath.Join(dir, logName)); t.Failed() && err == nil {
			t.Logf("%s", b)
		}
	})
	b, c, tok := base(t)
	return &Job{Settings: Settings{Python: python(t), Processes: 2, DType: "float32", MicroTokens: 80}, Dir: dir, Base: b, Model: c, Train: options(), Tokenizer: tok, Source: &source{}}
}

// native trains the same job with the native engine and returns the loss of each step and the weights.
func native(t *testing.T, j *Job) ([]float64, *model.Model) {
	t.Helper()
	m, err := checkpoint.Load(j.Base)
	if err != nil {
		t.Fatal(err)
	}
	m = m.Grow(j.Model.Vocab)
	o := model.TrainerOptions{Decay: float32(j.Train.Decay), EmbedLR: float32(j.Train.EmbedLR)}
	if j.LoRA != nil {
		if o.LoRA, err = model.NewLoRA(m, model.LoRAOptions{Rank: j.LoRA.Rank, Alpha: j.LoRA.Alpha, Seed: 5}); err != nil {
			t.Fatal(err)
		}
		j.LoRA.Start = t.TempDir()
		if err := checkpoint.SaveAdapter(j.LoRA.Start, o.LoRA, "base"); err != nil {
			t.Fatal(err)
		}
	}
	tr := model.NewTrainer(m, o)
	defer tr.Close()
	batches := train.NewBatches(j.Model, j.Tokenizer, &source{}, j.Train)
	var losses []float64
	var b model.Batch
	for i := range j.Train.Steps() {
		if err := batches.Next(&b); err != nil {
			t.Fatal(err)
		}
		s, err := tr.Step(&b, float32(j.Train.Rate(i)))
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, s.Loss)
	}
	return losses, m
}

func run(t *testing.T, j *Job) *Result {
	t.Helper()
	j.Log = t.Logf
	r, err := j.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// farthest is the largest difference of two lists' members, as a share of the second's.
func farthest(t *testing.T, got, want []float64) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d losses instead of %d", len(got), len(want))
	}
	far := 0.0
	for i := range got {
		far = max(far, math.Abs(got[i]-want[i])/want[i])
	}
	return far
}

// tolerance of a step's loss in float32, as a share: the two engines add in different orders.
const tolerance = 1e-4

// TestTorch runs the real trainer: on the same batches its losses are the native engine's, on one process and on two, all weights and
// adapters, and so are the weights it ends with; killed or stopped, it goes on as if nothing had been. One test, because every start
// of torchrun imports PyTorch again.
func TestTorch(t *testing.T) {
	python(t)
	var whole []float64 // losses of two processes and all weights
	t.Run("all weights, 2 processes", func(t *testing.T) { whole = equalsNative(t, job(t, t.TempDir())).Losses })
	t.Run("all weights, 1 process", func(t *testing.T) {
		j := job(t, t.TempDir())
		j.Processes, j.MicroTokens = 1, 1000
		equalsNative(t, j)
	})
	t.Run("killed, then stopped", func(t *testing.T) {
		j := job(t, t.TempDir())
		j.SaveMinutes = 1e-5 // after every step
		killed := interrupted(t, j, 3, func() { killAll(t, j) })
		if t.Log(killed); errors.Is(killed, context.Canceled) {
			t.Fatal("it was not killed")
		}
		stop(t, j, 6)
		r := run(t, j)
		t.Logf("resumed from step %d, largest relative difference of a loss %g", r.Resumed, farthest(t, r.Losses, whole))
		if !slices.Equal(r.Losses, whole) || r.Resumed < 6 || r.Resumed >= steps {
			t.Errorf("resumed from step %d: losses %v instead of %v", r.Resumed, r.Losses, whole)
		}
	})
	t.Run("adapters, 2 processes, then 1", func(t *testing.T) {
		j := job(t, t.TempDir())
		j.LoRA, j.Train.LR, j.Train.EmbedLR = &LoRA{Rank: 4, BaseName: "base"}, 2e-2, 1
		want, m := native(t, j)
		stop(t, j, 5)
		j.Processes = 1
		r := run(t, j)
		compare(t, r, want)
		if r.Resumed < 5 || r.Resumed >= steps {
			t.Errorf("resumed from step %d", r.Resumed)
		}
		merged := take(t, j, m)
		b, err := checkpoint.Load(j.Base)
		if err != nil {
			t.Fatal(err)
		}
		b = b.Grow(j.Model.Vocab)
		if _, err := checkpoint.LoadAdapter(filepath.Join(merged, "adapter"), b); err != nil {
			t.Fatal(err)
		}
		sameWeights(t, b, m)
	})
	t.Run("bfloat16", func(t *testing.T) {
		j := job(t, t.TempDir())
		j.DType, j.Store = "bfloat16", "bfloat16"
		want, _ := native(t, j)
		far := farthest(t, run(t, j).Losses, want)
		if t.Logf("largest relative difference to the native engine in float32 %.1e", far); far > 0.02 {
			t.Error("too far")
		}
		if _, err := checkpoint.Load(filepath.Join(j.Dir, modelName)); err != nil {
			t.Error(err)
		}
	})
}

func equalsNative(t *testing.T, j *Job) *Result {
	t.Helper()
	want, m := native(t, j)
	r := run(t, j)
	compare(t, r, want)
	take(t, j, m)
	return r
}

func compare(t *testing.T, r *Result, want []float64) {
	t.Helper()
	far := farthest(t, r.Losses, want)
	t.Logf("losses %.4f ... %.4f, largest relative difference to the native engine %.1e", r.Losses[0], r.Losses[steps-1], far)
	if far > tolerance || r.Losses[steps-1] > r.Losses[0]*0.9 {
		t.Errorf("losses %v, native %v", r.Losses, want)
	}
}

// take takes the result, which must be m, and returns its folder.
func take(t *testing.T, j *Job, m *model.Model) string {
	t.Helper()
	out := t.TempDir()
	if err := j.Take(out); err != nil {
		t.Fatal(err)
	}
	got, err := checkpoint.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	sameWeights(t, got, m)
	return out
}

func sameWeights(t *testing.T, got, want *model.Model) {
	t.Helper()
	far := 0.0
	for i, w := range want.Tensors() {
		for k, x := range got.Tensors()[i].Data {
			far = max(far, math.Abs(float64(x-w.Data[k])))
		}
	}
	if t.Logf("largest difference of a weight %.1e", far); far > 1e-3 { // Adam turns a gradient near zero into a whole step
		t.Error("too far")
	}
}

// interrupted runs j, does something after a step, and returns the error that it then ends with.
func interrupted(t *testing.T, j *Job, at int64, do func()) error {
	t.Helper()
	j.Log, j.Source, j.Progress = t.Logf, &source{}, func(made, _ int64) {
		if made >= at {
			do()
		}
	}
	_, err := j.Run(t.Context())
	if err == nil {
		t.Fatal("it came to its end")
	}
	j.Source, j.Progress = &source{}, nil
	return err
}

// stop asks the trainer to stop after a step, as Ctrl-C does.
func stop(t *testing.T, j *Job, at int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	j.Log, j.Progress = t.Logf, func(made, _ int64) {
		if made >= at {
			cancel()
		}
	}
	if _, err := j.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	j.Source, j.Progress = &source{}, nil
}

// killAll ends every process of the last start as a full memory would.
func killAll(t *testing.T, j *Job) {
	var pids []int
	if err := (&tail{path: filepath.Join(j.Dir, metricsName)}).all(func(e *Event) {
		if e.Event == started {
			pids = e.PIDs
		}
	}); err != nil {
		t.Error(err)
	}
	for _, p := range pids {
		if process, err := os.FindProcess(p); err == nil {
			_ = process.Kill()
		}
	}
}

package train

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"syncabel/internal/markup"
	"syncabel/internal/model"
	"syncabel/internal/tokenizer"
)

// source draws its examples from a short list.
type source struct{ next int }

func (s *source) Skip(n int) { s.next += n }

func (s *source) Next() (prompt, target []markup.Segment, origin string) {
	names := []string{"gout", "stroke", "asthma", "migraine", "measles"}
	n := names[s.next%len(names)]
	s.next++
	return markup.Bare(n[:len(n)-1], "Disorders", "en"), markup.Target([]string{n}), "test"
}

func fresh(t *testing.T) (*model.Model, *tokenizer.Tokenizer) {
	t.Helper()
	tok, err := tokenizer.Train(slices.Values([]string{"gout", "stroke"}),
		tokenizer.TrainOptions{VocabSize: 280, Special: append([]string{"<s>", "</s>"}, markup.Marks([]string{"Disorders"}, nil)...)})
	if err != nil {
		t.Fatal(err)
	}
	c, _ := model.Preset("tiny", tok.VocabSize())
	c.BOS, c.EOS = 0, 1
	return model.New(c, 1), tok
}

var options = Options{Tokens: 6000, BatchTokens: 100}

// TestResume: a run that is interrupted and resumed ends with the weights of one that was not, bit for bit.
func TestResume(t *testing.T) {
	whole, tok := fresh(t)
	res, err := Run(context.Background(), whole, tok, &source{}, options)
	if err != nil {
		t.Fatal(err)
	}
	if last := res.Log[len(res.Log)-1].Loss; res.Steps != 60 || last > res.Log[0].Loss || math.IsNaN(last) {
		t.Errorf("%d steps, log %+v", res.Steps, res.Log)
	}
	opt := options
	opt.Dir = t.TempDir()
	for _, stop := range []int64{7, 31} {
		ctx, cancel := context.WithCancel(context.Background())
		opt.Progress = func(done, _ int64) {
			if done == stop {
				cancel()
			}
		}
		m, _ := fresh(t)
		if _, err := Run(ctx, m, tok, &source{}, opt); !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped at %d: %v", stop, err)
		}
		cancel()
	}
	opt.Progress = nil
	m, _ := fresh(t)
	resumed, err := Run(context.Background(), m, tok, &source{}, opt)
	if err != nil || resumed.Resumed != 31 {
		t.Fatalf("resumed from %d: %v", resumed.Resumed, err)
	}
	if diff := cmp.Diff(res, resumed, cmpopts.IgnoreFields(Result{}, "Resumed")); diff != "" {
		t.Error(diff)
	}
	for i, w := range m.Tensors() {
		if !slices.Equal(w.Data, whole.Tensors()[i].Data) {
			t.Fatalf("%s differs after a resume", w.Name)
		}
	}
}

// TestResumeLoRA: the same with adapters, whose state holds no other weights.
func TestResumeLoRA(t *testing.T) {
	var want []float32
	for _, stop := range []int64{0, 9} {
		m, tok := fresh(t)
		opt := options
		opt.Tokens, opt.LR, opt.Dir = 2000, 1e-2, t.TempDir()
		run := func(ctx context.Context) error {
			m, _ = fresh(t)
			var err error
			if opt.LoRA, err = model.NewLoRA(m, model.LoRAOptions{Rank: 4}); err != nil {
				t.Fatal(err)
			}
			_, err = Run(ctx, m, tok, &source{}, opt)
			return err
		}
		if stop > 0 {
			ctx, cancel := context.WithCancel(context.Background())
			opt.Progress = func(done, _ int64) {
				if done == stop {
					cancel()
				}
			}
			if err := run(ctx); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			cancel()
			opt.Progress = nil
		}
		if err := run(context.Background()); err != nil {
			t.Fatal(err)
		}
		var got []float32
		for _, w := range m.Tensors() {
			got = append(got, w.Data...)
		}
		if want == nil {
			want = got
		} else if !slices.Equal(got, want) {
			t.Error("weights differ after a resume")
		}
	}
}

func TestEncode(t *testing.T) {
	_, tok := fresh(t)
	tokens, targets := Encode(tok, 0, 1, markup.Bare("gout", "Disorders", "en"), markup.Target([]string{"gout"}))
	if len(tokens) != len(targets) || tokens[0] != 0 || targets[len(targets)-1] != 1 {
		t.Fatalf("%v %v", tokens, targets)
	}
	start := slices.IndexFunc(targets, func(x int32) bool { return x >= 0 })
	if got := tok.Decode(targets[start:len(targets)-1], false); got != " gout" {
		t.Errorf("target %q", got)
	}
}

func TestTooLongExamplesAreCounted(t *testing.T) {
	m, tok := fresh(t)
	opt := options
	opt.Tokens, opt.MaxLength = 200, 3
	if _, err := Run(context.Background(), m, tok, &source{}, opt); err == nil {
		t.Error("training on nothing succeeded")
	}
}

// TestRate: both schedules warm up to the peak and end near FinalLR of it; the cosine stays higher in the first half.
func TestRate(t *testing.T) {
	line := Options{Tokens: 100_000, BatchTokens: 100, LR: 1, FinalLR: 0.1, Warmup: 10}
	cosine := line
	cosine.Schedule = Cosine
	for _, o := range []Options{line, cosine} {
		if first, peak, last := o.Rate(0), o.Rate(10), o.Rate(999); math.Abs(first-0.1) > 1e-9 || math.Abs(peak-1) > 0.01 || math.Abs(last-0.1) > 0.001 {
			t.Errorf("%s: %g, %g, %g", o.Schedule, first, peak, last)
		}
	}
	if line.Rate(300) >= cosine.Rate(300) || line.Rate(700) <= cosine.Rate(700) {
		t.Error("the cosine is none")
	}
}

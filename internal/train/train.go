// Package train fits a model to a stream of examples: packing, schedule, AdamW, checkpoints and exact resume. It stands
// after dataset and before link.
package train

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"syncabel/internal/markup"
	"syncabel/internal/model"
	"syncabel/internal/model/checkpoint"
	"syncabel/internal/tokenizer"
)

// A Source hands out examples; the i-th call of a fresh source always returns the same one.
type Source interface {
	Next() (prompt, target []markup.Segment, origin string)
	Skip(n int)
}

// Options of Run. The defaults are the small-model recipe.
type Options struct {
	Tokens      int     // budget of training tokens; default 2,000,000
	BatchTokens int     // tokens of a step; default 1536: more steps beat larger ones at this size
	LR          float64 // peak learning rate; default 3e-3
	FinalLR     float64 // last learning rate as a share of the peak; default 0.02
	Warmup      int     // steps to the peak; default 100
	Schedule    string  // of the learning rate after warm-up: Linear (default) or Cosine
	Decay       float64 // weight decay; default 0.05
	Seed        uint64
	Threads     int
	EmbedLR     float64       // factor of the learning rate of embeddings; default 8 for models from scratch, see model; 1 for others
	Recompute   bool          // see model.TrainerOptions
	LoRA        *model.LoRA   // train adapters instead of the weights
	MaxLength   int           // longest example in tokens; longer ones are left out and counted; default 256
	Dir         string        // where the training state is kept for resuming; empty: nowhere
	Every       time.Duration // between two saved states; default 30 s
	Progress    func(done, total int64)
}

// Schedules of the learning rate.
const (
	Linear = "linear"
	Cosine = "cosine"
)

// A Record is one line of the training log.
type Record struct {
	Step   int     `json:"step"`
	Tokens int64   `json:"tokens"`
	Loss   float64 `json:"loss"` // mean over the steps since the last record
	LR     float64 `json:"lr"`
}

// A Result says what happened.
type Result struct {
	Steps    int            `json:"steps"`
	Tokens   int64          `json:"tokens"`
	Examples map[string]int `json:"examples"` // drawn, by origin
	TooLong  int            `json:"too_long"`
	Log      []Record       `json:"log"`
	Resumed  int            `json:"-"` // steps taken over from an interrupted run
}

// Encode turns an example into input tokens and targets, both of the same length:
//
// A model without a BOS token (bos -1) has none in front.
//
//	sequence = <s> prompt name </s>;  tokens = sequence[:n-1];  targets[i] = sequence[i+1] inside the name and at its end, else -1
func Encode(tok *tokenizer.Tokenizer, bos, eos int32, prompt, target []markup.Segment) (tokens, targets []int32) {
	seq := EncodePrompt(tok, bos, prompt)
	start := len(seq)
	seq = append(AppendSegments(tok, seq, target), eos)
	tokens = seq[:len(seq)-1]
	targets = make([]int32, len(tokens))
	for i := range targets {
		targets[i] = -1
		if i+1 >= start {
			targets[i] = seq[i+1]
		}
	}
	return tokens, targets
}

// EncodePrompt returns <s> and the prompt.
func EncodePrompt(tok *tokenizer.Tokenizer, bos int32, prompt []markup.Segment) []int32 {
	var start []int32
	if bos >= 0 {
		start = append(start, bos)
	}
	return AppendSegments(tok, start, prompt)
}

// AppendSegments encodes segments: our marks with special tokens, the user's text without.
func AppendSegments(tok *tokenizer.Tokenizer, dst []int32, segments []markup.Segment) []int32 {
	for _, s := range segments {
		if s.Special {
			dst = tok.EncodeMarks(dst, s.Text)
		} else {
			dst = tok.EncodeOrdinary(dst, s.Text)
		}
	}
	return dst
}

type run struct {
	opt     Options
	tr      *model.Trainer
	batches *Batches
	res     Result
	total   int
	batch   model.Batch
	sum     float64
	summed  int
}

// Run trains m until the token budget is spent. When ctx ends it saves its state and returns ctx's error; a later Run with
// the same arguments goes on from there and ends with the same weights, bit for bit, on the same machine type.
func Run(ctx context.Context, m *model.Model, tok *tokenizer.Tokenizer, src Source, opt Options) (*Result, error) {
	opt = opt.Defaults()
	r := &run{opt: opt, batches: NewBatches(m.Config, tok, src, opt), total: opt.Steps()}
	r.tr = model.NewTrainer(m, model.TrainerOptions{Decay: float32(opt.Decay), EmbedLR: float32(opt.EmbedLR), Threads: opt.Threads,
		Recompute: opt.Recompute, LoRA: opt.LoRA})
	defer r.tr.Close()
	if err := r.resume(); err != nil {
		return nil, err
	}
	saved := time.Now()
	for r.tr.Steps() < r.total {
		if err := r.step(); err != nil {
			return nil, err
		}
		if opt.Progress != nil {
			opt.Progress(int64(r.tr.Steps()), int64(r.total))
		}
		if ctx.Err() != nil || opt.Dir != "" && time.Since(saved) > opt.Every {
			if err := r.save(); err != nil {
				return nil, err
			}
			saved = time.Now()
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("training stopped after %d of %d steps: %w", r.tr.Steps(), r.total, ctx.Err())
		}
	}
	r.res.Steps, r.res.Examples, r.res.TooLong = r.tr.Steps(), r.batches.Examples, r.batches.TooLong
	return &r.res, nil
}

// Steps is how many steps the budget of tokens is.
func (o Options) Steps() int {
	o = o.Defaults()
	return max(o.Tokens/o.BatchTokens, 1)
}

// Defaults fills in what is not set.
func (o Options) Defaults() Options {
	o.Tokens, o.BatchTokens = cmp.Or(o.Tokens, 2_000_000), cmp.Or(o.BatchTokens, 1536)
	o.LR, o.FinalLR, o.Decay = cmp.Or(o.LR, 3e-3), cmp.Or(o.FinalLR, 0.02), cmp.Or(o.Decay, 0.05)
	o.Warmup, o.MaxLength = cmp.Or(o.Warmup, 100), cmp.Or(o.MaxLength, 256)
	o.Every = cmp.Or(o.Every, 30*time.Second)
	return o
}

// progress is what a saved state holds beside weights and moments.
type progress struct {
	Drawn  int     `json:"drawn"` // examples
	Result Result  `json:"result"`
	Sum    float64 `json:"sum"` // of losses since the last record
	Summed int     `json:"summed"`
}

func (r *run) resume() error {
	if r.opt.Dir == "" {
		return nil
	}
	saved, ok, err := checkpoint.LoadState(r.opt.Dir, r.tr)
	var p progress
	if err == nil && ok {
		err = json.Unmarshal([]byte(saved), &p)
	}
	if err != nil {
		return fmt.Errorf("resuming training: %w: delete the folder %s to start again", err, r.opt.Dir)
	}
	if ok {
		r.res, r.sum, r.summed = p.Result, p.Sum, p.Summed
		r.batches.skip(p.Drawn, p.Result)
		r.res.Resumed = r.tr.Steps()
	}
	return nil
}

// save keeps the state.
func (r *run) save() error {
	if r.opt.Dir == "" {
		return nil
	}
	p := progress{Result: r.res, Sum: r.sum, Summed: r.summed}
	p.Drawn, p.Result.Examples = r.batches.used()
	p.Result.TooLong = r.batches.TooLong
	b, err := json.Marshal(p)
	if err == nil {
		err = checkpoint.SaveState(r.opt.Dir, r.tr, string(b))
	}
	if err != nil {
		return fmt.Errorf("saving training state: %w", err)
	}
	return nil
}

func (r *run) step() error {
	if err := r.batches.Next(&r.batch); err != nil {
		return err
	}
	lr := r.opt.Rate(r.tr.Steps())
	s, err := r.tr.Step(&r.batch, float32(lr))
	if err != nil {
		return fmt.Errorf("training step %d: %w", r.tr.Steps(), err)
	}
	r.res.Tokens += int64(s.Tokens)
	r.sum, r.summed = r.sum+s.Loss, r.summed+1
	if n := r.tr.Steps(); n%50 == 0 || n == r.total {
		r.res.Log = append(r.res.Log, Record{n, r.res.Tokens, r.sum / float64(r.summed), lr})
		r.sum, r.summed = 0, 0
	}
	return nil
}

// Rate is the learning rate of a step: up during warm-up, then down in a line, or half a cosine, to FinalLR of the peak.
func (o Options) Rate(step int) float64 {
	o = o.Defaults()
	total := o.Steps()
	up := math.Min(1, float64(step+1)/float64(min(o.Warmup, max(total/10, 1))))
	spent := float64(step) / float64(total)
	if o.Schedule == Cosine {
		spent = (1 - math.Cos(math.Pi*spent)) / 2
	}
	down := 1 - (1-o.FinalLR)*spent
	return o.LR * up * down
}

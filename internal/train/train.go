// Package train fits a model to a stream of examples: packing, schedule, AdamW, checkpoints and exact resume. It stands
// after dataset and before link.
package train

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
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
	opt   Options
	tok   *tokenizer.Tokenizer
	m     *model.Model
	tr    *model.Trainer
	src   Source
	drawn int
	res   Result
	total int
	batch model.Batch
	held  [2][]int32 // example that did not fit the last batch

	heldFrom, lastFrom string // its origin, and that of the last example drawn
	sum                float64
	summed             int
}

// Run trains m until the token budget is spent. When ctx ends it saves its state and returns ctx's error; a later Run with
// the same arguments goes on from there and ends with the same weights, bit for bit, on the same machine type.
func Run(ctx context.Context, m *model.Model, tok *tokenizer.Tokenizer, src Source, opt Options) (*Result, error) {
	opt = defaults(opt)
	r := &run{opt: opt, tok: tok, m: m, src: src, total: max(opt.Tokens/opt.BatchTokens, 1)}
	r.tr = model.NewTrainer(m, model.TrainerOptions{Decay: float32(opt.Decay), EmbedLR: float32(opt.EmbedLR), Threads: opt.Threads,
		Recompute: opt.Recompute, LoRA: opt.LoRA})
	defer r.tr.Close()
	r.res.Examples = map[string]int{}
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
	r.res.Steps = r.tr.Steps()
	return &r.res, nil
}

func defaults(o Options) Options {
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
		r.src.Skip(p.Drawn)
		r.drawn, r.res, r.sum, r.summed = p.Drawn, p.Result, p.Sum, p.Summed
		r.res.Resumed = r.tr.Steps()
	}
	return nil
}

// save keeps the state. The held example counts as not drawn: it is drawn again after a resume.
func (r *run) save() error {
	if r.opt.Dir == "" {
		return nil
	}
	p := progress{r.drawn, r.res, r.sum, r.summed}
	if r.held[0] != nil {
		p.Drawn--
		p.Result.Examples = maps.Clone(p.Result.Examples)
		p.Result.Examples[r.heldFrom]--
	}
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
	if err := r.fill(); err != nil {
		return err
	}
	lr := r.rate(r.tr.Steps())
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

// fill packs examples until the next one would not fit.
func (r *run) fill() error {
	b := &r.batch
	b.Tokens, b.Targets, b.Starts = b.Tokens[:0], b.Targets[:0], b.Starts[:0]
	for skipped := 0; ; {
		tokens, targets := r.held[0], r.held[1]
		r.held = [2][]int32{}
		if tokens == nil {
			tokens, targets = r.draw()
		}
		if len(tokens) > r.opt.MaxLength {
			r.res.TooLong++
			if skipped++; skipped > 10000 {
				return fmt.Errorf("10,000 examples in a row are longer than %d tokens: raise max_length or shorten the context", r.opt.MaxLength)
			}
			continue
		}
		if len(b.Tokens) > 0 && len(b.Tokens)+len(tokens) > r.opt.BatchTokens {
			r.held, r.heldFrom = [2][]int32{tokens, targets}, r.lastFrom
			return nil
		}
		b.Starts = append(b.Starts, int32(len(b.Tokens)))
		b.Tokens, b.Targets = append(b.Tokens, tokens...), append(b.Targets, targets...)
	}
}

func (r *run) draw() (tokens, targets []int32) {
	prompt, target, origin := r.src.Next()
	r.drawn++
	r.res.Examples[origin]++
	r.lastFrom = origin
	c := r.m.Config
	return Encode(r.tok, c.BOS, c.EOS, prompt, target)
}

// rate is linear: up during warm-up, then down to FinalLR of the peak.
func (r *run) rate(step int) float64 {
	up := math.Min(1, float64(step+1)/float64(min(r.opt.Warmup, max(r.total/10, 1))))
	down := 1 - (1-r.opt.FinalLR)*float64(step)/float64(r.total)
	return r.opt.LR * up * down
}

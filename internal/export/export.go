// Package export writes training examples for other trainers and synthetic sets for publication. It stands after train, whose
// encoding of examples it shares, and is a leaf: nothing here reads what it writes.
//
// One folder serves TRL, axolotl, LLaMA-Factory and NeMo AutoModel. The pre-tokenised rows are the truth, made by the tokenizer that
// also builds the trie; every row is there as text, too, for trainers that tokenise themselves, and it is counted how often their
// tokens would differ. Human and synthetic examples are mixed here, not by the trainer.
package export

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"syncabel/internal/artifact"
	"syncabel/internal/dataset"
	"syncabel/internal/markup"
	"syncabel/internal/text"
	"syncabel/internal/tokenizer"
	"syncabel/internal/train"
)

// Options of Trainers.
type Options struct {
	Base      string  // model that configs name; default "BASE_MODEL"
	Tokenizer string  // folder or tokenizer.json of the base; empty: no pre-tokenised rows
	BOS, EOS  string  // tokens of the base; default: as tokenizer_config.json and the tokenizer's template say
	Mode      string  // of mixing; human_only_ft is two exports
	Ratio     float64 // of mode ratio
	Passes    int     // epochs that configs ask for; default the paper's of the mode
	Shuffle   bool    // rows in an order drawn with Seed, not as the mode defines it
	Seed      uint64
	Shards    int // files a set is cut into; default 1
	MaxLength int // tokens that configs and packing allow; default 2048
	Pack      bool
}

// A writer fills the folder.
type writer struct {
	opt      Options
	f        *artifact.Folder
	tok      *tokenizer.Tokenizer // nil without
	bos      int32                // -1: none
	eos      int32
	grows    bool // <SEP> is behind the base's last token
	warnings []text.Warning
}

// Trainers writes the examples of train, mixed, and of dev, which may be nil, into a folder, and counts them in its manifest.
func Trainers(f *artifact.Folder, trainSet, dev *dataset.Set, opt Options) ([]text.Warning, error) {
	opt.Base, opt.Shards, opt.MaxLength = cmp.Or(opt.Base, "BASE_MODEL"), max(opt.Shards, 1), cmp.Or(opt.MaxLength, 2048)
	opt.Passes = cmp.Or(opt.Passes, dataset.Passes(opt.Mode))
	if opt.Mode == dataset.HumanFT {
		return nil, fmt.Errorf("mode %s is two trainings: export %s, train, then export %s and train from that model", opt.Mode, dataset.SynthOnly, dataset.HumanOnly)
	}
	w := &writer{opt: opt, f: f, bos: -1}
	f.Manifest.Counts, f.Manifest.Metrics = map[string]int64{}, map[string]float64{}
	if opt.Tokenizer != "" {
		if err := w.tokenizer(); err != nil {
			return nil, err
		}
	}
	counts := trainSet.Counts()
	refs, err := dataset.Sequence(opt.Mode, counts[dataset.Human], counts[dataset.Synthetic], opt.Ratio)
	if err != nil {
		return nil, err
	}
	if len(refs) == 0 {
		return nil, fmt.Errorf("mode %s gives no example from %d human and %d synthetic ones", opt.Mode, counts[dataset.Human], counts[dataset.Synthetic])
	}
	if opt.Shuffle {
		r := rand.New(rand.NewPCG(opt.Seed, 0xe)) // a stream of its own
		r.Shuffle(len(refs), func(i, j int) { refs[i], refs[j] = refs[j], refs[i] })
	}
	if err := w.set("train", trainSet, refs); err != nil {
		return nil, err
	}
	hasDev := dev != nil && dev.Counts()[dataset.Human] > 0
	if hasDev {
		refs, _ := dataset.Sequence(dataset.HumanOnly, dev.Counts()[dataset.Human], 0, 0)
		if err := w.set("dev", dev, refs); err != nil {
			return nil, err
		}
	}
	return w.warnings, w.configs(hasDev)
}

// tokenizer copies the base's tokenizer with <SEP> on a reserved token.
func (w *writer) tokenizer() error {
	tok, sep, err := tokenizer.Adapt(w.opt.Tokenizer, w.f.Path("tokenizer"), markup.Sep, 0)
	if err != nil {
		return fmt.Errorf("reading --tokenizer: %w", err)
	}
	w.tok = tok
	if base, err := tokenizer.Load(w.opt.Tokenizer); err == nil {
		w.grows = int(sep) >= base.VocabSize()
	}
	w.f.Manifest.Counts["sep_token"], w.f.Manifest.Counts["vocabulary"] = int64(sep), int64(tok.VocabSize())
	bos, eos := w.opt.BOS, w.opt.EOS
	if c, err := companions(w.opt.Tokenizer); err == nil {
		bos, eos = cmp.Or(bos, c.BOS), cmp.Or(eos, c.EOS)
	}
	if prefix, suffix := tok.Template(); bos == "" && len(prefix) > 0 {
		bos = tok.Token(prefix[0])
	} else if eos == "" && len(suffix) > 0 {
		eos = tok.Token(suffix[0])
	}
	var ok bool
	if w.eos, ok = tok.ID(eos); !ok {
		return fmt.Errorf("the tokenizer has no token %q for the end of a name: give --eos", eos)
	}
	if bos == "" {
		return nil
	}
	if w.bos, ok = tok.ID(bos); !ok {
		return fmt.Errorf("the tokenizer has no token %q for the beginning: give --bos", bos)
	}
	return nil
}

// set writes one split in every form.
func (w *writer) set(split string, set *dataset.Set, refs []dataset.Ref) error {
	forms := map[string]func(*row) any{
		"pc":       func(r *row) any { return map[string]any{"prompt": r.prompt, "completion": r.completion, "id": r.id} },
		"segments": w.segments,
	}
	if w.tok != nil {
		forms["pretok"] = func(r *row) any { return r.tokens }
	}
	var prompts, targets []int
	differ := int64(0)
	for _, form := range []string{"pc", "segments", "pretok"} {
		make := forms[form]
		if make == nil {
			continue
		}
		for s := range w.opt.Shards {
			lo, hi := s*len(refs)/w.opt.Shards, (s+1)*len(refs)/w.opt.Shards
			name := w.f.Path(form, fmt.Sprintf("%s-%05d-of-%05d.jsonl", split, s, w.opt.Shards))
			err := lines(name, hi-lo, func(i int) any {
				r := w.row(set, refs[lo+i])
				if form == "pretok" {
					prompts, targets = append(prompts, r.promptTokens), append(targets, len(r.tokens.IDs)-r.promptTokens)
					if r.differs {
						differ++
					}
				}
				return make(r)
			})
			if err != nil {
				return err
			}
		}
	}
	counts := w.f.Manifest.Counts
	counts[split] = int64(len(refs))
	for _, r := range refs {
		counts[split+" "+r.Origin]++
	}
	if w.tok != nil {
		w.lengths(split, prompts, targets)
		counts[split+" rows that text tokenises otherwise"] = differ
		if w.opt.Pack {
			if err := w.packed(split, set, refs, prompts, targets); err != nil {
				return err
			}
		}
	}
	return w.llamaFactory(split, set, refs)
}

// lengths puts the token statistics into the manifest.
func (w *writer) lengths(split string, prompts, targets []int) {
	s := dataset.CountTokens(prompts, targets)
	for k, v := range map[string]int64{"prompt tokens": s.Prompt, "target tokens": s.Target, "tokens median": int64(s.Median), "tokens p95": int64(s.P95),
		"tokens p99": int64(s.P99), "tokens max": int64(s.Max)} {
		w.f.Manifest.Counts[split+" "+k] = v
	}
	w.f.Manifest.Metrics[split+" tokens mean"] = s.Mean
	if s.Max > w.opt.MaxLength {
		w.warnings = append(w.warnings, text.Warning{Kind: "too-long", Msg: fmt.Sprintf("the longest example of %s has %d tokens: trainers cut it at %d and lose its name; give --max-length or less context", split, s.Max, w.opt.MaxLength)})
	}
}

// A row is one example in the forms that trainers want.
type row struct {
	id                 string
	prompt, completion string
	tokens             tokens
	promptTokens       int
	differs            bool // text tokenised as trainers do gives other tokens
}

// tokens is a pre-tokenised row. Labels are -100 where nothing is learnt.
type tokens struct {
	IDs       []int32 `json:"input_ids"`
	Mask      []int8  `json:"attention_mask"`
	Labels    []int32 `json:"labels"`
	Positions []int32 `json:"position_ids,omitempty"` // of packed rows: from 0 at every example
	ID        string  `json:"id,omitempty"`
}

const ignore = -100

func (w *writer) row(set *dataset.Set, ref dataset.Ref) *row {
	e := set.Example(ref)
	r := &row{id: e.ID, prompt: markup.Text(e.Prompt), completion: markup.Text(e.Target)}
	if w.tok == nil {
		return r
	}
	ids := train.EncodePrompt(w.tok, w.bos, e.Prompt)
	r.promptTokens = len(ids)
	ids = append(train.AppendSegments(w.tok, ids, e.Target), w.eos)
	r.tokens = tokens{IDs: ids, Mask: make([]int8, len(ids)), Labels: make([]int32, len(ids)), ID: r.id}
	for i := range ids {
		r.tokens.Mask[i], r.tokens.Labels[i] = 1, ignore
		if i >= r.promptTokens {
			r.tokens.Labels[i] = ids[i]
		}
	}
	var again []int32
	if w.bos >= 0 {
		again = append(again, w.bos)
	}
	r.differs = !slices.Equal(append(w.tok.Encode(again, r.prompt+r.completion), w.eos), ids)
	return r
}

// segments is the form input_output of axolotl, which adds no token of its own.
func (w *writer) segments(r *row) any {
	prompt, completion := r.prompt, r.completion
	if w.tok != nil {
		if w.bos >= 0 {
			prompt = w.tok.Token(w.bos) + prompt
		}
		completion += w.tok.Token(w.eos)
	}
	return map[string]any{"segments": []map[string]any{{"label": false, "text": prompt}, {"label": true, "text": completion}}}
}

// packed writes sequences of several examples, each with positions of its own.
func (w *writer) packed(split string, set *dataset.Set, refs []dataset.Ref, prompts, targets []int) error {
	lengths := make([]int, len(refs))
	total := 0
	for i := range refs {
		lengths[i] = prompts[i] + targets[i]
	}
	sequences, long := dataset.Pack(lengths, w.opt.MaxLength)
	err := lines(w.f.Path("packed", split+".jsonl"), len(sequences), func(i int) any {
		var t tokens
		for _, k := range sequences[i] {
			r := w.row(set, refs[k]).tokens
			t.IDs, t.Mask, t.Labels = append(t.IDs, r.IDs...), append(t.Mask, r.Mask...), append(t.Labels, r.Labels...)
			for p := range r.IDs {
				t.Positions = append(t.Positions, int32(p))
			}
		}
		total += len(t.IDs)
		return t
	})
	w.f.Manifest.Counts[split+" packed sequences"], w.f.Manifest.Counts[split+" too long to pack"] = int64(len(sequences)), int64(len(long))
	w.f.Manifest.Metrics[split+" packed fill"] = float64(total) / float64(max(len(sequences), 1)*w.opt.MaxLength)
	return err
}

// llamaFactory writes the alpaca form, one file a split.
func (w *writer) llamaFactory(split string, set *dataset.Set, refs []dataset.Ref) error {
	return lines(w.f.Path("llamafactory", split+".jsonl"), len(refs), func(i int) any {
		e := set.Example(refs[i])
		return map[string]string{"instruction": markup.Text(e.Prompt), "input": "", "output": markup.Text(e.Target)}
	})
}

// lines writes n JSON objects, one a line.
func lines(name string, n int, object func(i int) any) error {
	return artifact.WriteWith(name, func(out io.Writer) error {
		b := bufio.NewWriterSize(out, 1<<20)
		enc := json.NewEncoder(b)
		enc.SetEscapeHTML(false)
		for i := range n {
			if err := enc.Encode(object(i)); err != nil {
				return fmt.Errorf("writing %s: %w", filepath.Base(name), err)
			}
		}
		return b.Flush()
	})
}

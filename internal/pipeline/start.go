package pipeline

import (
	"cmp"
	"errors"
	"fmt"

	"syncabel/internal/artifact"
	"syncabel/internal/markup"
	"syncabel/internal/model"
	"syncabel/internal/model/checkpoint"
	"syncabel/internal/tokenizer"
)

// start is what training begins with.
type start struct {
	tok     *tokenizer.Tokenizer
	config  model.Config
	model   *model.Model // nil: another engine reads the base
	lora    *model.LoRA  // nil: all weights are trained
	lr      float64      // 0: train's default
	embedLR float64      // 0: train's default
	fresh   bool         // from scratch
}

// Learning rates of fine-tuning, the usual ones: a model that knows a language forgets it at the rates of training from scratch.
const (
	tuneLR = 5e-5 // all weights
	loraLR = 2e-4 // adapters
)

// rate is the learning rate that the config asks for, or the usual one of fine-tuning.
func (t *Train) rate() float64 {
	if t.LoRA > 0 {
		return cmp.Or(t.LR, loraLR)
	}
	return cmp.Or(t.LR, tuneLR)
}

// start makes the tokenizer and the first weights. A base's tokenizer is written to dir at once, with `<SEP>` as one of its tokens.
func (r *runner) start(d *data, cfg Train, seed uint64, dir string) (*start, error) {
	if cfg.Base == "" {
		tok, m, err := fresh(d, cfg, seed)
		if err != nil {
			return nil, err
		}
		return &start{tok: tok, config: m.Config, model: m, lr: cfg.LR, fresh: true}, nil
	}
	base := r.cfg.path(cfg.Base)
	c, err := checkpoint.Config(base)
	if err != nil {
		return nil, fmt.Errorf("reading train.base: %w", err)
	}
	if c.EOS < 0 {
		return nil, fmt.Errorf("reading train.base: %s: eos_token_id is not set: names need an end", base)
	}
	tok, sep, err := tokenizer.Adapt(base, dir, markup.Sep, c.Vocab)
	if err != nil {
		return nil, fmt.Errorf("reading train.base: %w", err)
	}
	c.Vocab = max(c.Vocab, int(sep)+1)
	s := &start{tok: tok, config: *c, lr: cfg.rate(), embedLR: 1}
	if cfg.Engine == Torchrun {
		return s, nil
	}
	return s, s.load(base, cfg, seed)
}

// load reads the base for the native engine and puts adapters on it.
func (s *start) load(base string, cfg Train, seed uint64) error {
	m, err := checkpoint.Load(base)
	if err != nil {
		return fmt.Errorf("reading train.base: %w", err)
	}
	if s.model = m.Grow(s.config.Vocab); cfg.LoRA == 0 {
		return nil
	}
	if s.lora, err = model.NewLoRA(s.model, model.LoRAOptions{Rank: cfg.LoRA, Alpha: cfg.LoRAAlpha, Seed: seed}); err != nil {
		return fmt.Errorf("train.lora: %w", err)
	}
	return nil
}

// baseHash is the hash of a base's content: of the files in its manifest where `syncabel import model` made it, else of all.
func baseHash(dir string) (string, error) {
	m, err := artifact.Verify(dir)
	switch {
	case err == nil:
		return m.Hash(), nil
	case !errors.Is(err, artifact.ErrUnfinished):
		return "", err
	}
	h, err := artifact.HashPath(dir)
	return h.SHA256, err
}

// save writes the model that the native engine trained, and the adapters beside it.
func (s *start) save(a *artifact.Folder, cfg Train) error {
	if s.lora != nil {
		if err := checkpoint.SaveAdapter(a.Path("adapter"), s.lora, cfg.Base); err != nil {
			return err
		}
	}
	return checkpoint.SaveAs(a.Dir, s.model, cmp.Or(cfg.DType, "float32"))
}

// Marks of the beginning and the end of a sequence of models from scratch.
const (
	bosToken = "<s>"
	eosToken = "</s>"
)

// fresh trains the tokenizer on names and training text and draws the first weights.
func fresh(d *data, cfg Train, seed uint64) (*tokenizer.Tokenizer, *model.Model, error) {
	special := append([]string{bosToken, eosToken}, markup.Marks(d.k.Groups(), nil)...)
	tok, err := tokenizer.Train(d.texts(cfg), tokenizer.TrainOptions{VocabSize: cmp.Or(cfg.Vocabulary, 4000), Special: special, Lowercase: true})
	if err != nil {
		return nil, nil, err
	}
	c, err := model.Preset(cmp.Or(cfg.Preset, "small"), tok.VocabSize())
	if err != nil {
		return nil, nil, err
	}
	c.BOS, _ = tok.ID(bosToken)
	c.EOS, _ = tok.ID(eosToken)
	return tok, model.New(c, seed), nil
}

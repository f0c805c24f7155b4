package pipeline

import (
	"cmp"
	"context"
	"path/filepath"

	"syncabel/internal/artifact"
	"syncabel/internal/model/checkpoint"
	"syncabel/internal/train"
	"syncabel/internal/train/torchrun"
)

// Torchrun is the engine that trains by PyTorch, on one machine or several; the default is the native one.
const Torchrun = "torchrun"

// trainElsewhere trains by torchrun, in the folder work/torchrun of the stage's name, which keeps settings, trainer, metrics and log.
func (r *runner) trainElsewhere(s *start, cfg Train, src train.Source, opt train.Options, a *artifact.Folder) (*train.Result, error) {
	j := &torchrun.Job{Settings: cfg.Torchrun, Dir: filepath.Join(r.opt.Out, "work", Torchrun, filepath.Base(a.Dir)), Base: r.cfg.path(cfg.Base), Model: s.config,
		Store: cmp.Or(cfg.DType, "float32"), Train: opt, Tokenizer: s.tok, Source: src,
		Prepared: r.progress("examples " + cfg.Name), Progress: r.progress("model " + cfg.Name), Note: r.opt.Note, Log: r.log}
	if s.fresh {
		j.Base = filepath.Join(j.Dir, "base")
		if err := checkpoint.Save(j.Base, s.model); err != nil {
			return nil, err
		}
	}
	if cfg.LoRA > 0 {
		j.LoRA = &torchrun.LoRA{Rank: cfg.LoRA, Alpha: cfg.LoRAAlpha, BaseName: cfg.Base}
	}
	res, err := j.Run(r.ctx)
	if err != nil {
		return nil, err
	}
	if err := j.Take(a.Dir); err != nil {
		return nil, err
	}
	if _, err := checkpoint.Config(a.Dir); err != nil {
		return nil, err
	}
	a.Manifest.Metrics = map[string]float64{"tokens per second": res.TokensPerSecond, "processes": float64(res.Started.Processes), "GPU memory in GiB": res.MemoryGiB}
	return &res.Result, nil
}

// FitModels runs the stages of cfg up to its models and returns where these are. Run takes them over.
func FitModels(ctx context.Context, cfg *Config, opt Options) ([]ModelRecord, error) {
	r := &runner{ctx: ctx, cfg: cfg, opt: opt}
	release, err := r.claim()
	if err != nil {
		return nil, err
	}
	defer release()
	d, err := r.prepare()
	if err != nil {
		return nil, err
	}
	var out []ModelRecord
	for _, m := range cfg.Models {
		for _, seed := range cfg.Seeds {
			f, err := r.fitModel(d, m, seed)
			if err != nil {
				return nil, err
			}
			out = append(out, f.record())
		}
	}
	return out, nil
}

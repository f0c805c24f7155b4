// Package torchrun trains a model on existing engines instead of the native one: it prepares the data, starts torchrun with the trainer
// that is embedded here (trainer.py: PyTorch, FSDP2, Hugging Face transformers), follows its events and takes the result. It stands
// beside the loop of package train, whose batches, learning rates and result it shares: on the same examples both end with the same
// model up to rounding.
//
// Everything lies in one folder, Job.Dir: settings.json, trainer.py, data/ (see trainer.py for its arrays), state/ for resuming,
// metrics.jsonl (an Event a line), torchrun.log (what torchrun printed) and, at the end, model/. Nodes of a cluster must share it.
package torchrun

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"syncabel/internal/artifact"
	"syncabel/internal/model"
	"syncabel/internal/tokenizer"
	"syncabel/internal/train"
)

//go:embed trainer.py
var trainer []byte

// Files of a job's folder.
const (
	settingsName = "settings.json"
	trainerName  = "trainer.py"
	metricsName  = "metrics.jsonl"
	logName      = "torchrun.log"
	dataName     = "data"
	modelName    = "model"
)

// Attentions that the trainer knows. With sdpa it hands over a mask that keeps packed examples apart, the others find the examples by
// their positions; it checks either before the first step.
var Attentions = []string{"sdpa", "flash_attention_2", "flash_attention_3"}

// DTypes of the arithmetic.
var DTypes = []string{"bfloat16", "float32"}

// Settings are what a config's [train.torchrun] says.
type Settings struct {
	Python     string   `toml:"python"`     // Python that has torch and transformers (and peft for adapters); default python3
	Command    []string `toml:"command"`    // what starts torchrun; default python -m torch.distributed.run, behind srun where nodes > 1 and Slurm has given them
	Processes  int      `toml:"processes"`  // on every node, one for each GPU; default 1
	Nodes      int      `toml:"nodes"`      // machines; they must share the run's folder and that of the base; default 1
	Rendezvous string   `toml:"rendezvous"` // host:port where several nodes meet; default this machine's name and 29400
	Restarts   int      `toml:"restarts"`   // of processes that failed, from the last saved state; default none

	DType           string  `toml:"dtype"`            // of the arithmetic: bfloat16 (default) or float32; weights that are trained stay in float32
	Attention       string  `toml:"attention"`        // sdpa (default), or flash_attention_2, flash_attention_3 where that package is installed
	MicroTokens     int     `toml:"micro_tokens"`     // a process computes with at a time; default 8192
	KeepActivations bool    `toml:"keep_activations"` // instead of computing them again in the backward pass: faster, more memory
	SaveMinutes     float64 `toml:"save_minutes"`     // between two saved states; default 10
	PeakTFLOPS      float64 `toml:"peak_tflops"`      // of one GPU, e.g. 989 for bfloat16 on an H100: metrics then have the share that is used
}

// Result keeps the settings that have a bearing on the model, but for rounding; the others say where and how fast it is made.
func (s Settings) Result() Settings {
	return Settings{DType: cmp.Or(s.DType, DTypes[0]), Attention: cmp.Or(s.Attention, Attentions[0])}
}

// LoRA asks for adapters instead of training all weights.
type LoRA struct {
	Rank     int      `json:"rank"`
	Alpha    float64  `json:"alpha"`
	Targets  []string `json:"targets"`
	BaseName string   `json:"base_name"` // what adapter_config.json calls the base
	Start    string   `json:"start"`     // folder of adapters to go on from; empty: fresh ones
}

// A Job is one training.
type Job struct {
	Settings
	Dir       string        // of the job; an interrupted one goes on from what is there
	Base      string        // folder of the model to start from
	Model     model.Config  // of the base, with the vocabulary to grow to
	LoRA      *LoRA         // nil: all weights are trained
	Store     string        // type of the stored weights, see checkpoint.DTypes
	Train     train.Options // budget, batches and rates; of its other fields Seed and EmbedLR count
	Tokenizer *tokenizer.Tokenizer
	Source    train.Source

	Prepared func(done, total int64) // steps whose data are written
	Progress func(done, total int64) // steps of training
	Note     func(string)            // loss and rates of the last step, for people
	Log      func(format string, args ...any)
}

// grace is how long a trainer that was asked to stop may take to save: states of big models are hundreds of gigabytes.
const grace = 15 * time.Minute

// ErrMissing says that the machine lacks what the trainer needs.
var ErrMissing = errors.New("the trainer cannot be started")

// ErrStopped says that somebody else than the caller stopped the trainer, e.g. a cluster that takes its machine back.
var ErrStopped = errors.New("the trainer was stopped and saved its state: the same command goes on there")

// settings is what trainer.py reads.
type settings struct {
	Format     int     `json:"format"`
	Base       string  `json:"base"`
	Vocab      int     `json:"vocab"`
	LoRA       *LoRA   `json:"lora"`
	Seed       uint64  `json:"seed"`
	Beta1      float32 `json:"beta1"`
	Beta2      float32 `json:"beta2"`
	Eps        float32 `json:"eps"`
	Decay      float64 `json:"decay"`
	Clip       float32 `json:"clip"`
	EmbedLR    float64 `json:"embed_lr"`
	DType      string  `json:"dtype"`
	Store      string  `json:"store"`
	Attention  string  `json:"attention"`
	Recompute  bool    `json:"recompute"`
	Every      float64 `json:"every"` // seconds
	PeakTFLOPS float64 `json:"peak_tflops"`
}

// format is the version of settings.json, data/ and metrics.jsonl.
//
//	1  2026-11: first
const format = 1

// Run trains and returns what happened. When ctx ends the trainer saves its state and Run returns ctx's error; another Run of the same
// job goes on from there.
func (j *Job) Run(ctx context.Context) (*Result, error) {
	if err := j.defaults(); err != nil {
		return nil, err
	}
	if err := j.requirements(ctx); err != nil {
		return nil, err
	}
	d, err := j.prepare(ctx)
	if err != nil {
		return nil, fmt.Errorf("preparing training data: %w", err)
	}
	if err := j.write(); err != nil {
		return nil, err
	}
	done, err := j.launch(ctx, d.Steps)
	if err != nil {
		return nil, err
	}
	if err := verify(filepath.Join(j.Dir, modelName), done.Files); err != nil {
		return nil, err
	}
	res, err := j.result(d)
	if err == nil && j.Log != nil {
		j.Log("%-12s %d steps, loss %.3f to %.3f, %.0f tokens/s", "torchrun", d.Steps, res.Losses[0], res.Losses[d.Steps-1], res.TokensPerSecond)
	}
	return res, err
}

func (j *Job) defaults() (err error) {
	s := &j.Settings
	j.Train = j.Train.Defaults()
	s.Python, s.Processes, s.Nodes = cmp.Or(s.Python, "python3"), cmp.Or(s.Processes, 1), cmp.Or(s.Nodes, 1)
	s.DType, s.Attention = s.Result().DType, s.Result().Attention
	s.MicroTokens, s.SaveMinutes = max(cmp.Or(s.MicroTokens, 8192), j.Train.MaxLength), cmp.Or(s.SaveMinutes, 10)
	if j.LoRA != nil {
		l := *j.LoRA
		l.Rank = cmp.Or(l.Rank, 16)
		l.Alpha = cmp.Or(l.Alpha, 2*float64(l.Rank))
		if len(l.Targets) == 0 {
			l.Targets = model.Projections
		}
		j.LoRA = &l
	}
	if j.Base, err = filepath.Abs(j.Base); err == nil {
		j.Dir, err = filepath.Abs(j.Dir)
	}
	return err
}

// write leaves trainer and settings in the folder.
func (j *Job) write() error {
	o := j.Train
	a := model.TrainerOptions{}.Defaults()
	b, err := json.MarshalIndent(settings{Format: format, Base: j.Base, Vocab: j.Model.Vocab, LoRA: j.LoRA, Seed: o.Seed, Beta1: a.Beta1, Beta2: a.Beta2, Eps: a.Eps,
		Decay: o.Decay, Clip: a.Clip, EmbedLR: cmp.Or(o.EmbedLR, float64(a.EmbedLR)), DType: j.DType, Store: cmp.Or(j.Store, "float32"), Attention: j.Attention,
		Recompute: !j.KeepActivations, Every: 60 * j.SaveMinutes, PeakTFLOPS: j.PeakTFLOPS}, "", " ")
	if err != nil {
		return err
	}
	if err := artifact.WriteFile(filepath.Join(j.Dir, settingsName), append(b, '\n')); err != nil {
		return err
	}
	return artifact.WriteFile(filepath.Join(j.Dir, trainerName), trainer)
}

// verify holds the files that the trainer wrote, maybe on another machine, against the hashes it told.
func verify(dir string, files map[string]string) error {
	for name, want := range files {
		got, err := artifact.HashFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return fmt.Errorf("taking the trained model: %w", err)
		}
		if got.SHA256 != want {
			return fmt.Errorf("taking the trained model: %s is not what the trainer wrote: do all nodes share one file system?: %w", name, artifact.ErrDamaged)
		}
	}
	return nil
}

// Take moves the trained model into a folder, and removes data and state.
func (j *Job) Take(dir string) error {
	from := filepath.Join(j.Dir, modelName)
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, rel)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.Rename(path, to)
	})
	for _, name := range []string{modelName, dataName, "state"} {
		if err == nil {
			err = os.RemoveAll(filepath.Join(j.Dir, name))
		}
	}
	if err != nil {
		return fmt.Errorf("taking the trained model: %w", err)
	}
	return nil
}

// Check reports values that no training can have.
func (s Settings) Check() error {
	oneOf := func(key, v string, have []string) error {
		for _, h := range have {
			if v == "" || v == h {
				return nil
			}
		}
		return fmt.Errorf("train.torchrun.%s = %q: have %s", key, v, strings.Join(have, ", "))
	}
	if s.Processes < 0 || s.Nodes < 0 || s.Restarts < 0 || s.MicroTokens < 0 || s.SaveMinutes < 0 || s.PeakTFLOPS < 0 {
		return errors.New("train.torchrun: no number may be negative")
	}
	return errors.Join(oneOf("dtype", s.DType, DTypes), oneOf("attention", s.Attention, Attentions))
}

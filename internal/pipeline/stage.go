package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"syncabel/internal/artifact"
	"syncabel/internal/link"
	"syncabel/internal/text"
)

// Options of Run.
type Options struct {
	Out      string // folder of the run
	Program  string // version, for manifests
	Threads  int    // 0: all processors; changes no result
	Progress func(stage string, done, total int64)
	Note     func(string)                     // what to show behind the progress of the stage at hand
	Log      func(format string, args ...any) // a line for people about a stage
}

// runner is one run of a config.
type runner struct {
	ctx        context.Context
	cfg        *Config
	opt        Options
	server     *server          // the engine that answers for the model in hand; nil where none does
	composites *link.Composites // nil where the config wants none
}

// stage is a finished folder.
type stage struct {
	Dir  string // below the run's folder, with slashes
	hash string
	path string
	man  *artifact.Manifest
}

// stageVersion is raised when a change of the code changes what a stage makes of the same inputs and options, so that folders
// made before are not taken for new ones.
//
//	1  2026-11: first
//	2  2026-11: model: tokenizer_config.json says that spaces stay as they are; kb: the mapped store; trie: a root over all groups, every name of a group ends; tune, link: the ranker; synth: gates of mentions and near-duplicates; eval: credit for parts, confidence, more strata
//	3  2026-11: model: attention by blocks, residuals added by the products; tune, link: calibration
//	4  2026-11: model: sums over k in blocks of 384 on AVX-512; tune, link: borders of sentences; corpus (2): one rule for codes
//	5  2026-11: model: borders of sentences; the nearest of several answers is the target
//	6  2026-11: ranker (2): places for what a model says
//	7  2026-11: tune: calibration by curves, of mode ranked too
//	8  2026-11: ranker (4): other groups, what stands in brackets; three sets of trees where they hear a model
//	9  2026-11: ranker (5): variants of the mention
//	10 2026-11: ranker (6): renderings of up to six words
func stageVersion(kind string) string {
	switch kind {
	case "model":
		return kind + " 5"
	case "tune":
		return kind + " 7"
	case "link":
		return kind + " 4"
	case "ranker":
		return kind + " 6"
	case "kb", "trie", "synth", "eval", "corpus":
		return kind + " 2"
	}
	return kind + " 1"
}

// do finds a finished folder of a stage or makes it. Work done before an interruption stays in the folder for `make` to
// find.
func (r *runner) do(kind, name string, seed uint64, options any, inputs map[string]string, build func(*artifact.Folder) error) (*stage, error) {
	inputs = maps.Clone(inputs)
	if inputs == nil {
		inputs = map[string]string{}
	}
	inputs["stage"] = stageVersion(kind)
	key, err := artifact.Key(kind, seed, options, inputs)
	if err != nil {
		return nil, err
	}
	rel := filepath.Join("work", kind, name+"@"+key)
	dir := filepath.Join(r.opt.Out, rel)
	m, err := artifact.Verify(dir)
	switch {
	case err == nil:
		if kind != "eval" {
			r.log("%-12s %s (finished before)", kind, name)
		}
		return &stage{filepath.ToSlash(rel), m.Hash(), dir, m}, nil
	case errors.Is(err, artifact.ErrDamaged):
		return nil, fmt.Errorf("%w: delete the folder %s and run again to make it anew", err, dir)
	case !errors.Is(err, artifact.ErrUnfinished) && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	raw, err := rawJSON(options)
	if err != nil {
		return nil, err
	}
	f, err := artifact.Create(dir, artifact.Manifest{Kind: kind, Program: r.opt.Program, Seed: seed, Key: key, Options: raw, Inputs: inputs})
	if err != nil {
		return nil, err
	}
	if kind != "eval" {
		r.log("%-12s %s ...", kind, name)
	}
	if err := build(f); err != nil {
		return nil, fmt.Errorf("stage %s %q: %w", kind, name, err)
	}
	if err := f.Commit(); err != nil {
		return nil, err
	}
	for _, w := range f.Manifest.Warnings {
		r.log("%-12s %d x %s, e.g. %s", "warning", w.Count, w.Kind, w.Examples[0])
	}
	return &stage{filepath.ToSlash(rel), f.Manifest.Hash(), dir, &f.Manifest}, nil
}

func (r *runner) log(format string, args ...any) {
	if r.opt.Log != nil {
		r.opt.Log(format, args...)
	}
}

func (r *runner) progress(stage string) func(done, total int64) {
	return func(done, total int64) {
		if r.opt.Progress != nil {
			r.opt.Progress(stage, done, total)
		}
	}
}

// path resolves an input file.
func (c *Config) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.Data, p)
}

// hashInputs hashes input files under the names the config gives them.
func (c *Config) hashInputs(paths ...string) (map[string]string, error) {
	out := map[string]string{}
	for _, p := range paths {
		if p == "" {
			continue
		}
		h, err := artifact.HashPath(c.path(p))
		if err != nil {
			return nil, fmt.Errorf("reading input %q: %w: set `data` to the folder that holds it (--set data=DIR)", p, err)
		}
		out[p] = h.SHA256
	}
	return out, nil
}

// summarise groups warnings by kind with the first few in words.
func summarise(list []text.Warning) []artifact.Warning {
	const examples = 5
	var out []artifact.Warning
	for _, w := range list {
		i := slices.IndexFunc(out, func(a artifact.Warning) bool { return a.Kind == w.Kind })
		if i < 0 {
			i = len(out)
			out = append(out, artifact.Warning{Kind: w.Kind})
		}
		out[i].Count += int64(1 + w.More)
		if len(out[i].Examples) < examples {
			out[i].Examples = append(out[i].Examples, w.String())
		}
	}
	return out
}

// readJSON decodes a file that a stage wrote; its folder was checked when it was opened.
func readJSON(path string, into any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func open(path string, f func(*os.File) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return f(file)
}

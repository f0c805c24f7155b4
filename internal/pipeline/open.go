package pipeline

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/dataset"
	"syncabel/internal/detect"
	"syncabel/internal/lexical"
	"syncabel/internal/link"
	"syncabel/internal/model"
	"syncabel/internal/oracle"
	"syncabel/internal/oracle/remote"
	"syncabel/internal/ranker"
	"syncabel/internal/terminology"
	"syncabel/internal/tokenizer"
)

// An Opened run links: its knowledge base, a model, stage 0 and the weights, ready.
type Opened struct {
	KB     *terminology.KB
	Record Record
	Linker *link.Linker
	Detect *detect.Detector // finds mentions in plain text; nil in runs made before there was one
	model  *opened
	parts  link.Parts
	opt    link.Options
	forks  []*oracle.Native
	pool   *remote.Pool // nil: the model answers in this process
}

// Fork returns another linker over the same knowledge base, weights, trie and stage 0, so that two goroutines can link at a
// time. Close frees it with the rest.
func (o *Opened) Fork(threads int) (*link.Linker, error) {
	if o.pool != nil {
		return link.New(o.parts, o.opt)
	}
	f := o.model.model.Frozen
	native := oracle.NewNative(model.NewFrozenSession(f, model.SessionOptions{Nodes: arena(f), Threads: threads}))
	o.forks = append(o.forks, native)
	p := o.parts
	p.Oracle = native
	return link.New(p, o.opt)
}

// GroupOf maps an annotated type to a semantic group of the knowledge base as the run's config says; "" when none fits.
func (o *Opened) GroupOf(typ string) string {
	return dataset.GroupOf(o.KB, typ, o.Record.Link.GroupMap)
}

// OpenOptions of OpenRun.
type OpenOptions struct {
	Model string  // variant; empty: the run's last
	Seed  uint64  // 0: the first
	Mode  string  // default hybrid
	Keep  int     // candidates to return
	NIL   float64 // abstain above this probability that no candidate is right; 0: as the run's config says
	// MinConfidence abstains where the first candidate is right with less than this probability; 0: never.
	MinConfidence float64
	Threads       int
	Progress      func(done, total int64)
}

// ReadRun reads run.json of a folder.
func ReadRun(dir string) (*Record, error) {
	b, err := os.ReadFile(filepath.Join(dir, RunName))
	if err != nil {
		return nil, fmt.Errorf("opening run: %w: %s is no folder that `syncabel run` or `syncabel demo` finished", err, dir)
	}
	var rec Record
	if err := json.Unmarshal(b, &rec); err != nil {
		return nil, fmt.Errorf("opening run %s: %w", dir, err)
	}
	return &rec, nil
}

// OpenRun opens the folder of a finished run for linking. Every artefact is checked against its manifest.
func OpenRun(dir string, opt OpenOptions) (*Opened, error) {
	rec, err := ReadRun(dir)
	if err != nil {
		return nil, err
	}
	m, err := rec.choose(opt)
	if err != nil {
		return nil, err
	}
	kbMan, err := artifact.Verify(filepath.Join(dir, rec.KB))
	if err != nil {
		return nil, err
	}
	rankerDir := rec.Ranker
	if opt.Mode != link.Ranked {
		rankerDir = cmp.Or(m.Ranker, rec.Ranker)
	}
	for _, p := range []string{rec.Corpus, rankerDir, m.Model, m.Trie, m.Weights} {
		if p == "" {
			continue
		}
		check := artifact.Verify
		if p == rec.KB { // may be large: terminology.Open compares its checksums, or leaves that to `inspect --verify`
			check = artifact.Open
		}
		if _, err := check(filepath.Join(dir, p)); err != nil {
			return nil, err
		}
	}
	kb, err := terminology.Open(filepath.Join(dir, rec.KB, terminology.FileName))
	if err != nil {
		return nil, err
	}
	docs, err := corpus.ReadFile(filepath.Join(dir, rec.Corpus, corpus.FileName))
	if err != nil {
		return nil, err
	}
	w, err := readWeights(filepath.Join(dir, m.Weights))
	if err != nil {
		return nil, err
	}
	hash, err := artifact.HashFile(filepath.Join(dir, m.Model, tokenizer.FileName))
	if err != nil {
		return nil, err
	}
	o, err := openModel(filepath.Join(dir, m.Model), filepath.Join(dir, m.Trie), trieOf{hash.SHA256, kbMan.Hash()}, opt.Threads)
	if err != nil {
		return nil, err
	}
	obs := observations(kb, corpus.Split(docs, "train"), rec.Link)
	stage0 := lexical.NewRetriever(kb, lexical.Options{Names: true, Training: obs})
	var k *ranker.Ranker
	if rankerDir != "" {
		if k, err = openRanker(filepath.Join(dir, rankerDir), kb, stage0, obs); err != nil {
			o.close()
			return nil, err
		}
	}
	if opt.Mode == "" {
		opt.Mode = link.Hybrid
	}
	lo := linkOptions(rec.Link, m.Train, opt.Mode, w)
	lo.MinConfidence = opt.MinConfidence
	lo.Keep, lo.NIL, lo.System, lo.Progress = opt.Keep, cmp.Or(opt.NIL, rec.Link.NIL), m.Name, opt.Progress
	parts := o.parts(kb, stage0, k)
	linker, err := link.New(parts, lo)
	if err != nil {
		o.close()
		return nil, err
	}
	out := &Opened{KB: kb, Record: *rec, Linker: linker, model: o, parts: parts, opt: lo}
	if rec.Detect == "" {
		return out, nil
	}
	if out.Detect, err = openDetector(filepath.Join(dir, rec.Detect), kb); err != nil {
		o.close()
		return nil, err
	}
	return out, nil
}

func openDetector(dir string, kb *terminology.KB) (*detect.Detector, error) {
	if _, err := artifact.Verify(dir); err != nil {
		return nil, err
	}
	return detect.Open(filepath.Join(dir, detect.FileName), kb)
}

// choose picks the model that opt asks for.
func (rec *Record) choose(opt OpenOptions) (*ModelRecord, error) {
	var names []string
	for i := len(rec.Models) - 1; i >= 0; i-- {
		m := &rec.Models[i]
		names = append(names, fmt.Sprintf("%s (seed %d)", m.Name, m.Seed))
		if opt.Model == "" {
			opt.Model = m.Name
		}
	}
	i := slices.IndexFunc(rec.Models, func(m ModelRecord) bool { return m.Name == opt.Model && (opt.Seed == 0 || opt.Seed == m.Seed) })
	if i < 0 {
		return nil, fmt.Errorf("the run has no model %q with seed %d: it has %v", opt.Model, opt.Seed, names)
	}
	return &rec.Models[i], nil
}

// Close frees the model.
func (o *Opened) Close() {
	for _, f := range o.forks {
		f.Close()
	}
	if o.pool != nil {
		o.pool.Close()
	}
	o.model.close()
}

// ModelSize returns the number of parameters of a run's model, 0 when it is not known.
func ModelSize(dir, name string, seed uint64) int64 {
	rec, err := ReadRun(dir)
	if err != nil {
		return 0
	}
	m, err := rec.choose(OpenOptions{Model: name, Seed: seed})
	if err != nil {
		return 0
	}
	man, err := artifact.Open(filepath.Join(dir, m.Model))
	if err != nil {
		return 0
	}
	return man.Counts["parameters"]
}

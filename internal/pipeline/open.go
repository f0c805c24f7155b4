package pipeline

import (
	"cmp"
	"context"
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
	"syncabel/internal/model/checkpoint"
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
	forks  []native
}

// Fork returns another linker over the same knowledge base, weights, trie and stage 0, so that two goroutines can link at a
// time. Close frees it with the rest.
func (o *Opened) Fork(threads int) (*link.Linker, error) {
	if o.model.server != nil {
		return link.New(o.parts, o.opt)
	}
	fork := newNative(o.model.models, threads)
	o.forks = append(o.forks, fork)
	p := o.parts
	p.Oracle = fork
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
	Oracle        Oracle // servers that compute; none: as the run's config says
	Native        bool   // compute here, whatever the run's config says
	Verify        bool   // compare the weights with their hash, too, which takes as long as reading them
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

// OpenRun opens the folder of a finished run for linking. Every artefact is checked against its manifest; of weights only the size is,
// unless opt.Verify says more: they are mapped, and what is wrong in them makes wrong numbers but no fault, as shapes and types come
// from their headers and config.json, which are checked. The stage that wrote them hashed them, and `syncabel run` and
// `inspect --verify` do so again. With servers no weights are opened.
func OpenRun(ctx context.Context, dir string, opt OpenOptions) (*Opened, error) {
	rec, err := ReadRun(dir)
	if err != nil {
		return nil, err
	}
	m, err := rec.choose(opt)
	if err != nil {
		return nil, err
	}
	kbMan, err := artifact.Open(filepath.Join(dir, rec.KB)) // may be large: terminology.Open compares its checksums, or leaves that to `inspect --verify`
	if err != nil {
		return nil, err
	}
	opt.Mode = cmp.Or(opt.Mode, link.Hybrid)
	rankerDir, weights := cmp.Or(m.Ranker, rec.Ranker), m.Weights
	if opt.Mode == link.Ranked {
		rankerDir, weights = rec.Ranker, cmp.Or(rec.Ranked, weights)
	}
	verify := func(p string) (*artifact.Manifest, error) {
		return artifact.VerifyBut(filepath.Join(dir, p), func(file string) bool { return !opt.Verify && checkpoint.IsWeights(file) })
	}
	for _, p := range append([]string{rec.Corpus, rankerDir, m.Trie, weights}, m.Also...) {
		if p == "" {
			continue
		}
		if _, err := verify(p); err != nil {
			return nil, err
		}
	}
	modelMan, err := verify(m.Model)
	if err != nil {
		return nil, err
	}
	kb, err := terminology.Open(filepath.Join(dir, rec.KB, terminology.FileName))
	if err != nil {
		return nil, err
	}
	docs, err := corpus.ReadFile(filepath.Join(dir, rec.Corpus, corpus.FileName))
	if err != nil {
		return nil, err
	}
	w, err := readWeights(filepath.Join(dir, weights))
	if err != nil {
		return nil, err
	}
	o, err := openModel(filepath.Join(dir, m.Model), filepath.Join(dir, m.Trie), trieOf{modelMan.Files[tokenizer.FileName].SHA256, kbMan.Hash()})
	if err != nil {
		return nil, err
	}
	for _, p := range m.Also {
		o.also = append(o.also, filepath.Join(dir, p))
	}
	if err := o.answer(ctx, rec.Link.Oracle, opt); err != nil {
		return nil, err
	}
	obs := observations(kb, corpus.Split(docs, "train"), rec.Link)
	stage0 := lexical.NewRetriever(kb, lexical.Options{Names: true, Training: obs})
	var k *ranker.Ranker
	if rankerDir != "" {
		if k, err = openRanker(filepath.Join(dir, rankerDir), kb, stage0, obs); err != nil {
			o.end()
			return nil, err
		}
	}
	lo := linkOptions(rec.Link, m.Train, opt.Mode, w)
	lo.MinConfidence = opt.MinConfidence
	if rec.Link.Composites {
		lo.Composites = link.LearnComposites(kb, stage0, corpus.Split(docs, "train"), lo)
	}
	lo.Keep, lo.NIL, lo.System, lo.Progress = opt.Keep, cmp.Or(opt.NIL, rec.Link.NIL), m.Name, opt.Progress
	parts := o.parts(kb, stage0, k)
	linker, err := link.New(parts, lo)
	if err != nil {
		o.end()
		return nil, err
	}
	out := &Opened{KB: kb, Record: *rec, Linker: linker, model: o, parts: parts, opt: lo}
	if rec.Detect == "" {
		return out, nil
	}
	if out.Detect, err = openDetector(filepath.Join(dir, rec.Detect), kb); err != nil {
		o.end()
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

// answer makes a server or the native engine answer.
func (o *opened) answer(ctx context.Context, recorded Oracle, opt OpenOptions) error {
	cfg := opt.Oracle
	if !cfg.set() && !opt.Native {
		cfg = recorded
	}
	if !cfg.set() || opt.Mode == link.Lexical || opt.Mode == link.Ranked {
		return o.compute(opt.Threads)
	}
	s, err := o.reach(ctx, cfg)
	if err != nil {
		o.close()
		return err
	}
	o.ask(s)
	return nil
}

// Remote returns what the probe of the servers found and the pool that counts what is sent; nil where the model answers in this process.
func (o *Opened) Remote() (*remote.Probe, *remote.Pool) {
	if o.model.server == nil {
		return nil, nil
	}
	return o.model.server.probe, o.model.server.Pool()
}

// Close frees the model, or ends what was begun on servers.
func (o *Opened) Close() {
	for _, f := range o.forks {
		f.Close()
	}
	o.model.end()
}

// end closes a model with the server that it alone asks.
func (o *opened) end() {
	o.close()
	o.server.close()
}

// ModelSize returns the number of parameters of a run's model, all members together, 0 when it is not known.
func ModelSize(dir, name string, seed uint64) int64 {
	rec, err := ReadRun(dir)
	if err != nil {
		return 0
	}
	m, err := rec.choose(OpenOptions{Model: name, Seed: seed})
	if err != nil {
		return 0
	}
	n := int64(0)
	for _, p := range append([]string{m.Model}, m.Also...) {
		man, err := artifact.Open(filepath.Join(dir, p))
		if err != nil {
			return 0
		}
		n += man.Counts["parameters"]
	}
	return n
}

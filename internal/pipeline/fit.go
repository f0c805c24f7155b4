package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/dataset"
	"syncabel/internal/eval"
	"syncabel/internal/lexical"
	"syncabel/internal/link"
	"syncabel/internal/markup"
	"syncabel/internal/model"
	"syncabel/internal/model/checkpoint"
	"syncabel/internal/oracle"
	"syncabel/internal/ranker"
	"syncabel/internal/terminology"
	"syncabel/internal/tokenizer"
	"syncabel/internal/train"
	"syncabel/internal/train/torchrun"
	"syncabel/internal/trie"
)

// Files of the stages trie and tune.
const (
	trieName    = "names.trie"
	weightsName = "weights.json"
)

// data is what training and linking share.
type data struct {
	kb          *stage
	corpus      *stage
	synth       *stage // nil without synthetic sentences
	detect      *stage
	k           *terminology.KB
	train       []corpus.Document
	dev         []corpus.Document
	test        []corpus.Document
	written     []corpus.Document     // synthetic
	seen        []lexical.Observation // annotations of train
	stage0      *lexical.Retriever    // remembers them
	ranker      *ranker.Ranker        // nil when off, or nothing is annotated
	rankerStage *stage
	// rankedWeights calibrate mode ranked.
	rankedWeights *stage
	tagger        *eval.Tagger
	subset        string // what a study left of train and written; empty: all of it
}

// fitted is a trained model with what linking needs beside it.
type fitted struct {
	name    string // of its folders
	cfg     Train
	seed    uint64
	model   *stage
	also    []*stage // further members, whose probabilities are averaged with the model's
	trie    *stage
	weights *stage
	ranker  *stage // one that hears the model; nil without
	heard   *ranker.Ranker
}

// fitKey is what a model depends on beside its inputs.
type fitKey struct {
	Train    Train
	Expand   bool
	GroupMap map[string]string
}

// fit runs the stages model, trie and tune for one variant and seed.
func (r *runner) fit(d *data, cfg Train, seed uint64) (*fitted, error) {
	f, err := r.fitModel(d, cfg, seed)
	if err != nil {
		return nil, err
	}
	return f, r.fitWeights(d, f)
}

// members are the models whose probabilities are averaged: mostly one.
func (f *fitted) members() []*stage { return append([]*stage{f.model}, f.also...) }

// record says where the parts are.
func (f *fitted) record() ModelRecord {
	m := ModelRecord{Name: f.cfg.Name, Seed: f.seed, Model: f.model.Dir, Trie: f.trie.Dir, Train: f.cfg}
	for _, a := range f.also {
		m.Also = append(m.Also, a.Dir)
	}
	return m
}

// inputs are the stages that what a fitted model says depends on, beside others.
func (f *fitted) inputs(others map[string]string) map[string]string {
	out := map[string]string{"model": f.model.hash, "trie": f.trie.hash}
	for i, m := range f.also {
		out[fmt.Sprint("model ", i+2)] = m.hash
	}
	maps.Copy(out, others)
	return out
}

// fitModel runs the stages model, for every member, and trie.
func (r *runner) fitModel(d *data, cfg Train, seed uint64) (*fitted, error) {
	f := &fitted{cfg: cfg, seed: seed, name: modelName(d, cfg, seed)}
	var err error
	if f.model, err = r.fitMember(d, cfg, seed); err != nil {
		return nil, err
	}
	for i := 1; i < cfg.Members; i++ {
		m, err := r.fitMember(d, cfg, seed+uint64(i))
		if err != nil {
			return nil, err
		}
		if m.man.Files[tokenizer.FileName].SHA256 != f.model.man.Files[tokenizer.FileName].SHA256 {
			return nil, fmt.Errorf("model %s: member %d has another tokenizer than the first: delete %s and run again", f.name, i+1, m.Dir)
		}
		f.also = append(f.also, m)
	}
	var form any // of the names in the trie
	if cfg.Prompt != "" {
		form = cfg.Prompt
	}
	f.trie, err = r.do("trie", f.name, 0, form, map[string]string{"kb": d.kb.hash, "model": f.model.hash}, func(a *artifact.Folder) error {
		return buildTrie(d, f, a)
	})
	return f, err
}

func modelName(d *data, cfg Train, seed uint64) string {
	return fmt.Sprintf("%s.seed%d", slug(strings.TrimSpace(cfg.Name+" "+d.subset)), seed)
}

// fitMember runs the stage model.
func (r *runner) fitMember(d *data, cfg Train, seed uint64) (*stage, error) {
	inputs := map[string]string{"kb": d.kb.hash, "corpus": d.corpus.hash}
	if d.synth != nil && cfg.Mode != dataset.HumanOnly {
		inputs["synth"] = d.synth.hash
	}
	if d.subset != "" {
		inputs["subset"] = d.subset
	}
	key := cfg
	key.Torchrun, key.Members = torchrun.Settings{}, 0
	if cfg.Engine == Torchrun { // not on how many machines
		key.Torchrun = cfg.Torchrun.Result()
	}
	if cfg.Base != "" { // what is in the folder counts, not where it lies
		h, err := baseHash(r.cfg.path(cfg.Base))
		if err != nil {
			return nil, fmt.Errorf("reading train.base: %w", err)
		}
		inputs["base"], key.Base = h, ""
	}
	if cfg.Released != "" {
		h, err := baseHash(r.cfg.path(cfg.Released))
		if err != nil {
			return nil, fmt.Errorf("reading train.released: %w", err)
		}
		inputs, key = map[string]string{"released": h}, Train{Prompt: cfg.Prompt}
	}
	return r.do("model", modelName(d, cfg, seed), seed, fitKey{key, r.cfg.Link.Expand, r.cfg.Link.GroupMap}, inputs, func(a *artifact.Folder) error {
		if cfg.Released != "" {
			return r.adopt(cfg, a)
		}
		return r.train(d, cfg, seed, a)
	})
}

// fitWeights runs the stage tune.
func (r *runner) fitWeights(d *data, f *fitted) (err error) {
	f.weights, err = r.do("tune", f.name, 0, tuneKey(r.cfg.Link), d.withRanker(f.inputs(map[string]string{"corpus": d.corpus.hash})),
		func(a *artifact.Folder) error { return r.tune(d, f, a) })
	return err
}

// withRanker adds the ranker to what a stage depends on.
func (d *data) withRanker(inputs map[string]string) map[string]string {
	if d.ranker != nil {
		inputs["ranker"] = d.rankerStage.hash
	}
	return inputs
}

// tuneKey keeps what has no bearing on the weights out of their folder's name.
func tuneKey(l Link) Link {
	l.Split, l.Modes, l.Keep, l.NIL, l.Certify, l.EndToEnd, l.Composites, l.Several = "", nil, 0, 0, "", false, false, false
	l.Oracle = l.Oracle.identity()
	return l
}

// train makes tokenizer and model, from scratch or from a base.
func (r *runner) train(d *data, cfg Train, seed uint64, a *artifact.Folder) error {
	opt := datasetOptions(cfg, r.cfg.Link, seed)
	var err error
	if cfg.Memory > 0 {
		if opt.Remembered, err = r.remembered(d); err != nil {
			return err
		}
	}
	set, err := dataset.New(r.ctx, d.k, d.stage0.Vectorizer(), d.train, d.written, opt)
	if err != nil {
		return err
	}
	s, err := r.start(d, cfg, seed, a.Dir)
	if err != nil {
		return err
	}
	if s.fresh {
		if err := s.tok.WriteFile(a.Dir, bosToken, eosToken); err != nil {
			return err
		}
	}
	topt := train.Options{Tokens: cfg.Tokens, BatchTokens: cfg.BatchTokens, LR: s.lr, FinalLR: cfg.FinalLR, Warmup: cfg.Warmup, Schedule: cfg.Schedule, Decay: cfg.Decay,
		EmbedLR: s.embedLR, MaxLength: cfg.MaxLength, Seed: seed}
	engine := r.trainHere
	if cfg.Engine == Torchrun {
		engine = r.trainElsewhere
	}
	res, err := engine(s, cfg, set.Stream(), topt, a)
	if err != nil {
		return err
	}
	a.Manifest.Counts = map[string]int64{"parameters": int64(s.config.Weights()), "steps": int64(res.Steps), "tokens": res.Tokens, "vocabulary": int64(s.config.Vocab), "too_long": int64(res.TooLong)}
	for o, n := range set.Counts() {
		a.Manifest.Counts["pool "+o] = int64(n)
	}
	for why, n := range set.Skipped {
		a.Manifest.Counts["mentions without example: "+why] = int64(n)
	}
	return a.WriteJSON("training.json", res.Log)
}

// trainHere trains with the native engine.
func (r *runner) trainHere(s *start, cfg Train, src train.Source, opt train.Options, a *artifact.Folder) (*train.Result, error) {
	opt.Threads, opt.Dir, opt.Recompute, opt.LoRA, opt.Progress = r.opt.Threads, a.Dir, cfg.Recompute, s.lora, r.progress("model "+cfg.Name)
	res, err := train.Run(r.ctx, s.model, s.tok, src, opt)
	if err != nil {
		return nil, err
	}
	if err := checkpoint.RemoveState(a.Dir); err != nil {
		return nil, err
	}
	return res, s.save(a, cfg)
}

func datasetOptions(cfg Train, l Link, seed uint64) dataset.Options {
	return dataset.Options{Mode: cfg.Mode, Ratio: cfg.Ratio, First: cfg.First, Choice: cfg.Choice, Noisy: cfg.Noisy, Synonym: cfg.Synonym, Noise: cfg.Noise, Both: cfg.Both, Expand: l.Expand,
		Markup: markupOptions(cfg), Seed: seed, GroupMap: l.GroupMap}
}

func markupOptions(cfg Train) markup.Options {
	return markup.Options{Context: cfg.Context, Words: cfg.Words, Memory: cfg.Memory, Form: cfg.Prompt}
}

// texts yields what the tokenizer learns from: every name, every training mention, and the training text where prompts
// have context.
func (d *data) texts(cfg Train) func(func(string) bool) {
	docs := [][]corpus.Document{d.train}
	if cfg.Mode != dataset.HumanOnly {
		docs = append(docs, d.written)
	}
	context := cmp.Or(cfg.Context, markup.ContextNone) != markup.ContextNone
	return func(yield func(string) bool) {
		for i := range d.k.Len() {
			for _, n := range d.k.Concept(i).Names {
				if !yield(" " + n.Text) {
					return
				}
			}
		}
		for _, list := range docs {
			for i := range list {
				if context && !yield(list[i].Text) {
					return
				}
				for _, m := range list[i].Mentions {
					if !yield(" " + m.Text) {
						return
					}
				}
			}
		}
	}
}

func buildTrie(d *data, f *fitted, a *artifact.Folder) error {
	tok, err := tokenizer.Load(filepath.Join(f.model.path, tokenizer.FileName))
	if err != nil {
		return err
	}
	c, err := checkpoint.Config(f.model.path)
	if err != nil {
		return err
	}
	t, long, err := link.BuildTrie(d.k, tok, markupOptions(f.cfg), trie.Options{EOS: c.EOS, Tokenizer: f.model.man.Files[tokenizer.FileName].SHA256, KB: d.kb.hash, All: true})
	if err != nil {
		return err
	}
	a.Manifest.Counts = map[string]int64{"names": int64(t.Leaves()), "nodes": int64(t.Nodes()), "too_long": int64(len(long))}
	return t.WriteFile(a.Path(trieName))
}

// minTune is the fewest development mentions that say more about calibration than the training mentions do that the ranker judged unseen.
const minTune = 500

// tune fits the weights of the hybrid on the development split.
func (r *runner) tune(d *data, f *fitted, a *artifact.Folder) error {
	w := link.DefaultWeights(d.ranker)
	switch {
	case d.ranker != nil && d.ranker.Informed && corpus.Mentions(d.dev) < minTune:
		var err error
		if w, err = readWeights(d.rankerStage.path); err != nil {
			return err
		}
	case len(d.dev) > 0:
		o, err := r.open(f, r.opt.Threads)
		if err != nil {
			return err
		}
		defer o.close()
		l, err := link.New(o.parts(d.k, d.stage0, d.ranker), r.linkOptions(f.cfg, link.Hybrid, nil, "tune "+f.cfg.Name))
		if err != nil {
			return err
		}
		if w, err = l.Fit(r.ctx, d.dev, r.calibration()); err != nil {
			return err
		}
	}
	return writeWeights(a, w)
}

func (r *runner) calibration() string { return cmp.Or(r.cfg.Link.Calibration, link.CalibrateAuto) }

func writeWeights(a *artifact.Folder, w *link.Weights) error {
	a.Manifest.Metrics = map[string]float64{"dev recall@1 where gold is a candidate": w.Recall1, "dev loss": w.Loss}
	a.Manifest.Counts = map[string]int64{"mentions": int64(w.Mentions)}
	if w.Calibration != nil {
		for method, h := range w.Calibration.Held {
			a.Manifest.Metrics["held out, calibration "+method+": ECE"] = h.ECE
		}
	}
	return a.WriteJSON(weightsName, w)
}

func (r *runner) linkOptions(cfg Train, mode string, w *link.Weights, label string) link.Options {
	opt := linkOptions(r.cfg.Link, cfg, mode, w)
	opt.Keep, opt.NIL, opt.Progress = r.cfg.Link.Keep, r.cfg.Link.NIL, r.progress(label)
	return opt
}

// linkOptions are the options that a run and what opens it later share.
func linkOptions(l Link, cfg Train, mode string, w *link.Weights) link.Options {
	return link.Options{Mode: mode, Beams: l.Beams, Candidates: l.Candidates, NamesEach: l.NamesEach, Expand: l.Expand, Coordinate: l.Coordinate,
		Several: l.Several, CertifyMean: l.Certify == "hf", GroupMap: l.GroupMap, Markup: markupOptions(cfg), Weights: w, Closed: l.Closed}
}

// opened is a model ready to answer: computed here, or asked on a server.
type opened struct {
	dir    string
	tok    *tokenizer.Tokenizer
	config *model.Config
	trie   *trie.Trie
	also   []string // folders of further members
	oracle link.Oracle
	models []*checkpoint.Mapped // of the members; none where a server answers
	server *server              // nil where it does not
}

// arena returns the number of nodes of a linking session: 16,384 hold some hundred mentions' prompts and candidate names. Models
// from 64 MB on get a twentieth of their weights' memory for keys and values, but one long prompt with its names in any case.
func arena(f *model.Frozen) int {
	const all, prompt = 16384, 768
	if f.Bytes() < 64<<20 {
		return all
	}
	c := f.Config
	node := 4 * (c.Layers*2*c.KVHeads*c.HeadWidth + c.Width)
	return min(all, max(prompt, f.Bytes()/20/node))
}

// open opens a fitted model. Where a server answers, it is the run's one server, which another model's takes the place of.
func (r *runner) open(f *fitted, threads int) (*opened, error) {
	o, err := openModel(f.model.path, f.trie.path, trieOf{f.model.man.Files[tokenizer.FileName].SHA256, f.trie.man.Inputs["kb"]})
	if err != nil {
		return nil, err
	}
	for _, m := range f.also {
		o.also = append(o.also, m.path)
	}
	if !r.cfg.Link.Oracle.set() {
		return o, o.compute(threads)
	}
	if r.server == nil || r.server.dir != o.dir {
		r.server.close()
		r.log("%-12s %s ...", "oracle", f.name)
		if r.server, err = o.reach(r.ctx, r.cfg.Link.Oracle); err != nil {
			o.close()
			return nil, err
		}
	}
	o.ask(r.server)
	return o, nil
}

// trieOf says by hashes what a trie must have been built of.
type trieOf struct{ tokenizer, kb string }

// check reports a trie whose tokens or concepts mean something else to the parts it is to work with.
func (w trieOf) check(t *trie.Trie, dir string) error {
	if t.Tokenizer() != w.tokenizer {
		return fmt.Errorf("the trie in %s was built with another tokenizer than the model's: delete it and run again", dir)
	}
	if t.KB() != w.kb {
		return fmt.Errorf("the trie in %s was built for another knowledge base: delete it and run again", dir)
	}
	return nil
}

// openModel opens a trie and what a model folder says of its tokens, for compute or ask to go on with.
func openModel(modelDir, trieDir string, want trieOf) (*opened, error) {
	tok, err := tokenizer.Load(filepath.Join(modelDir, tokenizer.FileName))
	if err != nil {
		return nil, err
	}
	c, err := checkpoint.Config(modelDir)
	if err != nil {
		return nil, err
	}
	t, err := trie.Open(filepath.Join(trieDir, trieName))
	if err != nil {
		return nil, err
	}
	if err := want.check(t, trieDir); err != nil {
		t.Close()
		return nil, err
	}
	return &opened{dir: modelDir, tok: tok, config: c, trie: t}, nil
}

// compute makes the native engine answer. On an error everything is closed.
func (o *opened) compute(threads int) error {
	for _, dir := range append([]string{o.dir}, o.also...) {
		m, err := checkpoint.Open(dir)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: where they are on a server, name it: [link.oracle] in the config, or --oracle", err)
		}
		if err != nil {
			o.close()
			return err
		}
		o.models = append(o.models, m)
	}
	o.oracle = newNative(o.models, threads)
	return nil
}

// A native oracle computes in this process.
type native interface {
	link.Oracle
	Close()
}

// newNative makes the oracle of a model, or of the mean of several.
func newNative(members []*checkpoint.Mapped, threads int) native {
	var mean oracle.Mean
	for _, m := range members {
		mean = append(mean, oracle.NewNative(model.NewFrozenSession(m.Frozen, model.SessionOptions{Nodes: arena(m.Frozen), Threads: threads})))
	}
	if len(mean) == 1 {
		return mean[0]
	}
	return mean
}

// ask makes a server answer, which others may ask as well.
func (o *opened) ask(s *server) { o.server, o.oracle = s, s.Engine }

func (o *opened) close() {
	if n, ok := o.oracle.(native); ok && o.server == nil {
		n.Close()
	}
	o.trie.Close()
	for _, m := range o.models {
		m.Close()
	}
}

func (o *opened) parts(kb *terminology.KB, stage0 *lexical.Retriever, k *ranker.Ranker) link.Parts {
	return link.Parts{KB: kb, Trie: o.trie, Tokenizer: o.tok, BOS: o.config.BOS, Oracle: o.oracle, Stage0: stage0, Ranker: k}
}

// observe lets stage 0 remember the training annotations.
func (d *data) observe(l Link) {
	d.seen = observations(d.k, d.train, l)
	d.stage0 = lexical.NewRetriever(d.k, lexical.Options{Names: true, Training: d.seen})
}

// observations are the training annotations, each with its short and its long form, for the memory of stage 0.
func observations(kb *terminology.KB, docs []corpus.Document, l Link) []lexical.Observation {
	var out []lexical.Observation
	for i := range docs {
		var long map[string]string
		if l.Expand {
			long = dataset.Expansions(docs[i].Text)
		}
		for _, m := range docs[i].Mentions {
			if m.NIL() || len(m.Gold[0]) != 1 {
				continue
			}
			c, ok := kb.Index(m.Gold[0][0])
			if !ok {
				continue
			}
			g := dataset.GroupOf(kb, m.Type, l.GroupMap)
			out = append(out, lexical.Observation{Document: docs[i].Whole(), Surface: m.Text, Concept: c, Group: g})
			if s := dataset.Expand(m.Text, long); s != m.Text {
				out = append(out, lexical.Observation{Document: docs[i].Whole(), Surface: s, Concept: c, Group: g})
			}
		}
	}
	return out
}

func readWeights(dir string) (*link.Weights, error) {
	var w link.Weights
	if err := readJSON(filepath.Join(dir, weightsName), &w); err != nil {
		return nil, fmt.Errorf("reading weights: %w", err)
	}
	return &w, w.Check()
}

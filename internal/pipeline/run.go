package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/eval"
	"syncabel/internal/link"
	"syncabel/internal/prediction"
	"syncabel/internal/report"
)

// RunName is the file that says what a run's folder holds.
const RunName = "run.json"

// A Record is run.json: where each stage of the run stands, and which model links by default.
type Record struct {
	Kind    string           `json:"kind"` // "run"
	Name    string           `json:"name"`
	Program string           `json:"program"`
	KB      string           `json:"kb"` // folders below the run's
	Corpus  string           `json:"corpus"`
	Synth   string           `json:"synth,omitempty"`
	Ranker  string           `json:"ranker,omitempty"`
	Ranked  string           `json:"ranked,omitempty"` // weights of mode ranked
	Detect  string           `json:"detect,omitempty"` // finds mentions in plain text
	Models  []ModelRecord    `json:"models"`           // the last is the default
	Link    Link             `json:"link"`
	Systems []System         `json:"systems"`
	Counts  map[string]int64 `json:"counts"`
}

// A ModelRecord is one trained variant.
type ModelRecord struct {
	Name    string   `json:"name"`
	Seed    uint64   `json:"seed"`
	Model   string   `json:"model"`
	Also    []string `json:"also,omitempty"` // further members, whose probabilities are averaged with the model's
	Trie    string   `json:"trie"`
	Weights string   `json:"weights"`
	Train   Train    `json:"train"`
	Ranker  string   `json:"ranker,omitempty"` // one that hears the model
}

// Run runs the stages of cfg in order and returns what the report says. What an earlier run finished is taken over.
func Run(ctx context.Context, cfg *Config, opt Options) (*report.Report, error) {
	r := &runner{ctx: ctx, cfg: cfg, opt: opt}
	defer func() { r.server.close() }()
	release, err := r.claim()
	if err != nil {
		return nil, err
	}
	defer release()
	d, err := r.prepare()
	if err != nil {
		return nil, err
	}
	if err := r.fitRanker(d); err != nil {
		return nil, err
	}
	docs := d.split(cfg.Link.Split)
	if len(docs) == 0 {
		return nil, fmt.Errorf("there is no document in split %q: name its files in [[corpus]] or choose another link.split", cfg.Link.Split)
	}
	systems, models, err := r.systems(d, docs)
	if err != nil {
		return nil, err
	}
	if d.detect, err = r.detector(d); err != nil {
		return nil, err
	}
	rep, err := r.report(d, systems, models, docs)
	if err != nil {
		return nil, err
	}
	return rep, r.record(d, systems, models)
}

func (r *runner) prepare() (*data, error) {
	d := &data{}
	var err error
	if d.kb, d.k, err = r.importKB(); err != nil {
		return nil, err
	}
	var docs []corpus.Document
	if d.corpus, docs, err = r.importCorpus(d.kb, d.k); err != nil {
		return nil, err
	}
	if d.synth, d.written, err = r.checkSynth(d.kb, d.k, d.corpus, docs); err != nil {
		return nil, err
	}
	d.train, d.dev, d.test = corpus.Split(docs, "train"), corpus.Split(docs, "dev"), corpus.Split(docs, "test")
	d.tagger = eval.NewTagger(d.train, d.k)
	d.observe(r.cfg.Link)
	if r.cfg.Link.Composites {
		r.composites = link.LearnComposites(d.k, d.stage0, d.train, linkOptions(r.cfg.Link, Train{}, "", nil))
	}
	return d, nil
}

func (d *data) split(name string) []corpus.Document {
	switch name {
	case "train":
		return d.train
	case "dev":
		return d.dev
	}
	return d.test
}

// systems runs every row: baselines, then each variant and seed in each mode.
func (r *runner) systems(d *data, docs []corpus.Document) (out []*System, models []*fitted, err error) {
	for _, row := range r.lexicalRows() {
		s, err := r.baseline(d, row, docs)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, s)
	}
	if d.ranker != nil {
		s, err := r.rankedSystem(d, docs)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, s)
	}
	for _, cfg := range r.cfg.Models {
		d, err := r.informed(d, cfg)
		if err != nil {
			return nil, nil, err
		}
		for _, seed := range r.cfg.Seeds {
			f, err := r.fit(d, cfg, seed)
			if err != nil {
				return nil, nil, err
			}
			if d.ranker != nil && d.ranker.Informed {
				f.ranker, f.heard = d.rankerStage, d.ranker
			}
			models = append(models, f)
			for _, mode := range r.cfg.Link.Modes {
				if mode == link.Ranked || mode == link.Lexical { // the rows of stage 0 have them, with their own calibration
					continue
				}
				s, err := r.modelSystem(d, f, mode, docs)
				if err != nil {
					return nil, nil, err
				}
				out = append(out, s)
			}
		}
	}
	return out, models, nil
}

// row joins the seeds of a system. Their predictions are pooled: recall is then the mean over seeds, and its interval, over
// documents, is the mean's.
type row struct {
	name  string
	model string
	mode  string
	seeds []*System
	preds []prediction.Prediction
	res   *eval.Result
}

func (r *runner) rows(systems []*System) ([]*row, error) {
	var out []*row
	for _, s := range systems {
		i := slices.IndexFunc(out, func(x *row) bool { return x.name == s.Name })
		if i < 0 {
			i = len(out)
			out = append(out, &row{name: s.Name, model: s.Model, mode: s.Mode})
		}
		out[i].seeds = append(out[i].seeds, s)
		out[i].preds = append(out[i].preds, s.preds...)
	}
	for _, x := range out {
		if x.res = x.seeds[0].Result; len(x.seeds) == 1 {
			continue
		}
		res, err := eval.Evaluate(x.preds, r.evalOptions())
		if err != nil {
			return nil, err
		}
		x.res = res
	}
	return out, nil
}

// repeated pools a row without seeds as often as another has them, so that the two can be paired.
func repeated(x *row, times int) []prediction.Prediction {
	var out []prediction.Prediction
	for len(x.seeds)*len(out) < times*len(x.preds) {
		out = append(out, x.preds...)
	}
	return out
}

// note is the config's, and what readers of the figures must know.
func (r *runner) note() string {
	if !r.cfg.Refit {
		return r.cfg.Note
	}
	return strings.TrimSpace(r.cfg.Note + " The development documents were trained on as well (refit): what was chosen was chosen before, without the test documents.")
}

func (r *runner) report(d *data, systems []*System, models []*fitted, docs []corpus.Document) (*report.Report, error) {
	rows, err := r.rows(systems)
	if err != nil {
		return nil, err
	}
	rep := &report.Report{Title: r.cfg.Name, Note: r.note(), Program: r.opt.Program, Split: r.cfg.Link.Split, Documents: len(docs),
		Protocol: rows[0].res.Protocol, Lenient: rows[0].res.Lenient}
	for _, x := range rows {
		out := report.Row{System: x.name, Model: x.model, Mode: x.mode, Seeds: len(x.seeds), Overall: x.res.Overall, Strata: x.res.Strata, Selective: x.res.Selective, Verdicts: x.res.Verdicts,
			Ambiguous: x.res.Ambiguous}
		for _, s := range x.seeds {
			out.BySeed = append(out.BySeed, s.Result.Overall.Recall1.Value)
		}
		rep.Rows = append(rep.Rows, out)
	}
	if rep.Comparisons, err = r.comparisons(rows); err != nil {
		return nil, err
	}
	if r.cfg.Ablation.On {
		if rep.Ablation, err = r.ablation(d, systems, models, docs); err != nil {
			return nil, err
		}
	}
	if r.cfg.Link.EndToEnd {
		if rep.EndToEnd, err = r.endToEnd(d, models, docs); err != nil {
			return nil, err
		}
	}
	r.describe(rep, d, models)
	last := rows[len(rows)-1]
	rep.Errors = report.Errors(last.preds, report.MaxErrors, d.name)
	rep.Confusion, rep.ConfusionOf = eval.Groups(d.k, last.preds), last.name
	rep.Cards = cards(rep, d, models)
	return rep, rep.Write(filepath.Join(r.opt.Out, "report"))
}

// comparisons pairs what the reader will ask about: every model's best mode against the best row of string comparison,
// guided against free, and each variant against the first.
func (r *runner) comparisons(rows []*row) ([]report.Comparison, error) {
	var out []report.Comparison
	add := func(a, b *row) error {
		if a == nil || b == nil || a == b {
			return nil
		}
		c, err := eval.Compare(repeated(a, len(a.seeds)), repeated(b, len(a.seeds)), r.evalOptions())
		if err != nil {
			return err
		}
		out = append(out, report.Comparison{A: a.name, B: b.name, Overall: c.Recall1, Unseen: c.Strata[eval.UnseenConcept].Test, Seen: c.Strata[eval.SeenConcept].Test})
		return nil
	}
	best := bestLexical(rows)
	first := r.cfg.Models[0].Name
	for _, m := range r.cfg.Models {
		if err := add(find(rows, m.Name, link.BeamTrie), find(rows, m.Name, link.Free)); err != nil {
			return nil, err
		}
		if err := add(find(rows, m.Name, link.Hybrid), best); err != nil {
			return nil, err
		}
		for _, mode := range r.cfg.Link.Modes {
			if m.Name != first {
				if err := add(find(rows, m.Name, mode), find(rows, first, mode)); err != nil {
					return nil, err
				}
			}
		}
	}
	return out, nil
}

func find(rows []*row, model, mode string) *row {
	i := slices.IndexFunc(rows, func(x *row) bool { return x.model == model && x.mode == mode })
	if i < 0 {
		return nil
	}
	return rows[i]
}

func bestLexical(rows []*row) *row {
	var best *row
	for _, x := range rows {
		if x.model == "" && (best == nil || x.res.Overall.Recall1.Value > best.res.Overall.Recall1.Value) {
			best = x
		}
	}
	return best
}

// describe tells what went in, from the manifests.
func (r *runner) describe(rep *report.Report, d *data, models []*fitted) {
	add := func(title string, s *stage) {
		if s != nil {
			rep.Stages = append(rep.Stages, report.Stage{Title: title, Folder: s.Dir, Counts: s.man.Counts, Warnings: s.man.Warnings})
		}
	}
	add("knowledge base", d.kb)
	add("corpus", d.corpus)
	add("synthetic sentences", d.synth)
	add("detection of mentions", d.detect)
	for _, f := range models {
		for i, m := range f.members() {
			add(fmt.Sprintf("model %s, seed %d", f.cfg.Name, f.seed+uint64(i)), m)
		}
		add(fmt.Sprintf("trie of %s", f.cfg.Name), f.trie)
	}
}

func (r *runner) record(d *data, systems []*System, models []*fitted) error {
	rec := Record{Kind: "run", Name: r.cfg.Name, Program: r.opt.Program, KB: d.kb.Dir, Corpus: d.corpus.Dir, Detect: d.detect.Dir, Link: r.cfg.Link,
		Counts: map[string]int64{"concepts": d.kb.man.Counts["concepts"], "names": d.kb.man.Counts["names"],
			"documents": d.corpus.man.Counts["documents"], "mentions": d.corpus.man.Counts["mentions"], "systems": int64(len(systems)), "models": int64(len(models))}}
	if d.synth != nil {
		rec.Synth = d.synth.Dir
	}
	if d.ranker != nil {
		rec.Ranker, rec.Ranked = d.rankerStage.Dir, d.rankedWeights.Dir
	}
	for _, f := range models {
		m := f.record()
		m.Weights = f.weights.Dir
		if f.ranker != nil {
			m.Ranker = f.ranker.Dir
		}
		rec.Models = append(rec.Models, m)
	}
	for _, s := range systems {
		c := *s
		c.Result = nil
		rec.Systems = append(rec.Systems, c)
	}
	b, err := json.MarshalIndent(rec, "", " ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", RunName, err)
	}
	return artifact.WriteFile(filepath.Join(r.opt.Out, RunName), append(b, '\n'))
}

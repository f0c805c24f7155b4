package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/dataset"
	"syncabel/internal/link"
	"syncabel/internal/prediction"
	"syncabel/internal/study"
)

// Study is the grid of `syncabel study`.
type Study struct {
	Fractions []float64 `toml:"fractions"` // of the human training documents; default 0, 0.1, 0.2, 0.4, 0.6, 0.8, 1
	Modes     []string  `toml:"modes"`     // mixing modes, each laid over [train]; default: the [[model]] variants
	Sentences []int     `toml:"sentences"` // synthetic sentences per concept and language; 0 means all; default all
	Presets   []string  `toml:"presets"`   // sizes of the model; default the config's
	Link      string    `toml:"link"`      // linking mode; default beam-trie, which needs no development annotations
	Reference string    `toml:"reference"` // variant whose result with all documents is to be reached; default: the first without synthetic data
}

// StudyName is the record of a study's finished cells, in the folder of the run.
const StudyName = "study.json"

// A StudyRecord is study.json.
type StudyRecord struct {
	Kind      string          `json:"kind"` // "study"
	Name      string          `json:"name"`
	Note      string          `json:"note,omitempty"`
	Program   string          `json:"program"`
	Reference string          `json:"reference"`
	Link      string          `json:"link"`
	Lenient   bool            `json:"lenient"`
	Samples   int             `json:"samples,omitempty"`
	Cells     int             `json:"cells"` // of the whole grid
	Outcomes  []study.Outcome `json:"outcomes"`
}

// studyRunner runs the cells of a grid as ordinary stages.
type studyRunner struct {
	*runner
	d        *data
	variants map[string]Train
	mode     string
}

// RunStudy runs every cell of the config's grid, reusing finished stages, and records them in study.json after each.
func RunStudy(ctx context.Context, cfg *Config, opt Options) (*StudyRecord, error) {
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
	grid, variants, err := cfg.grid(len(d.written) > 0)
	if err != nil {
		return nil, err
	}
	sr := &studyRunner{r, d, variants, cmp.Or(cfg.Study.Link, link.BeamTrie)}
	rec := &StudyRecord{Kind: "study", Name: cfg.Name, Note: cfg.Note, Program: opt.Program, Reference: cfg.Study.Reference,
		Link: sr.mode, Lenient: cfg.Eval.Lenient, Samples: cfg.Eval.Samples}
	_, err = study.Run(ctx, grid, sr, func(done []study.Outcome, total int) error {
		rec.Outcomes, rec.Cells = done, total
		r.log("%-12s cell %d of %d: %s", "study", len(done), total, done[len(done)-1].Cell)
		return rec.write(opt.Out)
	})
	return rec, err
}

func (rec *StudyRecord) write(dir string) error {
	b, err := json.MarshalIndent(rec, "", " ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", StudyName, err)
	}
	return artifact.WriteFile(filepath.Join(dir, StudyName), append(b, '\n'))
}

// ReadStudy reads study.json of a folder and returns with it the reader of its predictions.
func ReadStudy(dir string) (*StudyRecord, study.Reader, error) {
	var rec StudyRecord
	if err := readJSON(filepath.Join(dir, StudyName), &rec); err != nil {
		return nil, nil, fmt.Errorf("opening study: %w: %s is no folder that `syncabel study` wrote", err, dir)
	}
	return &rec, func(o study.Outcome) ([]prediction.Prediction, error) {
		return prediction.ReadFile(filepath.Join(dir, filepath.FromSlash(o.Predictions), prediction.FileName))
	}, nil
}

// grid makes the axes of the study and the variants of its modes.
func (c *Config) grid(synthetic bool) (study.Grid, map[string]Train, error) {
	s := &c.Study
	g := study.Grid{Fractions: s.Fractions, Sentences: s.Sentences, Presets: s.Presets, Seeds: c.Seeds}
	if len(g.Fractions) == 0 {
		g.Fractions = []float64{0, 0.1, 0.2, 0.4, 0.6, 0.8, 1}
	}
	if len(g.Sentences) == 0 {
		g.Sentences = []int{0}
	}
	if len(g.Presets) == 0 {
		g.Presets = []string{""}
	}
	models := c.Models
	if len(s.Modes) > 0 {
		models = nil
		for _, m := range s.Modes {
			t := c.Train
			t.Name, t.Mode = m, m
			models = append(models, t)
		}
	}
	variants := map[string]Train{}
	for _, t := range models {
		uses := synthetic && t.Mode != dataset.HumanOnly
		g.Modes = append(g.Modes, study.Mode{Name: t.Name, Synthetic: uses, Human: t.Mode != dataset.SynthOnly, Empty: uses || t.Noisy > 0 || t.Synonym > 0})
		variants[t.Name] = t
		if s.Reference == "" && !uses {
			s.Reference = t.Name
		}
	}
	if _, ok := variants[s.Reference]; !ok {
		return g, nil, fmt.Errorf("study.reference %q is no variant of the study: it has %v", s.Reference, slices.Sorted(maps.Keys(variants)))
	}
	return g, variants, g.Check()
}

// Run trains and links one cell.
func (r *studyRunner) Run(_ context.Context, c study.Cell) (study.Outcome, error) {
	cfg := r.variants[c.Mode]
	cfg.Preset = cmp.Or(c.Preset, cfg.Preset)
	d := r.narrow(c, &cfg)
	f, err := r.fitModel(d, cfg, c.Seed)
	if err != nil {
		return study.Outcome{}, err
	}
	if r.mode == link.Hybrid {
		if err := r.fitRanker(d); err != nil {
			return study.Outcome{}, err
		}
		if err := r.fitWeights(d, f); err != nil {
			return study.Outcome{}, err
		}
	}
	s, err := r.modelSystem(d, f, r.mode, r.d.split(r.cfg.Link.Split))
	if err != nil {
		return study.Outcome{}, err
	}
	cost := study.Cost{}
	for _, m := range f.members() {
		cost.Tokens += m.man.Counts["tokens"]
	}
	if cfg.Mode != dataset.SynthOnly {
		cost.Documents, cost.Mentions = len(d.train), corpus.Mentions(d.train)
	}
	if cfg.Mode != dataset.HumanOnly {
		cost.Sentences = len(d.written)
	}
	return study.Outcome{Cell: c, Predictions: s.Predictions, Cost: cost}, nil
}

// narrow leaves of the data what a cell sees. Cells that see the same become the same stages: a mixture at 0 % is training on
// synthetic sentences alone. All documents and all sentences are the run's own data, so its stages are shared with `syncabel run`.
func (r *studyRunner) narrow(c study.Cell, cfg *Train) *data {
	d := *r.d
	if len(d.written) > 0 && c.Fraction == 0 && cfg.Mode != dataset.HumanOnly {
		cfg.Mode, cfg.Name = dataset.SynthOnly, dataset.SynthOnly
	}
	label := ""
	if c.Fraction < 1 && cfg.Mode != dataset.SynthOnly {
		d.train = corpus.Subset(d.train, c.Fraction, c.Seed)
		label = fmt.Sprintf("documents %g drawn %d", c.Fraction, c.Seed)
	}
	if cfg.Mode == dataset.SynthOnly {
		d.train = nil
		label = "documents none"
	}
	if c.Sentences > 0 && cfg.Mode != dataset.HumanOnly {
		d.written = firstSentences(d.written, c.Sentences)
		label += " sentences " + strconv.Itoa(c.Sentences)
	}
	if label == "" {
		return r.d
	}
	d.subset = label
	if r.mode == link.Hybrid { // its memory must not know documents that are not annotated
		d.observe(r.cfg.Link)
	}
	return &d
}

// firstSentences keeps the first n synthetic sentences of every concept and language, so that a smaller set is part of a
// larger one.
func firstSentences(docs []corpus.Document, n int) []corpus.Document {
	have := map[string]int{}
	var out []corpus.Document
	for _, d := range docs {
		key := d.Language
		if len(d.Mentions) > 0 && len(d.Mentions[0].Gold) > 0 {
			key += " " + fmt.Sprint(d.Mentions[0].Gold[0])
		}
		if have[key]++; have[key] <= n {
			out = append(out, d)
		}
	}
	return out
}

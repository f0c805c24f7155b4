package pipeline

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"strings"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/lexical"
	"syncabel/internal/link"
	"syncabel/internal/prediction"
	"syncabel/internal/ranker"
	"syncabel/internal/terminology"
)

// rankerKey is what a ranker depends on beside knowledge base and corpus.
type rankerKey struct {
	Ranker     Ranker
	Expand     bool
	Coordinate bool
	GroupMap   map[string]string

	Calibration string `json:",omitempty"`
	Closed      bool   `json:",omitempty"`
}

func rankerKeyOf(c *Config) rankerKey {
	l := c.Link
	return rankerKey{c.Ranker, l.Expand, l.Coordinate, l.GroupMap, l.Calibration, l.Closed}
}

// fitRanker runs the stage ranker. There is none where it is off or nothing is annotated.
func (r *runner) fitRanker(d *data) error {
	if r.cfg.Ranker.Off || len(d.seen) == 0 {
		return nil
	}
	inputs := map[string]string{"kb": d.kb.hash, "corpus": d.corpus.hash}
	if d.subset != "" {
		inputs["subset"] = d.subset
	}
	return r.rankerStage(d, slug(r.cfg.Name), inputs, false, func(k *ranker.Ranker) ([]link.Lesson, error) {
		workers, err := r.workers(func() (*link.Linker, error) {
			return link.New(link.Parts{KB: d.k, Stage0: d.stage0, Ranker: k}, r.linkOptions(Train{}, link.Ranked, nil, ""))
		})
		if err != nil {
			return nil, err
		}
		return link.Lessons(r.ctx, workers, d.train, 1)
	})
}

// rankerStage runs the stage ranker for the data and opens what it made; lessons are what its trees learn from.
func (r *runner) rankerStage(d *data, name string, inputs map[string]string, informed bool, lessons func(*ranker.Ranker) ([]link.Lesson, error)) error {
	lexicons, err := r.cfg.hashLexicons()
	if err != nil {
		return err
	}
	maps.Copy(inputs, lexicons)
	d.rankerStage, err = r.do("ranker", name, 0, rankerKeyOf(r.cfg), inputs, func(a *artifact.Folder) error {
		pairs, warnings, err := r.cfg.readLexicons()
		if err != nil {
			return err
		}
		a.Manifest.Warnings = summarise(warnings)
		k := ranker.New(d.k, d.stage0, d.seen, pairs, rankerOptions(r.cfg.Ranker))
		k.Informed = informed
		list, err := lessons(k)
		if err != nil {
			return err
		}
		return r.writeRanker(a, k, list)
	})
	if err != nil {
		return err
	}
	d.ranker, err = openRanker(d.rankerStage.path, d.k, d.stage0, d.seen)
	return err
}

// workers makes a linker for every processor.
func (r *runner) workers(one func() (*link.Linker, error)) ([]*link.Linker, error) {
	out := make([]*link.Linker, cmp.Or(r.opt.Threads, runtime.GOMAXPROCS(0)))
	var err error
	for i := range out {
		if out[i], err = one(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// writeRanker trains the trees and writes them, with weights calibrated on the lessons.
func (r *runner) writeRanker(a *artifact.Folder, k *ranker.Ranker, lessons []link.Lesson) error {
	w := link.Learn(k, lessons, r.calibration())
	if err := a.WriteJSON(weightsName, w); err != nil {
		return err
	}
	a.Manifest.Counts = map[string]int64{"trees": int64(len(k.Trees)), "words": int64(len(k.Vocabulary.Words)), "words with synonyms": int64(len(k.Vocabulary.Synonyms)),
		"terms that lexicons render": int64(len(k.Vocabulary.Renderings))}
	return k.WriteFile(a.Path(ranker.FileName))
}

// informed returns the data with a ranker that hears the model, where ranker.folds asks for one: its trees learn from what models say that
// have not seen the documents. These models are of the first seed; one ranker serves all.
func (r *runner) informed(d *data, cfg Train) (*data, error) {
	if d.ranker == nil || r.cfg.Ranker.Folds < 2 {
		return d, nil
	}
	parts := corpus.Folds(d.train, r.cfg.Ranker.Folds)
	folds := len(parts)
	if folds < 2 {
		return d, nil
	}
	inputs := map[string]string{"kb": d.kb.hash, "corpus": d.corpus.hash}
	models := make([]*fitted, folds)
	for i := range parts {
		others := *d
		others.train = corpus.Others(parts, i)
		others.subset = strings.TrimSpace(fmt.Sprintf("%s fold %d of %d", d.subset, i, folds))
		var err error
		if models[i], err = r.fitModel(&others, cfg, r.cfg.Seeds[0]); err != nil {
			return nil, err
		}
		inputs[fmt.Sprint("model ", i)] = models[i].trie.hash
		for j, m := range models[i].also {
			inputs[fmt.Sprintf("model %d, member %d", i, j+2)] = m.hash
		}
	}
	out := *d
	return &out, r.rankerStage(&out, models[0].name+".informed", inputs, true, func(k *ranker.Ranker) ([]link.Lesson, error) {
		return r.informedLessons(d, k, models, parts)
	})
}

// informedLessons asks each model about the documents it was trained without.
func (r *runner) informedLessons(d *data, k *ranker.Ranker, models []*fitted, parts [][]corpus.Document) ([]link.Lesson, error) {
	var out []link.Lesson
	for i, f := range models {
		var open []*opened
		workers, err := r.workers(func() (*link.Linker, error) {
			o, err := r.open(f, 1)
			if err != nil {
				return nil, err
			}
			open = append(open, o)
			return link.New(o.parts(d.k, d.stage0, k), r.linkOptions(f.cfg, link.Hybrid, nil, ""))
		})
		var lessons []link.Lesson
		if err == nil {
			lessons, err = link.Lessons(r.ctx, workers, parts[i], uint64(i+1))
		}
		for _, o := range open {
			o.close()
		}
		if err != nil {
			return nil, err
		}
		out = append(out, lessons...)
	}
	return out, nil
}

func rankerOptions(c Ranker) ranker.Options {
	return ranker.Options{Candidates: c.Candidates, Hide: c.Hide, Boost: ranker.BoostOptions{Rounds: c.Rounds, Leaves: c.Leaves, Rate: c.Rate, Seed: 1}}
}

func openRanker(dir string, kb *terminology.KB, stage0 *lexical.Retriever, obs []lexical.Observation) (*ranker.Ranker, error) {
	return ranker.Open(filepath.Join(dir, ranker.FileName), kb, stage0, obs)
}

// fitRankedWeights runs the stage tune for mode ranked: its calibration, on development mentions where there are enough.
func (r *runner) fitRankedWeights(d *data) (err error) {
	inputs := map[string]string{"corpus": d.corpus.hash, "ranker": d.rankerStage.hash}
	d.rankedWeights, err = r.do("tune", slug(r.cfg.Name)+".ranked", 0, tuneKey(r.cfg.Link), inputs, func(a *artifact.Folder) error {
		if corpus.Mentions(d.dev) < minTune {
			w, err := readWeights(d.rankerStage.path)
			if err != nil {
				return err
			}
			return writeWeights(a, w)
		}
		l, err := r.rankedLinker(d, nil, "tune ranked")
		if err != nil {
			return err
		}
		w, err := l.Fit(r.ctx, d.dev, r.calibration())
		if err != nil {
			return err
		}
		return writeWeights(a, w)
	})
	return err
}

func (r *runner) rankedLinker(d *data, w *link.Weights, system string) (*link.Linker, error) {
	opt := r.linkOptions(Train{}, link.Ranked, w, system)
	opt.System, opt.Composites = system, r.composites
	return link.New(link.Parts{KB: d.k, Stage0: d.stage0, Ranker: d.ranker}, opt)
}

// rankedSystem links with the ranker alone.
func (r *runner) rankedSystem(d *data, docs []corpus.Document) (*System, error) {
	if err := r.fitRankedWeights(d); err != nil {
		return nil, err
	}
	l := r.linkKey()
	l.Oracle = Oracle{}
	s := &System{Name: "stage 0, ranked", Mode: link.Ranked}
	inputs := map[string]string{"corpus": d.corpus.hash, "ranker": d.rankerStage.hash, "weights": d.rankedWeights.hash}
	return r.score(d, s, 0, l, inputs, func(*artifact.Manifest) ([]prediction.Prediction, error) {
		w, err := readWeights(d.rankedWeights.path)
		if err != nil {
			return nil, err
		}
		linker, err := r.rankedLinker(d, w, s.Name)
		if err != nil {
			return nil, err
		}
		return linker.Link(r.ctx, docs)
	})
}

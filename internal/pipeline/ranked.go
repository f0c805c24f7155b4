package pipeline

import (
	"path/filepath"

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
}

// fitRanker runs the stage ranker. There is none where it is off or nothing is annotated.
func (r *runner) fitRanker(d *data) error {
	obs := observations(d.k, d.train, r.cfg.Link)
	if r.cfg.Ranker.Off || len(obs) == 0 {
		return nil
	}
	l := r.cfg.Link
	inputs := map[string]string{"kb": d.kb.hash, "corpus": d.corpus.hash}
	if d.subset != "" {
		inputs["subset"] = d.subset
	}
	var err error
	d.rankerStage, err = r.do("ranker", slug(r.cfg.Name), 0, rankerKey{r.cfg.Ranker, l.Expand, l.Coordinate, l.GroupMap}, inputs, func(a *artifact.Folder) error {
		k := ranker.New(d.k, d.stage0, obs, rankerOptions(r.cfg.Ranker))
		linker, err := link.New(link.Parts{KB: d.k, Stage0: d.stage0, Ranker: k},
			link.Options{Mode: link.Ranked, Expand: l.Expand, Coordinate: l.Coordinate, GroupMap: l.GroupMap})
		if err != nil {
			return err
		}
		if err := linker.TrainRanker(r.ctx, d.train, 1); err != nil {
			return err
		}
		a.Manifest.Counts = map[string]int64{"trees": int64(len(k.Trees)), "words": int64(len(k.Vocabulary.Words)), "words with synonyms": int64(len(k.Vocabulary.Synonyms))}
		return k.WriteFile(a.Path(ranker.FileName))
	})
	if err != nil {
		return err
	}
	d.ranker, err = openRanker(d.rankerStage.path, d.k, d.stage0, obs)
	return err
}

func rankerOptions(c Ranker) ranker.Options {
	return ranker.Options{Candidates: c.Candidates, Hide: c.Hide, Boost: ranker.BoostOptions{Rounds: c.Rounds, Leaves: c.Leaves, Rate: c.Rate, Seed: 1}}
}

func openRanker(dir string, kb *terminology.KB, stage0 *lexical.Retriever, obs []lexical.Observation) (*ranker.Ranker, error) {
	return ranker.Open(filepath.Join(dir, ranker.FileName), kb, stage0, obs)
}

// rankedSystem links with the ranker alone.
func (r *runner) rankedSystem(d *data, docs []corpus.Document) (*System, error) {
	l := r.cfg.Link
	s := &System{Name: "stage 0, ranked", Mode: link.Ranked}
	l.Modes = nil
	return r.score(d, s, 0, l, map[string]string{"corpus": d.corpus.hash, "ranker": d.rankerStage.hash}, func() ([]prediction.Prediction, error) {
		linker, err := link.New(link.Parts{KB: d.k, Stage0: d.stage0, Ranker: d.ranker},
			link.Options{Mode: link.Ranked, Expand: l.Expand, Coordinate: l.Coordinate, GroupMap: l.GroupMap, Keep: l.Keep, System: s.Name})
		if err != nil {
			return nil, err
		}
		return linker.Link(r.ctx, docs)
	})
}

package pipeline

import (
	"path/filepath"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/dataset"
	"syncabel/internal/detect"
	"syncabel/internal/eval"
	"syncabel/internal/link"
	"syncabel/internal/prediction"
)

// detector runs the stage detect: what finds mentions in plain text, trained from the training annotations.
func (r *runner) detector(d *data) (*stage, error) {
	inputs := map[string]string{"kb": d.kb.hash, "corpus": d.corpus.hash}
	return r.do("detect", "mentions", 1, r.cfg.Link.GroupMap, inputs, func(a *artifact.Folder) error {
		m, err := detect.Train(d.k, d.train, detect.Options{Seed: 1, Group: func(typ string) string { return dataset.GroupOf(d.k, typ, r.cfg.Link.GroupMap) }})
		if err != nil {
			return err
		}
		a.Manifest.Counts = map[string]int64{"features": int64(m.Features()), "words": int64(len(m.Words))}
		return m.WriteFile(a.Path(detect.FileName))
	})
}

// endToEnd finds the mentions of the documents itself, links them with every seed of the default model, and scores both.
func (r *runner) endToEnd(d *data, models []*fitted, docs []corpus.Document) (*eval.EndToEnd, error) {
	det, err := detect.Open(filepath.Join(d.detect.path, detect.FileName), d.k)
	if err != nil {
		return nil, err
	}
	last := models[len(models)-1].cfg.Name
	var runs [][]prediction.Prediction
	for _, f := range models {
		if f.cfg.Name != last {
			continue
		}
		plain := make([]corpus.Document, len(docs))
		for i := range docs {
			plain[i] = docs[i]
			plain[i].Mentions = det.Detect(&docs[i])
		}
		list, err := r.linkPlain(d, f, plain)
		if err != nil {
			return nil, err
		}
		runs = append(runs, list)
	}
	group := func(typ string) string { return dataset.GroupOf(d.k, typ, r.cfg.Link.GroupMap) }
	return eval.ScoreEndToEnd(docs, runs, group, r.evalOptions()), nil
}

// linkPlain runs the stage link over documents whose mentions were found.
func (r *runner) linkPlain(d *data, f *fitted, docs []corpus.Document) ([]prediction.Prediction, error) {
	inputs := f.inputs(map[string]string{"corpus": d.corpus.hash, "weights": f.weights.hash, "detect": d.detect.hash})
	s, err := r.do("link", f.name+".plain-text", 0, r.linkKey(), inputs, func(a *artifact.Folder) error {
		a.Manifest.Counts = map[string]int64{}
		preds, err := r.linkWith(d, f, link.Hybrid, f.cfg.Name+" plain text", docs, &a.Manifest)
		if err != nil {
			return err
		}
		a.Manifest.Counts["mentions"] = int64(len(preds))
		return prediction.WriteFile(a.Path(prediction.FileName), preds)
	})
	if err != nil {
		return nil, err
	}
	return prediction.ReadFile(filepath.Join(s.path, prediction.FileName))
}

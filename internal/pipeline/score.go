package pipeline

import (
	"fmt"
	"path/filepath"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/eval"
	"syncabel/internal/lexical"
	"syncabel/internal/link"
	"syncabel/internal/prediction"
	"syncabel/internal/trie"
)

// A System is one row of the report: its predictions and their evaluation.
type System struct {
	Name        string       `json:"name"`
	Model       string       `json:"model,omitempty"` // variant; empty for string comparison
	Mode        string       `json:"mode"`
	Seed        uint64       `json:"seed,omitempty"`
	Predictions string       `json:"predictions"` // folder below the run's
	Evaluation  string       `json:"evaluation"`
	Result      *eval.Result `json:"-"`
	preds       []prediction.Prediction
}

// lexicalRow is one baseline of string comparison.
type lexicalRow struct {
	Name   string
	Exact  bool // equal strings only
	Memory bool // training annotations too
	Expand bool // abbreviations by their long form
	Split  bool // coordinations by their first member
}

func (r *runner) lexicalRows() []lexicalRow {
	rows := []lexicalRow{{Name: "dictionary", Exact: true}, {Name: "dictionary + training", Exact: true, Memory: true},
		{Name: "TF-IDF"}, {Name: "TF-IDF + training", Memory: true}}
	if r.cfg.Link.Expand {
		rows = append(rows, lexicalRow{Name: "TF-IDF + training + abbreviations", Memory: true, Expand: true})
	}
	if r.cfg.Link.Coordinate {
		rows = append(rows, lexicalRow{Name: "the same + coordinations", Memory: true, Expand: r.cfg.Link.Expand, Split: true})
	}
	return rows
}

// baseline links with string comparison alone.
func (r *runner) baseline(d *data, row lexicalRow, docs []corpus.Document) (*System, error) {
	l := Link{Expand: row.Expand, GroupMap: r.cfg.Link.GroupMap, Keep: r.cfg.Link.Keep, Split: r.cfg.Link.Split}
	s := &System{Name: row.Name, Mode: link.Lexical}
	inputs := map[string]string{"kb": d.kb.hash, "corpus": d.corpus.hash}
	key := struct {
		Row  lexicalRow
		Link Link
	}{row, l}
	return r.score(d, s, 0, key, inputs, func(*artifact.Manifest) ([]prediction.Prediction, error) {
		opt := lexical.Options{Names: true}
		if row.Memory {
			opt.Training = observations(d.k, d.train, l)
		}
		linker, err := link.New(link.Parts{KB: d.k, Stage0: lexical.NewRetriever(d.k, opt)},
			link.Options{Mode: link.Lexical, Exact: row.Exact, Expand: row.Expand, Coordinate: row.Split, GroupMap: l.GroupMap, Keep: l.Keep, System: s.Name})
		if err != nil {
			return nil, err
		}
		return linker.Link(r.ctx, docs)
	})
}

// modelSystem links with a model in one mode.
func (r *runner) modelSystem(d *data, f *fitted, mode string, docs []corpus.Document) (*System, error) {
	s := &System{Name: f.cfg.Name + " " + modeName(mode), Model: f.cfg.Name, Mode: mode, Seed: f.seed}
	inputs := f.inputs(map[string]string{"corpus": d.corpus.hash})
	if mode == link.Hybrid {
		inputs["weights"] = f.weights.hash
		inputs = d.withRanker(inputs)
	}
	l := r.linkKey()
	key := struct {
		Mode string
		Link Link
	}{mode, l}
	return r.score(d, s, f.seed, key, inputs, func(m *artifact.Manifest) ([]prediction.Prediction, error) {
		return r.linkWith(d, f, mode, s.Name, docs, m)
	})
}

// linkKey is what of [link] decides answers.
func (r *runner) linkKey() Link {
	l := r.cfg.Link
	l.Modes, l.Oracle = nil, l.Oracle.identity()
	return l
}

// linkWith links documents with a fitted model and notes in a manifest what servers were asked.
func (r *runner) linkWith(d *data, f *fitted, mode, system string, docs []corpus.Document, m *artifact.Manifest) ([]prediction.Prediction, error) {
	o, err := r.open(f, r.opt.Threads)
	if err != nil {
		return nil, err
	}
	defer o.close()
	var w *link.Weights
	if mode == link.Hybrid {
		if w, err = readWeights(f.weights.path); err != nil {
			return nil, err
		}
	}
	opt := r.linkOptions(f.cfg, mode, w, "link "+system)
	opt.System, opt.Composites = system, r.composites
	k := d.ranker
	if f.heard != nil { // the weights are fitted for it
		k = f.heard
	}
	linker, err := link.New(o.parts(d.k, d.stage0, k), opt)
	if err != nil {
		return nil, err
	}
	defer o.server.note(m)()
	return linker.Link(r.ctx, docs)
}

// modeName is how tables call a mode.
func modeName(mode string) string {
	switch mode {
	case link.BeamTrie:
		return "guided"
	case link.CertifiedTop1:
		return "certified"
	case link.Hybrid:
		return "guided + stage 0"
	}
	return mode
}

// score runs the stages link and eval for one system.
func (r *runner) score(d *data, s *System, seed uint64, key any, inputs map[string]string, run func(*artifact.Manifest) ([]prediction.Prediction, error)) (*System, error) {
	name := slug(s.Name)
	if seed > 0 {
		name = fmt.Sprintf("%s.seed%d", name, seed)
	}
	linked, err := r.do("link", name, 0, key, inputs, func(a *artifact.Folder) error {
		a.Manifest.Counts = map[string]int64{}
		preds, err := run(&a.Manifest)
		if err != nil {
			return err
		}
		d.tagger.Tag(preds)
		a.Manifest.Counts["mentions"] = int64(len(preds))
		for i := range preds {
			if preds[i].Group == trie.All {
				a.Manifest.Counts["of an unknown group, linked over all"]++
			}
		}
		return prediction.WriteFile(a.Path(prediction.FileName), preds)
	})
	if err != nil {
		return nil, err
	}
	if s.preds, err = prediction.ReadFile(filepath.Join(linked.path, prediction.FileName)); err != nil {
		return nil, err
	}
	evaluated, err := r.do("eval", name, 0, r.cfg.Eval, map[string]string{"predictions": linked.hash}, func(a *artifact.Folder) error {
		res, err := eval.Evaluate(s.preds, r.evalOptions())
		if err != nil {
			return err
		}
		a.Manifest.Metrics = map[string]float64{"recall@1": res.Overall.Recall1.Value}
		return a.WriteJSON(evaluationName, res)
	})
	if err != nil {
		return nil, err
	}
	s.Predictions, s.Evaluation = linked.Dir, evaluated.Dir
	s.Result, err = readEvaluation(evaluated.path)
	return s, err
}

const evaluationName = "evaluation.json"

func (r *runner) evalOptions() eval.Options {
	return eval.Options{Protocol: r.cfg.Eval.Protocol, Lenient: r.cfg.Eval.Lenient, Samples: r.cfg.Eval.Samples, Seed: 1}
}

func readEvaluation(dir string) (*eval.Result, error) {
	var res eval.Result
	if err := readJSON(filepath.Join(dir, evaluationName), &res); err != nil {
		return nil, fmt.Errorf("reading evaluation: %w", err)
	}
	return &res, nil
}

// slug makes a folder name of a system's name.
func slug(s string) string {
	out := []rune{}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r == '.', r == '_':
			out = append(out, r)
		case len(out) > 0 && out[len(out)-1] != '-':
			out = append(out, '-')
		}
	}
	return string(out)
}

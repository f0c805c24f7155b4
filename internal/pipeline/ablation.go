package pipeline

import (
	"fmt"
	"slices"

	"syncabel/internal/artifact"
	"syncabel/internal/corpus"
	"syncabel/internal/eval"
	"syncabel/internal/lexical"
	"syncabel/internal/link"
	"syncabel/internal/prediction"
	"syncabel/internal/ranker"
	"syncabel/internal/report"
)

// additions are what linking has beyond the bare search; a row of the ablation is a set of them. They are the row's key.
type additions struct {
	Merged     bool `json:",omitempty"` // names of a concept summed
	Expand     bool `json:",omitempty"`
	Coordinate bool `json:",omitempty"`
	Narrow     bool `json:",omitempty"` // the model chooses among stage 0's candidates
	Union      bool `json:",omitempty"` // beams and stage 0's candidates, weighed
	Training   bool `json:",omitempty"` // stage 0 knows the training strings
	Ranker     bool `json:",omitempty"`
	Informed   bool `json:",omitempty"` // the ranker hears the model
	Memory     bool `json:",omitempty"` // earlier links of the document in the prompt
	Calibrated bool `json:",omitempty"`
	Composites bool `json:",omitempty"` // several answers
}

// ablationRow is a set of additions with the row it is compared with.
type ablationRow struct {
	name    string
	against int // number of a row; -1 of the first
	has     additions
}

// ablationRows are the bare search and then one addition more at a time, of those that the config has. Narrowing stands beside the chain:
// the row after it is compared with the row before it.
func (r *runner) ablationRows(d *data, f *fitted, calibrated bool) []ablationRow {
	rows := []ablationRow{{"guided, each name for itself", -1, additions{}}}
	last := 0
	add := func(have bool, name string, set func(*additions)) {
		if !have {
			return
		}
		row := ablationRow{"+ " + name, last, rows[last].has}
		set(&row.has)
		rows = append(rows, row)
		if !row.has.Narrow {
			last = len(rows) - 1
		}
	}
	add(true, "names of a concept merged", func(a *additions) { a.Merged = true })
	add(r.cfg.Link.Expand, "abbreviations", func(a *additions) { a.Expand = true })
	add(r.cfg.Link.Coordinate, "coordinations", func(a *additions) { a.Coordinate = true })
	add(true, "narrowed to candidates of string comparison", func(a *additions) { a.Narrow = true })
	add(true, "these candidates beside the beams, weighed", func(a *additions) { a.Union = true })
	add(true, "training strings", func(a *additions) { a.Training = true })
	add(d.ranker != nil, "ranker", func(a *additions) { a.Ranker = true })
	add(f.ranker != nil, "the ranker hears the model", func(a *additions) { a.Informed = true })
	add(f.cfg.Memory > 0, "document memory", func(a *additions) { a.Memory = true })
	add(calibrated, "calibration", func(a *additions) { a.Calibrated = true })
	add(r.cfg.Link.Composites, "several answers", func(a *additions) { a.Composites = true })
	return rows
}

// ablation links with the models of one variant, row by row, and compares. The last row is the run's own hybrid, which is taken over where
// it is among the systems.
func (r *runner) ablation(d *data, systems []*System, models []*fitted, docs []corpus.Document) (*report.Ablation, error) {
	out := &report.Ablation{Model: r.cfg.Ablation.Model}
	var rows []ablationRow
	var results []*row
	for _, f := range models {
		if f.cfg.Name != out.Model {
			continue
		}
		w, err := readWeights(f.weights.path)
		if err != nil {
			return nil, err
		}
		rows = r.ablationRows(d, f, w.Calibration != nil)
		own := slices.IndexFunc(systems, func(s *System) bool { return s.Model == f.cfg.Name && s.Seed == f.seed && s.Mode == link.Hybrid })
		todo := rows
		if own >= 0 {
			todo = rows[:len(rows)-1]
		}
		done, err := r.ablated(d, f, todo, rows[len(rows)-1].has, docs)
		if err != nil {
			return nil, err
		}
		if own >= 0 {
			done = append(done, systems[own])
		}
		for i, s := range done {
			if out.Seeds == 0 {
				results = append(results, &row{name: s.Name})
			}
			results[i].seeds, results[i].preds = append(results[i].seeds, s), append(results[i].preds, s.preds...)
		}
		out.Seeds++
	}
	for i, x := range results {
		a, err := r.addition(x, rows[i], results)
		if err != nil {
			return nil, err
		}
		if rows[i].against >= 0 {
			a.Against = rows[rows[i].against].name
		}
		out.Rows = append(out.Rows, *a)
	}
	return out, nil
}

// addition evaluates a row and pairs it with the one it is compared with.
func (r *runner) addition(x *row, def ablationRow, all []*row) (*report.Addition, error) {
	res, err := eval.Evaluate(x.preds, r.evalOptions())
	if err != nil {
		return nil, err
	}
	a := &report.Addition{Name: def.name, Recall1: res.Overall.Recall1}
	for _, s := range x.seeds {
		a.Predictions = append(a.Predictions, s.Predictions)
	}
	if res.Selective != nil {
		for _, c := range res.Selective.Curve {
			if c.Coverage < 0.705 {
				a.At70 = c.Accuracy
			}
		}
	}
	before := x
	if def.against >= 0 {
		before = all[def.against]
		c, err := eval.Compare(x.preds, before.preds, r.evalOptions())
		if err != nil {
			return nil, err
		}
		a.All, a.Seen, a.Unseen = c.Recall1, c.Strata[eval.SeenConcept].Test, c.Strata[eval.UnseenConcept].Test
	}
	a.ECE, _, a.ECETest = eval.Calibration(x.preds, before.preds, r.evalOptions())
	return a, nil
}

// ablated links with one model in every row; full is what the run's own hybrid has. The model is opened once, and only where a row is not finished; what it says about a string is
// remembered from row to row.
func (r *runner) ablated(d *data, f *fitted, rows []ablationRow, full additions, docs []corpus.Document) ([]*System, error) {
	x := &ablating{r: r, d: d, f: f, docs: docs, memo: link.Memo{}, full: full.weights()}
	defer func() {
		if x.o != nil {
			x.o.close()
		}
	}()
	var out []*System
	for _, row := range rows {
		s, err := x.system(row)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// ablating is one model on its way through the rows.
type ablating struct {
	r     *runner
	d     *data
	f     *fitted
	docs  []corpus.Document
	full  additions // of the run's own hybrid
	memo  link.Memo
	o     *opened            // nil until something has to be linked
	names *lexical.Retriever // stage 0 without training strings, likewise
}

// ablationKey is what a row depends on beside the model.
type ablationKey struct {
	Has  additions
	Link Link
}

func (x *ablating) system(row ablationRow) (*System, error) {
	has, l := row.has, tuneKey(x.r.cfg.Link)
	l.Split, l.Keep, l.NIL = x.r.cfg.Link.Split, x.r.cfg.Link.Keep, x.r.cfg.Link.NIL
	s := &System{Name: x.f.cfg.Name + " ablation " + row.name, Model: x.f.cfg.Name, Mode: has.mode(), Seed: x.f.seed}
	inputs := x.inputs(has)
	weights := x.f.weights
	if has.weighed() {
		if has.weights() != x.full {
			var err error
			if weights, err = x.tuned(s.Name, has, l); err != nil {
				return nil, err
			}
		}
		inputs["weights"] = weights.hash
	}
	return x.r.score(x.d, s, x.f.seed, ablationKey{has, l}, inputs, func(m *artifact.Manifest) ([]prediction.Prediction, error) {
		var w *link.Weights
		if has.weighed() {
			var err error
			if w, err = readWeights(weights.path); err != nil {
				return nil, err
			}
			if !has.Calibrated {
				w.Calibration = nil
			}
		}
		linker, err := x.linker(has, w, s.Name)
		if err != nil {
			return nil, err
		}
		defer x.o.server.note(m)()
		return linker.Link(x.r.ctx, x.docs)
	})
}

func (x *ablating) inputs(has additions) map[string]string {
	inputs := x.f.inputs(map[string]string{"corpus": x.d.corpus.hash})
	switch {
	case has.Informed:
		inputs["ranker"] = x.f.ranker.hash
	case has.Ranker:
		inputs = x.d.withRanker(inputs)
	}
	return inputs
}

// maxTune bounds the development mentions that a row's own weights are fitted on; more cost time and move nothing.
const maxTune = 1500

// tuned fits the weights of a row that is not the run's own hybrid.
func (x *ablating) tuned(name string, has additions, l Link) (*stage, error) {
	l.Split, l.Keep, l.NIL = "", 0, 0
	return x.r.do("tune", fmt.Sprintf("%s.seed%d", slug(name), x.f.seed), 0, ablationKey{has, l}, x.inputs(has), func(a *artifact.Folder) error {
		linker, err := x.linker(has, nil, "tune "+name)
		if err != nil {
			return err
		}
		if len(x.d.dev) == 0 {
			return writeWeights(a, linker.Weights())
		}
		w, err := linker.Fit(x.r.ctx, thinned(x.d.dev, maxTune), link.CalibrateNone)
		if err != nil {
			return err
		}
		return writeWeights(a, w)
	})
}

// thinned takes every so many-th document until there are about n mentions.
func thinned(docs []corpus.Document, n int) []corpus.Document {
	step := max(1, (corpus.Mentions(docs)+n-1)/n)
	var out []corpus.Document
	for i := 0; i < len(docs); i += step {
		out = append(out, docs[i])
	}
	return out
}

// linker makes a linker with a set of additions.
func (x *ablating) linker(has additions, w *link.Weights, label string) (*link.Linker, error) {
	if x.o == nil {
		var err error
		if x.o, err = x.r.open(x.f, x.r.opt.Threads); err != nil {
			return nil, err
		}
	}
	stage0 := x.d.stage0
	if (has.Narrow || has.Union) && !has.Training {
		if x.names == nil {
			x.names = lexical.NewRetriever(x.d.k, lexical.Options{Names: true})
		}
		stage0 = x.names
	}
	var k *ranker.Ranker
	switch {
	case has.Informed:
		k = x.f.heard
	case has.Ranker:
		k = x.d.ranker
	}
	p := x.o.parts(x.d.k, stage0, k)
	p.Memo = x.memo
	opt := x.r.linkOptions(x.f.cfg, has.mode(), w, label)
	opt.System, opt.Apart, opt.Narrow, opt.Expand, opt.Coordinate = label, !has.Merged, has.Narrow, has.Expand, has.Coordinate
	if has.Composites {
		opt.Composites = x.r.composites
	}
	if !has.Memory {
		opt.Markup.Memory = 0
	}
	if has.Narrow {
		opt.Weights = link.ModelWeights()
	}
	return link.New(p, opt)
}

// weights are what fitted weights depend on.
func (a additions) weights() additions {
	a.Calibrated, a.Composites = false, false
	return a
}

// weighed: the candidates are valued by fitted weights.
func (a additions) weighed() bool { return a.Union && !a.Narrow }

func (a additions) mode() string {
	if a.Narrow || a.Union {
		return link.Hybrid
	}
	return link.BeamTrie
}

package link

import (
	"context"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strings"

	"syncabel/internal/corpus"
	"syncabel/internal/ranker"
)

// Weights combine what the model and stage 0 say about a candidate: a conditional logit over a mention's candidates, whose
// softmax is the probability of each. They are fitted on the development split.
type Weights struct {
	Features []string  `json:"features"`
	Values   []float64 `json:"values"`
	Mentions int       `json:"mentions"` // they were fitted on; 0: defaults
	Loss     float64   `json:"loss"`     // mean negative log-probability of the gold there
	Recall1  float64   `json:"recall@1"` // of all fitted mentions, as they were fitted

	Confidence  *Confidence  `json:"confidence,omitempty"`  // nil: too few mentions without a right candidate to learn from
	Calibration *Calibration `json:"calibration,omitempty"` // nil: probabilities stay as the weights have them
}

// featureNames says what the columns of features are:
//
//	logp      log-probability of the concept's names together, renormalised over the trie's children, at least -30
//	raw       the same over the whole vocabulary
//	cosine    largest cosine to a name or training string, training strings winning ties
//	name      largest cosine to a name
//	train     largest cosine to a training string
//	exact     1 when equal to a name
//	memory    of a training string equal to the mention, the part that meant this concept
//	beam      1 when the beam search ended on it
//	ranker    log-odds that the ranker gives it, 0 without one
func featureNames() []string {
	return []string{"logp", "raw", "cosine", "name", "train", "exact", "memory", "beam", "ranker"}
}

// Columns that are asked for by themselves.
const (
	cosineFeature = 2
	rankerFeature = 8
)

// floorLogP bounds the log-probability from below: under it, numbers say nothing but "no".
const floorLogP = -30

func (t *task) features(s *scored) []float64 {
	f := []float64{math.Max(s.logp, floorLogP), math.Max(s.raw, floorLogP), float64(s.lex.Score), float64(s.lex.NameScore), float64(s.lex.TrainScore), 0, 0, 0, s.ranker}
	if s.lex.NameScore == 1 {
		f[5] = 1
	}
	if s.lex.TrainScore == 1 {
		f[6] = float64(s.lex.TrainShare)
	}
	if s.beam {
		f[7] = 1
	}
	return f
}

// DefaultWeights are used where there is no development split, and are what fitting starts from: the better of six tried on the
// development splits of ncbi-disease and hpo-gsc. A ranker's log-odds say more than the cosine, which they hold; those of one that hears the
// model say all, and nothing is fitted beside them.
func DefaultWeights(k *ranker.Ranker) *Weights {
	switch {
	case k == nil:
		return &Weights{Features: featureNames(), Values: []float64{0.3, 0.3, 5, 0, 0, 0, 0, 0, 0}}
	case k.Informed:
		return rankerAlone()
	}
	return &Weights{Features: featureNames(), Values: []float64{0.2, 0.2, 0, 0, 0, 0, 0, 0, 0.7}}
}

// rankerAlone leaves the order to the ranker.
func rankerAlone() *Weights {
	return &Weights{Features: featureNames(), Values: []float64{0, 0, 0, 0, 0, 0, 0, 0, 1}}
}

// ModelWeights leave the order to the model alone, as beam-trie weighs names.
func ModelWeights() *Weights {
	return &Weights{Features: featureNames(), Values: []float64{1, 0, 0, 0, 0, 0, 0, 0, 0}}
}

// weighs reports whether the mode's candidates are valued by Weights.
func (l *Linker) weighs() bool { return l.opt.Mode == Hybrid || l.opt.Mode == Ranked }

// Weights are what the linker values candidates by.
func (l *Linker) Weights() *Weights {
	if l.opt.Weights == nil {
		l.opt.Weights = DefaultWeights(l.ranker)
	}
	return l.opt.Weights
}

func (w *Weights) value(f []float64) float64 {
	v := 0.0
	for i, x := range w.Values {
		v += x * f[i]
	}
	return v
}

// Check reports weights that this program's features do not fit.
func (w *Weights) Check() error {
	if !slices.Equal(w.Features, featureNames()) || len(w.Values) != len(w.Features) {
		return fmt.Errorf("weights are for the features %s, this program has %s: run the stage tune again",
			strings.Join(w.Features, ", "), strings.Join(featureNames(), ", "))
	}
	return nil
}

// mentionCase is one annotated mention with its candidates.
type mentionCase struct {
	features [][]float64
	gold     []bool
	document string
	group    string
}

// fold divides mentions by document.
func (c *mentionCase) fold(folds int) int {
	return int(crc32.ChecksumIEEE([]byte(c.document)) % uint32(folds))
}

// Fit links the development documents and fits the weights and, by a method, their calibration; weights that leave the order to the ranker, as
// in mode Ranked, stay as they are. Mentions whose gold is not among the candidates say nothing about weights and are left out.
func (l *Linker) Fit(ctx context.Context, dev []corpus.Document, calibration string) (*Weights, error) {
	if !l.weighs() {
		return nil, fmt.Errorf("weights are fitted in modes %q and %q only", Hybrid, Ranked)
	}
	tasks, err := l.tasks(dev)
	if err != nil {
		return nil, err
	}
	var all []mentionCase
	tasks = slices.DeleteFunc(tasks, l.outside)
	err = l.each(ctx, tasks, func(t *task) {
		c := l.mentionCase(t)
		c.document, c.group = t.doc.Whole(), t.group
		all = append(all, c)
		t.cands = nil
	})
	if err != nil {
		return nil, err
	}
	fit := func(cases []mentionCase) *Weights {
		if l.opt.Mode == Ranked {
			return fitCases(cases, rankerAlone(), true)
		}
		return fitCases(cases, DefaultWeights(l.ranker), l.ranker != nil && l.ranker.Informed)
	}
	w := fit(all)
	if len(all) >= minFit {
		w.Calibration = calibrate(all, calibration, fit)
	}
	return w, nil
}

// fitCases fits confidence and, unless they are fixed, weights, these on mentions whose gold is one of several candidates.
func fitCases(all []mentionCase, start *Weights, fixed bool) *Weights {
	w := &Weights{Features: start.Features, Values: start.Values}
	var cases []mentionCase
	for _, c := range all {
		if len(c.gold) > 1 && slices.Contains(c.gold, true) {
			cases = append(cases, c)
		}
	}
	if fixed {
		w.Mentions = len(cases)
		w.Loss, w.Recall1 = loss(cases, w)
	} else if len(cases) >= minFit {
		w = fit(cases, w)
	}
	var confidence []confidenceCase
	for i := range all {
		if c, ok := all[i].confidenceCase(w); ok {
			confidence = append(confidence, c)
		}
	}
	w.Confidence = fitConfidence(confidence)
	return w
}

// minFit is the fewest mentions that weights are fitted on.
const minFit = 30

func (l *Linker) mentionCase(t *task) mentionCase {
	var c mentionCase
	for i := range t.cands {
		s := &t.cands[i]
		id := l.kb.Concept(s.concept).ID
		gold := t.means(id)
		c.features = append(c.features, t.features(s))
		c.gold = append(c.gold, gold)
	}
	return c
}

// ridge is the strength of the pull of the standardised weights towards the defaults. Chosen by eight-fold cross-validation over the
// documents of the development splits of ncbi-disease and hpo-gsc (0 to 3 tried).
const ridge = 0.1

// fit maximises the conditional log-likelihood of the gold by gradient ascent with momentum on standardised features. It
// starts at, and is pulled towards, the defaults.
func fit(cases []mentionCase, from *Weights) *Weights {
	w := &Weights{Features: from.Features, Values: slices.Clone(from.Values)}
	d := len(w.Values)
	scale := spread(cases, d)
	x := make([]float64, d)
	start := make([]float64, d)
	for i := range x {
		start[i] = w.Values[i] * scale[i]
		x[i] = start[i]
	}
	m, v := make([]float64, d), make([]float64, d)
	g := make([]float64, d)
	const steps, rate = 600, 0.05
	for step := 1; step <= steps; step++ {
		gradient(cases, scale, x, g)
		for i := range x {
			g[i] -= ridge * (x[i] - start[i])
			m[i] = 0.9*m[i] + 0.1*g[i]
			v[i] = 0.99*v[i] + 0.01*g[i]*g[i]
			up := m[i] / (1 - math.Pow(0.9, float64(step))) / (math.Sqrt(v[i]/(1-math.Pow(0.99, float64(step)))) + 1e-9)
			x[i] += rate * (1 - float64(step)/(steps+1)) * up
		}
	}
	for i := range x {
		w.Values[i] = x[i] / scale[i]
	}
	w.Mentions = len(cases)
	w.Loss, w.Recall1 = loss(cases, w)
	return w
}

// spread returns each feature's standard deviation within mentions, so that one step size fits all.
func spread(cases []mentionCase, d int) []float64 {
	out := make([]float64, d)
	n := 0.0
	for _, c := range cases {
		mean := make([]float64, d)
		for _, f := range c.features {
			for i := range f {
				mean[i] += f[i] / float64(len(c.features))
			}
		}
		for _, f := range c.features {
			n++
			for i := range f {
				out[i] += (f[i] - mean[i]) * (f[i] - mean[i])
			}
		}
	}
	for i := range out {
		out[i] = math.Max(math.Sqrt(out[i]/math.Max(n, 1)), 1e-3)
	}
	return out
}

// gradient writes the mean gradient of the log-likelihood into g.
func gradient(cases []mentionCase, scale, x, g []float64) {
	clear(g)
	var s []float64
	for _, c := range cases {
		s = s[:0]
		var gold []float64
		for k, f := range c.features {
			v := 0.0
			for i := range f {
				v += x[i] / scale[i] * f[i]
			}
			s = append(s, v)
			if c.gold[k] {
				gold = append(gold, v)
			}
		}
		z, zg := logSumExp(s), logSumExp(gold)
		for k, f := range c.features {
			p := -math.Exp(s[k] - z)
			if c.gold[k] {
				p += math.Exp(s[k] - zg)
			}
			for i := range f {
				g[i] += p * f[i] / scale[i] / float64(len(cases))
			}
		}
	}
}

func loss(cases []mentionCase, w *Weights) (nll, recall float64) {
	for _, c := range cases {
		var s, gold []float64
		for k, f := range c.features {
			v := w.value(f)
			s = append(s, v)
			if c.gold[k] {
				gold = append(gold, v)
			}
		}
		nll += (logSumExp(s) - logSumExp(gold)) / float64(len(cases))
		if slices.Max(gold) >= slices.Max(s) {
			recall += 1 / float64(len(cases))
		}
	}
	return nll, recall
}

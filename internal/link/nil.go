package link

import (
	"math"
	"slices"
)

// Confidence is a logistic regression that says how likely it is that none of a mention's candidates is right: the mention
// means no concept of the knowledge base, or one that was not found. It is fitted on the development split, NIL mentions
// included.
type Confidence struct {
	Values   []float64 `json:"values"` // of confidenceFeatures
	Mentions int       `json:"mentions"`
	None     int       `json:"none"` // of them without a right candidate
}

// confidenceFeatures: constant; score of the best candidate; log-odds of its probability, within ±6; its largest cosine.
func confidenceFeatures(best, probability, cosine float64) []float64 {
	return []float64{1, best, min(max(math.Log(probability/(1-probability+1e-9)), -6), 6), cosine}
}

// probability returns the probability that no candidate is right.
func (c *Confidence) probability(f []float64) float64 {
	z := 0.0
	for i, v := range c.Values {
		z += v * f[i]
	}
	return 1 / (1 + math.Exp(-z))
}

// confidenceCase is one development mention.
type confidenceCase struct {
	f    []float64
	none bool
}

// minNone is the fewest mentions of either kind that a confidence is fitted on.
const minNone = 10

// fitConfidence fits by gradient ascent with a small ridge. It returns nil when one kind of mention is too rare.
func fitConfidence(cases []confidenceCase) *Confidence {
	c := &Confidence{Mentions: len(cases)}
	for _, x := range cases {
		if x.none {
			c.None++
		}
	}
	if min(c.None, c.Mentions-c.None) < minNone {
		return nil
	}
	d := len(cases[0].f)
	scale := make([]float64, d)
	for _, x := range cases {
		for i, v := range x.f {
			scale[i] += v * v / float64(len(cases))
		}
	}
	w := make([]float64, d)
	const steps, rate, ridge = 2000, 0.5, 1e-3
	for range steps {
		g := make([]float64, d)
		for _, x := range cases {
			y := 0.0
			if x.none {
				y = 1
			}
			z := 0.0
			for i, v := range x.f {
				z += w[i] * v / math.Sqrt(scale[i]+1e-9)
			}
			e := y - 1/(1+math.Exp(-z))
			for i, v := range x.f {
				g[i] += e * v / math.Sqrt(scale[i]+1e-9) / float64(len(cases))
			}
		}
		for i := range w {
			w[i] += rate * (g[i] - ridge*w[i])
		}
	}
	for i := range w {
		c.Values = append(c.Values, w[i]/math.Sqrt(scale[i]+1e-9))
	}
	return c
}

// confidenceCase describes a mention by its best candidate under weights w; false when it has none.
func (c *mentionCase) confidenceCase(w *Weights) (confidenceCase, bool) {
	if len(c.features) == 0 {
		return confidenceCase{}, false
	}
	values := make([]float64, len(c.features))
	for k, f := range c.features {
		values[k] = w.value(f)
	}
	best := slices.Index(values, slices.Max(values))
	p := math.Exp(values[best] - logSumExp(values))
	return confidenceCase{confidenceFeatures(values[best], p, c.features[best][cosineFeature]), !slices.Contains(c.gold, true)}, true
}
